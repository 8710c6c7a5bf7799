import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import {
  diskOf,
  isInstalled,
  isThere,
  mustRun,
  readIfThere,
  removeTree,
  runCommand,
  writeWhole,
} from "../../../provisioning/machine/mod.ts";

const skip = { ignore: Deno.build.os === "windows" };

Deno.test({
  ...skip,
  name: "runCommand() gives output, exit code and input, and passes arguments untouched",
  fn: async () => {
    const result = await runCommand(["sh", "-c", 'cat; echo "$1" >&2; exit 3', "x", "$(id); *"], {
      input: "in",
    });
    assert.deepEqual(result, {
      exitCode: 3,
      stdout: "in",
      stderr: "$(id); *\n",
      isTruncated: false,
    });
  },
});

Deno.test({
  ...skip,
  name: "runCommand() cuts output at the limit and still lets the program end",
  fn: async () => {
    const result = await runCommand(["sh", "-c", "head -c 1000000 /dev/zero; exit 4"], {
      outputBytesMax: 10,
    });
    assert.deepEqual([result.exitCode, result.stdout.length, result.isTruncated], [4, 10, true]);
  },
});

Deno.test({
  ...skip,
  name: "runCommand() ends what takes too long or is cancelled, also what ignores a polite request",
  fn: async () => {
    const stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"];
    await assert.rejects(
      runCommand(stubborn, { timeoutMs: 100 }),
      (error) => isSeedmintError(error, "timeout"),
    );
    const controller = new AbortController();
    const running = runCommand(["sleep", "30"], { signal: controller.signal });
    controller.abort();
    await assert.rejects(running, (error) => isSeedmintError(error, "aborted"));
  },
});

Deno.test({
  ...skip,
  name: "runCommand() does not wait for a daemon that keeps the pipe open",
  fn: async () => {
    const startMs = performance.now();
    const result = await runCommand(["sh", "-c", "sleep 5 & echo started"]);
    assert.equal(result.stdout, "started\n");
    assert.ok(performance.now() - startMs < 4_000);
  },
});

Deno.test({
  ...skip,
  name: "mustRun() says what was run, how it ended and what it said last",
  fn: async () => {
    await assert.rejects(
      mustRun(["sh", "-c", "echo first >&2; echo 'no room' >&2; exit 7"]),
      /sh -c .* ended with code 7: no room$/,
    );
    await assert.rejects(
      mustRun(["seedmint-no-such-program"]),
      (error) => isSeedmintError(error, "unavailable") && /install/.test(error.message),
    );
    assert.equal(await isInstalled("sh"), true);
    assert.equal(await isInstalled("seedmint-no-such-program"), false);
  },
});

Deno.test("writeWhole() replaces a file at once, and readIfThere() knows what is absent", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/file`;
  assert.equal(await readIfThere(path), undefined);
  await writeWhole(path, "one");
  await writeWhole(path, "two");
  assert.equal(await readIfThere(path), "two");
  assert.deepEqual(namesIn(folder), ["file"]);
  assert.ok((await diskOf(folder)).freeBytes > 0);
  await removeTree(folder);
  await removeTree(folder);
  assert.equal(await isThere(folder), false);
});

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
