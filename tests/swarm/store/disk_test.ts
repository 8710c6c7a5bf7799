import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { GROUP_BYTES, outboardSizeOf } from "../../../swarm/bao/geometry.ts";
import { hashBytes, OutboardBuilder } from "../../../swarm/bao/mod.ts";
import { FileBlobStore } from "../../../swarm/store/mod.ts";
import { systemClock } from "../../../src/host/system.ts";
import { ingestBytes, readAll, sampleBytes } from "../../conformance/blob_store.ts";
import { filesBelow, flipByte, openStore, TemporaryDirectory } from "./fixture.ts";

const hasCode = (code: Parameters<typeof isSeedmintError>[1], pattern = /./) => (error: unknown) =>
  isSeedmintError(error, code) && pattern.test(error.message);

Deno.test("FileBlobStore keeps everything over a restart", async () => {
  using directory = new TemporaryDirectory();
  const whole = sampleBytes(5 * GROUP_BYTES, 1);
  const part = sampleBytes(7 * GROUP_BYTES, 2);
  let records;
  {
    await using store = await openStore(directory.path);
    await store.importBytes(whole, { tag: "t", pinned: true, visibility: "fleet" });
    await store.importBytes(sampleBytes(9));
    await ingestBytes(store, part, RangeSet.from([{ start: 1, end: 3 }, { start: 6, end: 7 }]));
    records = [...store.list()];
  }
  await using store = await openStore(directory.path);
  assert.deepEqual([...store.list()], records);
  assert.deepEqual(store.recovery, { checkedCount: 0, damagedCount: 0 });
  assert.deepEqual(await readAll(store, hashBytes(whole)), whole);
  await ingestBytes(store, part);
  assert.deepEqual(await readAll(store, hashBytes(part)), part);
  assert.equal(store.usage().bytes, whole.length + part.length + 9);
});

Deno.test("FileBlobStore gives a final name to complete blobs only", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path);
  const bytes = sampleBytes(4 * GROUP_BYTES, 3);
  const hash = hashBytes(bytes);
  const blobFiles = () => filesBelow(`${directory.path}/blobs`);
  await ingestBytes(store, bytes, RangeSet.of(3));
  assert.ok(blobFiles().every((name) => /\.(part|tree)$/.test(name)));
  assert.equal(blobFiles().length, 2);
  await ingestBytes(store, bytes);
  const stem = `${hash.slice(0, 2)}/${hash}`;
  assert.deepEqual(blobFiles(), [`${stem}.data`, `${stem}.outboard`]);
  const builder = new OutboardBuilder();
  builder.update(bytes);
  assert.deepEqual(
    await Deno.readFile(`${directory.path}/blobs/${stem}.outboard`),
    builder.finish().parents,
  );
  await store.remove(hash);
  assert.deepEqual(blobFiles(), []);
});

Deno.test("FileBlobStore leaves nothing of a draft that was never proven", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path);
  await ingestBytes(store, sampleBytes(4 * GROUP_BYTES), RangeSet.of(0, 2));
  assert.deepEqual(filesBelow(`${directory.path}/blobs`), []);
  assert.equal(store.figures().reservedBytes, 0);
  assert.equal(store.figures().ingestingCount, 0);
});

Deno.test("FileBlobStore verify finds bit rot, keeps the good groups, and a fetch mends it", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path);
  const bytes = sampleBytes(10 * GROUP_BYTES, 4);
  const { hash } = await store.importBytes(bytes, { tag: "t" });
  const stem = `${directory.path}/blobs/${hash.slice(0, 2)}/${hash}`;
  flipByte(`${stem}.data`, 3 * GROUP_BYTES + 5);
  const report = await store.verify(hash);
  assert.equal(report.bad.toString(), "3..4");
  assert.equal(report.good.toString(), "0..3,4..10");
  const record = store.status(hash)!;
  assert.equal(record.state, "partial");
  assert.deepEqual(record.tags, ["t"]);
  assert.equal(record.groups.toString(), "0..3,4..10");
  assert.equal(store.usage().bytes, 9 * GROUP_BYTES);
  await ingestBytes(store, bytes, RangeSet.of(3, 4));
  assert.equal(store.status(hash)!.state, "complete");
  assert.ok((await store.verify(hash)).bad.isEmpty);
});

