/** The verbs of `root` and `catalog` that need no node, as people run them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { main } from "../../src/app/cli/main.ts";

/** A folder with its own data directory, in which verbs are run. */
class Desk implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Desk> {
    return new Desk(await Deno.makeTempDir({ prefix: "seedmint-desk-" }));
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  /** Runs a verb with `--json`. @returns Its code, its last line, and what it said on stderr. */
  async run(...args: string[]) {
    let out = "";
    let err = "";
    const code = await main([...args, "--json", "--data", this.at("none")], {
      writeOut: (bytes) => out += new TextDecoder().decode(bytes),
      writeErr: (bytes) => err += new TextDecoder().decode(bytes),
      isErrTerminal: false,
      columns: 80,
      isColored: false,
    }, {
      input: {
        isTerminal: false,
        isTyped: false,
        line: () => Promise.reject(new Error("nobody is here")),
        text: () => Promise.reject(new Error("nobody is here")),
      },
    });
    const lines = out.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
    return { code, last: lines.at(-1) ?? {}, lines, err };
  }

  /** As {@link run}; fails the test unless it succeeds. */
  async ok(...args: string[]) {
    const { code, last, err } = await this.run(...args);
    assert.equal(code, 0, `${args.join(" ")}: ${JSON.stringify(last)} ${err}`);
    return last;
  }

  /** As {@link run}; fails the test unless it fails with `message`. */
  async fails(message: RegExp, ...args: string[]) {
    const { code, last } = await this.run(...args);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(String(last.message), message);
    return last;
  }

