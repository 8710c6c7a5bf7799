import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { GROUP_BYTES, HashPool } from "../../../swarm/bao/mod.ts";
import { runHashTask } from "../../../swarm/bao/pool/hash_task.ts";
import { type FileState, fileStateOf } from "../../../swarm/bao/pool/messages.ts";
import { noiseBytes, outboardOf } from "./support.ts";

/** A file that is gone after the test. */
class TestFile implements Disposable {
  readonly path = Deno.makeTempFileSync({ prefix: "seedmint-hash-" });

  constructor(bytes: Uint8Array) {
    Deno.writeFileSync(this.path, bytes);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

/** One pass in a thread, two threads, several, and none at all. */
const POOLS = [1, 2, 4, 0].map((workerCountMax) => ({ workerCountMax }));

const SIZES = [0, 1, GROUP_BYTES, GROUP_BYTES + 1, 2 ** 20, 2 ** 20 + 1, 70 * 2 ** 20 + 12_345];

for (const options of POOLS) {
  Deno.test(`HashPool with ${options.workerCountMax} threads gives hash, outboard and SHA-256`, async () => {
    await using pool = new HashPool(options);
    for (const size of SIZES) {
      const bytes = noiseBytes(size);
      using file = new TestFile(bytes);
      const told: number[] = [];
      const { sha256, ...outboard } = await pool.hashFile(file.path, {
        onProgress: (count) => told.push(count),
      });
      assert.equal(sha256, createHash("sha256").update(bytes).digest("hex"));
      assert.deepEqual(outboard, outboardOf(bytes));
      assert.deepEqual(told, told.toSorted((a, b) => a - b));
      assert.equal(told.at(-1) ?? 0, size);
    }
  });
}

Deno.test("HashPool hashes many files at once", async () => {
  await using pool = new HashPool({ workerCountMax: 2 });
  const blobs = Array.from({ length: 30 }, (_, index) => noiseBytes(index * 5_000, index));
  using stack = new DisposableStack();
  const files = blobs.map((bytes) => stack.use(new TestFile(bytes)));
  const hashed = await Promise.all(files.map((file) => pool.hashFile(file.path)));
  for (const [index, bytes] of blobs.entries()) {
    assert.equal(hashed[index]!.hash, outboardOf(bytes).hash);
  }
});

Deno.test("HashPool stops on abort with the signal's reason and takes the next file", async () => {
  for (const options of POOLS) {
    await using pool = new HashPool(options);
    using file = new TestFile(noiseBytes(48 * 2 ** 20));
    using small = new TestFile(noiseBytes(100));
    const reason = new Error("enough");
    const controller = new AbortController();
    const hashing = pool.hashFile(file.path, {
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await assert.rejects(hashing, (error) => error === reason);
    await assert.rejects(pool.hashFile(file.path, { signal: controller.signal }), reason);
    assert.equal((await pool.hashFile(small.path)).size, 100);
  }
});

Deno.test("HashPool says that a file is missing, is a directory, or changed while being read", async () => {
  for (const options of POOLS) {
    await using pool = new HashPool(options);
    const isStorage = (error: unknown) => isSeedmintError(error, "storage");
    using file = new TestFile(noiseBytes(24 * 2 ** 20));
    await assert.rejects(pool.hashFile(`${file.path}-missing`), isStorage);
    await assert.rejects(pool.hashFile("/"), isStorage);
    let isHashing = true;
    const hashing = pool.hashFile(file.path).finally(() => isHashing = false);
    const failed = assert.rejects(hashing, /changed while being read/);
    while (isHashing) await Deno.writeFile(file.path, new Uint8Array(1), { append: true });
    await failed;
  }
});

Deno.test("A hash task refuses a file that was rewritten, cut or replaced while it read", () => {
  const changes: ((path: string) => void)[] = [
    (path) => {
      Deno.writeFileSync(path, noiseBytes(3 * 2 ** 20, 2));
      Deno.utimeSync(path, new Date(), new Date(Date.now() + 1000));
    },
    (path) => Deno.truncateSync(path, 2 ** 20 + 5),
    (path) => {
      Deno.renameSync(path, `${path}-old`);
      Deno.copyFileSync(`${path}-old`, path);
      const { mtime } = Deno.statSync(`${path}-old`);
      Deno.removeSync(`${path}-old`);
      Deno.utimeSync(path, mtime!, mtime!);
    },
  ];
  const hash = (path: string, file: FileState, change: () => void) => {
    const task = { path, file, startGroup: 0, endGroup: 192, blake3: true, sha256: true };
    const run = runHashTask(task);
    assert.deepEqual(run.next(), { value: 2 ** 20, done: false });
    change();
    return [...run];
  };
  for (const [index, change] of changes.entries()) {
    using file = new TestFile(noiseBytes(3 * 2 ** 20));
    const state = fileStateOf(Deno.statSync(file.path));
    const isReplaced = index === 2;
    if (!isReplaced) {
      assert.throws(() => hash(file.path, state, () => change(file.path)), /changed while/);
    } else assert.equal(hash(file.path, state, () => change(file.path)).length, 2);
    assert.throws(() => hash(file.path, state, () => {}), /changed while/);
  }
});

Deno.test("HashPool fails what is under way when it is closed", async () => {
  using file = new TestFile(noiseBytes(48 * 2 ** 20));
  const pool = new HashPool({ workerCountMax: 2 });
  const hashing = pool.hashFile(file.path);
  const failed = assert.rejects(hashing, (error) => isSeedmintError(error, "aborted"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await pool[Symbol.asyncDispose]();
  await failed;
  await assert.rejects(pool.hashFile(file.path), (error) => isSeedmintError(error, "aborted"));
});

/** Runs a program that hashes `path` and then does nothing more, and gives its output. */
async function hashInProcess(path: string, permissions: readonly string[]): Promise<string> {
  const pool = new URL("../../../swarm/bao/mod.ts", import.meta.url);
  const config = new URL("../../../deno.json", import.meta.url);
  const kernel = new URL("kernel/mod.ts", pool);
  const program = `import { HashPool } from ${JSON.stringify(pool)};
    import { kernel } from ${JSON.stringify(kernel)};
    const pool = new HashPool({ workerCountMax: 2 });
    console.log((await pool.hashFile(${JSON.stringify(path)})).hash, kernel.name);`;
  using script = new TestFile(new TextEncoder().encode(program));
  await Deno.rename(script.path, `${script.path}.ts`);
  try {
    const args = ["run", "--no-prompt", "--config", config.pathname, ...permissions];
    const command = new Deno.Command(Deno.execPath(), {
      args: [...args, `${script.path}.ts`],
      signal: AbortSignal.timeout(30_000),
      stderr: "inherit",
    });
    const { stdout, success } = await command.output();
    assert.equal(success, true);
    return new TextDecoder().decode(stdout).trim();
  } finally {
    await Deno.rename(`${script.path}.ts`, script.path);
  }
}

Deno.test("An idle HashPool lets the process end, and works with no right but to read the file", async () => {
  const bytes = noiseBytes(3 * 2 ** 20);
  using file = new TestFile(bytes);
  const { hash } = outboardOf(bytes);
  assert.equal(await hashInProcess(file.path, ["--allow-read"]), `${hash} simd`);
  assert.equal(await hashInProcess(file.path, [`--allow-read=${file.path}`]), `${hash} simd`);
});