Deno.test("FileBlobStore verify mends an outboard whose data is whole", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path);
  const bytes = sampleBytes(10 * GROUP_BYTES, 5);
  const { hash } = await store.importBytes(bytes);
  const outboard = `${directory.path}/blobs/${hash.slice(0, 2)}/${hash}.outboard`;
  const before = await Deno.readFile(outboard);
  flipByte(outboard, 70);
  assert.ok((await store.verify(hash)).bad.isEmpty);
  assert.deepEqual(await Deno.readFile(outboard), before);
  assert.equal(store.status(hash)!.state, "complete");
});

Deno.test("FileBlobStore verify makes a small or wholly rotten blob absent", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path);
  const { hash } = await store.importBytes(sampleBytes(2 * GROUP_BYTES, 6));
  const stem = `${directory.path}/blobs/${hash.slice(0, 2)}/${hash}`;
  flipByte(`${stem}.data`, 0);
  flipByte(`${stem}.data`, GROUP_BYTES);
  assert.equal((await store.verify(hash)).bad.count, 2);
  assert.equal(store.status(hash), undefined);
  assert.deepEqual(filesBelow(`${directory.path}/blobs`), []);
});

Deno.test("FileBlobStore verify checks a partial blob, also while it is being fetched", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path);
  const bytes = sampleBytes(10 * GROUP_BYTES, 7);
  const hash = hashBytes(bytes);
  await ingestBytes(store, bytes, RangeSet.of(5));
  await using ingest = await store.ingestEncoded(hash, RangeSet.of(0, 1), { size: bytes.length });
  const part = filesBelow(`${directory.path}/blobs`).find((name) => name.endsWith(".part"))!;
  flipByte(`${directory.path}/blobs/${part}`, 7 * GROUP_BYTES);
  assert.equal((await store.verify(hash)).bad.toString(), "7..8");
  assert.equal(store.status(hash)!.groups.toString(), "5..7,8..10");
  await ingest[Symbol.asyncDispose]();
  assert.equal(store.figures().reservedBytes, 0);
  await ingestBytes(store, bytes);
  assert.ok((await store.verify(hash)).bad.isEmpty);
  assert.deepEqual(await readAll(store, hash), bytes);
});

Deno.test("FileBlobStore finds a complete file that was cut short before it is read", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path);
  const bytes = sampleBytes(4 * GROUP_BYTES, 8);
  const { hash } = await store.importBytes(bytes);
  await Deno.truncate(
    `${directory.path}/blobs/${hash.slice(0, 2)}/${hash}.data`,
    2 * GROUP_BYTES + 1,
  );
  await using reader = await store.openReader(hash);
  assert.equal(reader.groups.toString(), "0..2");
  assert.equal(store.status(hash)!.state, "partial");
});

Deno.test("FileBlobStore makes a blob whose file is gone absent, with the reason", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path);
  const { hash } = await store.importBytes(sampleBytes(4 * GROUP_BYTES, 9));
  await Deno.remove(`${directory.path}/blobs/${hash.slice(0, 2)}/${hash}.data`);
  await assert.rejects(store.openReader(hash), hasCode("not-found", /file is gone/));
  assert.equal(store.status(hash), undefined);
  assert.equal(store.figures().openReaderCount, 0);
});

Deno.test("FileBlobStore is locked for a second opener, and free after the first closed", async () => {
  using directory = new TemporaryDirectory();
  {
    await using _store = await openStore(directory.path);
    await assert.rejects(
      openStore(directory.path),
      hasCode("locked", new RegExp(`this process \\(${Deno.pid}\\).*choose another`)),
    );
    await assert.rejects(
      FileBlobStore.rebuild({ directory: directory.path, clock: systemClock }),
      hasCode("locked"),
    );
  }
  await using store = await openStore(directory.path);
  assert.equal(store.usage().blobCount, 0);
});

Deno.test("FileBlobStore names the other process that holds the lock", async () => {
  using directory = new TemporaryDirectory();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("./lock_child.ts", import.meta.url).pathname, directory.path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = child.stdout.getReader();
  await output.read();
  await assert.rejects(
    openStore(directory.path),
    hasCode("locked", new RegExp(`process ${child.pid} is using it`)),
  );
  child.kill("SIGKILL");
  await child.status;
  await output.cancel();
  await child.stdin.close().catch(() => {});
  await using store = await openStore(directory.path);
  assert.equal(store.usage().blobCount, 0);
});