  /** A root of one person, and an empty catalog of it. */
  async begin(): Promise<
    { readonly seed: string; readonly root: string; readonly catalog: string }
  > {
    const [seed, root, catalog] = [
      this.at("root.seed"),
      this.at("root.json"),
      this.at("tools.json"),
    ];
    await this.ok("root", "new", "acme", "--seed", seed, "-o", root);
    await this.ok("catalog", "init", "tools", "-o", catalog);
    return { seed, root, catalog };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("root new makes a seed that nobody else may read, and never replaces a file", async () => {
  await using desk = await Desk.open();
  const { seed, root } = await desk.begin();
  assert.equal((await Deno.stat(seed)).mode! & 0o777, 0o600);
  assert.match(await Deno.readTextFile(seed), /^seedmint-root-seed-v1-[0-9a-f]{64}-[0-9a-f]{8}\n$/);
  await desk.fails(/it exists/, "root", "new", "acme", "--seed", seed, "-o", root);
  await desk.fails(/exists/, "root", "pubkey", "--new", "--seed", seed);
  await desk.fails(/letters a-z/, "root", "new", "A B", "-o", desk.at("b.json"));
  await Deno.chmod(seed, 0o644);
  await desk.fails(/others may read it; run: chmod 600/, "root", "pubkey", "--seed", seed);
});

Deno.test("no verb says anything of a seed but where it lies", async () => {
  await using desk = await Desk.open();
  const { seed, root, catalog } = await desk.begin();
  const secret = (await Deno.readTextFile(seed)).split("-")[4]!;
  const runs = [
    await desk.run("root", "pubkey", "--seed", seed),
    await desk.run("root", "rotate", root, "--seed", seed, "--yes"),
    await desk.run("catalog", "sign", catalog, "--seed", seed, "--yes"),
    await desk.run("root", "show", root),
  ];
  await Deno.writeTextFile(desk.at("bad.seed"), `x${await Deno.readTextFile(seed)}`, {
    mode: 0o600,
  });
  runs.push(await desk.run("root", "pubkey", "--seed", desk.at("bad.seed")));
  assert.equal(runs.at(-1)!.code, 2);
  for (const { lines, err } of runs) {
    assert.ok(
      !JSON.stringify(lines).includes(secret.slice(0, 12)) && !err.includes(secret.slice(0, 12)),
    );
  }
  assert.ok(!(await Deno.readTextFile(root)).includes(secret.slice(0, 12)));
});

Deno.test("nothing is signed where nobody can be asked, unless --yes says so", async () => {
  await using desk = await Desk.open();
  const { seed, root, catalog } = await desk.begin();
  const before = await Deno.readTextFile(root);
  const { ci } = { ci: (await desk.ok("root", "pubkey", "--seed", seed, "--label", "ci")).key };
  await desk.fails(/say --yes/, "catalog", "sign", catalog, "--seed", seed);
  await desk.fails(/no such file/, "root", "sign", root, "--seed", desk.at("none.seed"), "--yes");
  await desk.fails(
    /say --yes/,
    ...["root", "delegate", root, "ci", "--key", ci, "--catalog", "t*", "--seed", seed],
  );
  // The draft is there, unsigned: the version that counts is the first one.
  const shown = await desk.run("root", "show", root);
  assert.deepEqual([shown.code, shown.last.version], [1, 2]);
  assert.notEqual(await Deno.readTextFile(root), before);
  assert.equal((await desk.ok("root", "sign", root, "--seed", seed, "--yes")).complete, true);
});

Deno.test("a ceremony of two: drafts, fingerprints, and each signature", async () => {
  await using desk = await Desk.open();
  const root = desk.at("root.json");
  const [anna, ben] = [desk.at("anna.seed"), desk.at("ben.seed")];
  const { key: bens } = await desk.ok("root", "pubkey", "--new", "--seed", ben);
  const first = await desk.ok(
    ...["root", "new", "acme", "--seed", anna, "-o", root, "--key", bens, "--threshold", "2"],
  );
  assert.deepEqual(first.missing, ["1 more of its keys"]);
  const signed = await desk.ok("root", "sign", root, "--seed", ben, "--yes");
  assert.deepEqual([signed.complete, signed.fingerprint], [true, first.fingerprint]);
  const rotated = await desk.ok("root", "rotate", root, "--days", "10", "--seed", anna, "--yes");
  assert.deepEqual([rotated.version, rotated.complete], [2, false]);
  await desk.fails(
    /no key of this seed/,
    "root",
    "sign",
    root,
    "--seed",
    await newSeed(desk),
    "--yes",
  );
  assert.equal((await desk.ok("root", "sign", root, "--seed", ben, "--yes")).complete, true);
  const shown = await desk.ok("root", "show", root);
  assert.deepEqual([shown.version, shown.versions, shown.threshold], [2, 2, 2]);
});

async function newSeed(desk: Desk): Promise<string> {
  const path = desk.at(`${crypto.randomUUID()}.seed`);
  await desk.ok("root", "pubkey", "--new", "--seed", path);
  return path;
}

Deno.test("root revoke replaces a key everywhere, and says when too few would be left", async () => {
  await using desk = await Desk.open();
  const { seed, root } = await desk.begin();
  const { key } = await desk.ok("root", "pubkey", "--seed", seed);
  const { key: next } = await desk.ok("root", "pubkey", "--seed", seed, "--label", "root/1");
  const revoke = ["root", "revoke", root, key, "--seed", seed, "--yes"];
  await desk.fails(/--reason/, ...revoke);
  await desk.fails(/0 of the 1 keys.*--replace/, ...revoke, "--reason", "lost");
  await desk.fails(/64 hex digits/, "root", "revoke", root, "ab", "--reason", "x");
  const done = await desk.ok(...revoke, "--reason", "lost", "--replace", next);
  assert.equal(done.complete, true);
  const shown = await desk.ok("root", "show", root);
  assert.deepEqual(shown.keys, [next]);
  assert.equal(shown.revocations[0].reason, "lost");
});

Deno.test("catalog add, sign and verify: from files to what followers take", async () => {
  await using desk = await Desk.open();
  const { seed, catalog } = await desk.begin();
  await Deno.writeTextFile(desk.at("tool.tgz"), "a tool");
  await Deno.mkdir(desk.at("film/segments"), { recursive: true });
  await Deno.writeTextFile(desk.at("film/index.m3u8"), "#EXTM3U");
  await Deno.writeTextFile(desk.at("film/segments/1.ts"), "first");
  const release = ["--release", "tool", "--version", "1.0.0"];
  await desk.ok(
    ...["catalog", "add", catalog, desk.at("tool.tgz"), ...release, "--platform", "linux/amd64"],
    ...["--origin", "https://example.org/dl/", "--origin", "https://cdn.example/t?v=1"],
  );
  await desk.ok(
    ...[
      "catalog",
      "add",
      catalog,
      desk.at("film"),
      "--media-type",
      "application/vnd.apple.mpegurl",
    ],
    ...["--origin", "https://example.org/films/", "--price", "priced"],
  );
  await desk.fails(/not signed/, "catalog", "verify", catalog);
  const signed = await desk.ok("catalog", "sign", catalog, "--seed", seed, "--yes");
  assert.deepEqual([signed.complete, signed.role, signed.sequence], [true, "root", 1]);
  assert.equal((await desk.ok("catalog", "verify", catalog)).ok, true);
  const { lines } = await desk.run("catalog", "ls", catalog);
  const shown = lines.map(({ kind, name, file, price }) => [kind, name, file, price]);
  assert.deepEqual(shown, [
    ["release", "tool", "tool.tgz", "free"],
    ["file", "film", "film", "priced"],
  ]);
  const text = await Deno.readTextFile(catalog);
  assert.match(text, /"origins":\["https:\/\/example\.org\/dl\/tool\.tgz","https:\/\/cdn/);
  assert.match(text, /"origins":\["https:\/\/example\.org\/films\/film\/"\]/);
  await desk.fails(
    /releases are free/,
    ...["catalog", "add", catalog, desk.at("tool.tgz"), ...release, "--price", "priced"],
  );
  await desk.fails(/without its --version/, "catalog", "add", catalog, catalog, "--release", "x");
});

Deno.test("the list of a folder has the hash that add gives it", async () => {
  await using desk = await Desk.open();
  const { catalog } = await desk.begin();
  await Deno.mkdir(desk.at("folder/b"), { recursive: true });
  for (const name of ["z.txt", "b/a.txt", "ä.txt"]) {
    await Deno.writeTextFile(desk.at(`folder/${name}`), name);
  }
  await desk.ok("catalog", "add", catalog, desk.at("folder"));
  const [, { blake3 }] = [0, JSON.parse(await Deno.readTextFile(catalog)).files[0]];
  const added = await desk.ok("add", desk.at("folder"));
  assert.equal(blake3, added.hash);
});

Deno.test("a catalog that was signed is never changed: what follows has a higher sequence", async () => {
  await using desk = await Desk.open();
  const { seed, catalog } = await desk.begin();
  await Deno.writeTextFile(desk.at("a"), "a");
  const sign = (...more: string[]) =>
    desk.ok("catalog", "sign", catalog, "--seed", seed, "--yes", ...more);
  assert.equal((await sign()).sequence, 1);
  // Once more the same is one more signature, not another catalog.
  const { blake3 } = await sign();
  assert.equal((await desk.ok("catalog", "add", catalog, desk.at("a"))).sequence, 2);
  assert.equal((await desk.ok("catalog", "rm", catalog, "a")).sequence, 2);
  const second = await sign();
  assert.equal(second.sequence, 2);
  assert.notEqual(second.blake3, blake3);
  assert.equal((await sign("--renew")).sequence, 3);
  assert.equal((await sign("--sequence", "10")).sequence, 10);
  await desk.fails(
    /11 or more wanted/,
    ...["catalog", "sign", catalog, "--seed", seed, "--yes", "--sequence", "5"],
  );
  // Changed by another hand, with the old signature left beside it.
  const text = await Deno.readTextFile(catalog);
  await Deno.writeTextFile(catalog, text.replace(/"issuedS":\d+/, '"issuedS":1000000000'));
  await desk.fails(/another SHA-256/, "catalog", "verify", catalog);
  assert.equal((await sign()).sequence, 11);
});

Deno.test("catalog verify refuses what followers refuse, with the reason", async () => {
  await using desk = await Desk.open();
  const { seed, root, catalog } = await desk.begin();
  await desk.ok("catalog", "sign", catalog, "--seed", seed, "--yes");
  const seal = await Deno.readTextFile(`${catalog}.seal`);
  await Deno.writeTextFile(`${catalog}.seal`, seal.replace(/"sig":"../, '"sig":"00'));
  await desk.fails(/no key that may sign/, "catalog", "verify", catalog);
  await Deno.writeTextFile(`${catalog}.seal`, "{}");
  await desk.fails(/what catalog sign writes wanted/, "catalog", "verify", catalog);
  await Deno.writeTextFile(`${catalog}.seal`, seal);
  // Of another root.
  const other = desk.at("other.json");
  await desk.ok("root", "new", "other", "--seed", desk.at("o.seed"), "-o", other);
  await desk.fails(/another root/, "catalog", "verify", catalog, "--root", other);
  // With a pinned first version, and a later one beside the catalog.
  const pinned = desk.at("pinned.json");
  await Deno.copyFile(root, pinned);
  const { key } = await desk.ok("root", "pubkey", "--seed", seed, "--label", "ci");
  await desk.ok(
    ...[
      "root",
      "delegate",
      root,
      "ci",
      "--key",
      key,
      "--catalog",
      "tools",
      "--seed",
      seed,
      "--yes",
    ],
  );
  await desk.ok("catalog", "sign", catalog, "--renew", "--seed", seed, "--label", "ci", "--yes");
  const verified = await desk.ok("catalog", "verify", catalog, "--release-root", pinned);
  assert.deepEqual([verified.role, verified.rootVersion], ["ci", 2]);
});

Deno.test("a root for development is made without a seed, and refused without the switch", async () => {
  await using desk = await Desk.open();
  const root = desk.at("root.json");
  await desk.ok("root", "new", "demo", "--development", "-o", root);
  assert.equal((await desk.ok("root", "show", root)).use, "development");
  const catalog = desk.at("tools.json");
  await desk.ok("catalog", "init", "tools", "-o", catalog);
  await desk.ok("catalog", "sign", catalog, "--development", "--yes");
  await desk.fails(/for development/, "catalog", "verify", catalog);
  assert.equal((await desk.ok("catalog", "verify", catalog, "--development")).ok, true);
});

Deno.test("catalog publish --output writes what a web server serves, and nothing unsigned", async () => {
  await using desk = await Desk.open();
  const { seed, catalog } = await desk.begin();
  await desk.fails(/not signed/, "catalog", "publish", catalog, "-o", desk.at("public"));
  await desk.ok("catalog", "sign", catalog, "--seed", seed, "--yes");
  await desk.ok("catalog", "publish", catalog, "-o", desk.at("public"));
  assert.deepEqual(
    (await Array.fromAsync(Deno.readDir(desk.at("public")))).map(({ name }) => name).sort(),
    ["tools-1.json", "tools.publication.json"],
  );
  assert.equal(
    await Deno.readTextFile(desk.at("public/tools-1.json")),
    await Deno.readTextFile(catalog),
  );
});
