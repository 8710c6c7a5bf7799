import assert from "node:assert/strict";
import { join } from "node:path";
import { isSeedmintError } from "../../src/core/errors.ts";
import { adoptSeed, openDataDirectory, openIdentity, seedWords } from "../../src/app/identity.ts";

const WORDS =
  "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

const OTHER_WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow";

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir({ prefix: "seedmint-identity-" });
  try {
    await run(join(parent, "data"));
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(directory))).map((entry) => entry.name);
}

const modeOf = async (path: string) => ((await Deno.stat(path)).mode ?? 0) & 0o777;

Deno.test("openIdentity() makes a seed once, for its owner alone, and reads it again", async () => {
  await withDirectory(async (directory) => {
    await openDataDirectory(directory);
    const first = await openIdentity({ directory });
    assert.equal(await modeOf(directory), 0o700);
    assert.equal(await modeOf(join(directory, "seed")), 0o600);
    assert.deepEqual(await openIdentity({ directory }), first);
    assert.deepEqual(await namesIn(directory), ["seed"]);
  });
});

Deno.test("openIdentity() of several processes at once gives them one identity", async () => {
  await withDirectory(async (directory) => {
    await openDataDirectory(directory);
    const all = await Promise.all(Array.from({ length: 8 }, () => openIdentity({ directory })));
    assert.equal(new Set(all.map((identity) => identity.peerId)).size, 1);
  });
});

Deno.test("openIdentity() derives the same keys from given words and writes nothing", async () => {
  await withDirectory(async (directory) => {
    await openDataDirectory(directory);
    const { peerId } = await openIdentity({ directory, words: ` ${WORDS.toUpperCase()}\n` });
    assert.match(peerId, /^12D3KooW/);
    assert.deepEqual(await namesIn(directory), []);
    await Deno.writeTextFile(join(directory, "seed"), WORDS, { mode: 0o600 });
    assert.equal((await openIdentity({ directory })).peerId, peerId);
  });
});

Deno.test("openIdentity() refuses a seed that others can read, and tells the command that mends it", async () => {
  await withDirectory(async (directory) => {
    await openDataDirectory(directory);
    const path = join(directory, "seed");
    await Deno.writeTextFile(path, WORDS);
    await Deno.chmod(path, 0o644);
    await assert.rejects(openIdentity({ directory }), (error) => {
      assert.ok(isSeedmintError(error, "storage"));
      assert.ok(error.message.includes(`chmod 600 ${path}`), error.message);
      return true;
    });
  });
});

Deno.test("openIdentity() never tells a word of a seed that it cannot read", async () => {
  await withDirectory(async (directory) => {
    await openDataDirectory(directory);
    const wrong = WORDS.replace("about", "zebra");
    await assert.rejects(openIdentity({ directory, words: wrong }), (error) => {
      assert.ok(isSeedmintError(error, "usage"));
      assert.ok(!/abandon|zebra/.test(error.message));
      return true;
    });
    await Deno.writeTextFile(join(directory, "seed"), "x".repeat(5000), { mode: 0o600 });
    await assert.rejects(openIdentity({ directory }), /12 words/);
  });
});

Deno.test("openDataDirectory() closes an empty directory and refuses an open one with content", async () => {
  await withDirectory(async (directory) => {
    await Deno.mkdir(directory);
    await Deno.chmod(directory, 0o755);
    await openDataDirectory(directory);
    assert.equal(await modeOf(directory), 0o700);
    await Deno.writeTextFile(join(directory, "file"), "");
    await Deno.chmod(directory, 0o750);
    await assert.rejects(openDataDirectory(directory), new RegExp(`chmod 700 ${directory}`));
  });
});

Deno.test("openDataDirectory() tells when a file is in its way", async () => {
  await withDirectory(async (directory) => {
    await Deno.writeTextFile(directory, "");
    await assert.rejects(
      openDataDirectory(directory),
      (error) => isSeedmintError(error, "storage") && error.message.includes(directory),
    );
  });
});

Deno.test("adoptSeed() makes words those of an empty directory, and never replaces others", async () => {
  await withDirectory(async (directory) => {
    await openDataDirectory(directory);
    await assert.rejects(adoptSeed(directory, "not a seed"), /12 words/);
    await adoptSeed(directory, `  ${WORDS.toUpperCase()}\n`);
    assert.equal(await modeOf(join(directory, "seed")), 0o600);
    assert.equal(await seedWords({ directory }), WORDS);
    await adoptSeed(directory, WORDS);
    await Deno.writeTextFile(join(directory, "seed"), OTHER_WORDS);
    await assert.rejects(
      adoptSeed(directory, WORDS),
      (error) => isSeedmintError(error, "denied") && !/abandon|legal/.test(error.message),
    );
    assert.equal(await seedWords({ directory }), OTHER_WORDS);
  });
});