Deno.test("FileBlobStore refuses a newer schema and leaves it alone", async () => {
  using directory = new TemporaryDirectory();
  await (await openStore(directory.path))[Symbol.asyncDispose]();
  const database = new DatabaseSync(`${directory.path}/store.sqlite`);
  database.exec("PRAGMA user_version = 999");
  database.close();
  await assert.rejects(
    openStore(directory.path),
    hasCode("storage", /version 999.*newer Seedmint/),
  );
  await assert.rejects(openStore(directory.path), hasCode("storage", /version 999/));
});

Deno.test("FileBlobStore cannot be opened in a read-only directory, and says why", async () => {
  using directory = new TemporaryDirectory();
  {
    await using store = await openStore(directory.path);
    await store.importBytes(sampleBytes(30_000));
  }
  await assertReadOnlyFails(directory.path);
});

function run(command: string, ...args: string[]): Promise<Deno.CommandOutput> {
  return new Deno.Command(command, { args }).output();
}

/** A read-only mount stops even root; without one the mode of the directory does for others. */
async function assertReadOnlyFails(path: string): Promise<void> {
  if (Deno.uid() === 0) {
    assert.ok((await run("mount", "--bind", path, path)).success);
    try {
      assert.ok((await run("mount", "-o", "remount,ro,bind", path)).success);
      await assert.rejects(
        openStore(path),
        hasCode("storage", /cannot be written.*check its owner/),
      );
    } finally {
      await run("umount", path);
    }
  } else {
    await Deno.chmod(path, 0o500);
    await assert.rejects(openStore(path), hasCode("storage", /cannot be written/));
    await Deno.chmod(path, 0o700);
  }
  await using store = await openStore(path);
  assert.equal(store.usage().blobCount, 1);
}

/** Only root can mount a file system that is small enough to fill. */
const canMount = Deno.build.os === "linux" && Deno.uid() === 0;

Deno.test({
  name: `FileBlobStore says no-space on a full disk and loses nothing${
    canMount ? "" : " (skipped: needs root to mount a small file system)"
  }`,
  ignore: !canMount,
  fn: fillSmallDisk,
});

async function fillSmallDisk(): Promise<void> {
  using directory = new TemporaryDirectory();
  const mounted = await run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", directory.path);
  assert.ok(mounted.success);
  try {
    for (const workerCount of [0, 1]) await fillDisk(directory.path, workerCount);
  } finally {
    await run("umount", directory.path);
  }
}

async function fillDisk(directory: string, workerCount: number): Promise<void> {
  const kept = sampleBytes(MIB, 10);
  const big = sampleBytes(8 * MIB, 11);
  {
    await using store = await openStore(directory, { workerCount });
    const { hash } = await store.importBytes(kept);
    await ingestBytes(store, big, RangeSet.of(511), 100_000);
    await assert.rejects(ingestBytes(store, big), hasCode("no-space", /disk is full/));
    await assert.rejects(store.importBytes(big), hasCode("no-space"));
    await assert.rejects(
      store.importStream(ReadableStream.from([big])),
      hasCode("no-space"),
    );
    assert.deepEqual(await readAll(store, hash), kept);
    assert.ok((await store.verify(hashBytes(big))).bad.isEmpty);
    assert.ok(store.status(hashBytes(big))!.groups.count > 100);
  }
  await using store = await openStore(directory, { workerCount });
  assert.deepEqual(await readAll(store, hashBytes(kept)), kept);
  assert.ok((await store.verify(hashBytes(big))).bad.isEmpty);
  await store.remove(hashBytes(big));
  await ingestBytes(store, sampleBytes(3 * MIB, 12));
  assert.equal(store.status(hashBytes(sampleBytes(3 * MIB, 12)))!.state, "complete");
  await store.remove(hashBytes(sampleBytes(3 * MIB, 12)));
}

const MIB = 1024 * 1024;

Deno.test("FileBlobStore writes the outboard size that the geometry says", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path);
  const { hash } = await store.importBytes(sampleBytes(MIB + 1));
  const info = await Deno.stat(`${directory.path}/blobs/${hash.slice(0, 2)}/${hash}.outboard`);
  assert.equal(info.size, outboardSizeOf(MIB + 1));
});
