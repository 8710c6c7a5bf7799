import assert from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import { hashBytes } from "../../../swarm/bao/mod.ts";
import { FileBlobStore } from "../../../swarm/store/mod.ts";
import { ingestBytes, readAll, sampleBytes } from "../../conformance/blob_store.ts";
import { filesBelow, flipByte, openStore, TemporaryDirectory } from "./fixture.ts";

const whole = sampleBytes(8 * GROUP_BYTES + 1, 90);
const part = sampleBytes(12 * GROUP_BYTES, 91);
const small = sampleBytes(50, 92);

async function fill(directory: string, bootId: string): Promise<void> {
  await using store = await openStore(directory, { bootId });
  await store.importBytes(whole, { tag: "t", pinned: true, visibility: "fleet" });
  await store.importBytes(small, { visibility: "public", tag: "s" });
  await ingestBytes(store, part, RangeSet.of(6));
}

function pathOf(directory: string, extension: string): string {
  const name = filesBelow(`${directory}/blobs`).find((name) => name.endsWith(extension))!;
  return `${directory}/blobs/${name}`;
}

Deno.test("FileBlobStore reads what was not synced again after the machine restarted", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path, "boot 1");
  // What a power loss may leave: blocks of a file that never reached the disk.
  flipByte(pathOf(directory.path, ".data"), 2 * GROUP_BYTES);
  flipByte(pathOf(directory.path, ".part"), 7 * GROUP_BYTES);
  await using store = await openStore(directory.path, { bootId: "boot 2" });
  assert.deepEqual(store.recovery, { checkedCount: 2, damagedCount: 2 });
  assert.equal(store.status(hashBytes(whole))!.groups.toString(), "0..2,3..9");
  assert.equal(store.status(hashBytes(whole))!.pinned, true);
  assert.equal(store.status(hashBytes(part))!.groups.toString(), "6..7,8..12");
  await ingestBytes(store, whole);
  await ingestBytes(store, part);
  assert.deepEqual(await readAll(store, hashBytes(part)), part);
});

Deno.test("FileBlobStore does not read again within one boot of the machine", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path, "boot 1");
  await using store = await openStore(directory.path, { bootId: "boot 1" });
  assert.deepEqual(store.recovery, { checkedCount: 0, damagedCount: 0 });
});

Deno.test("FileBlobStore reads again only once, and drops files and records without a twin", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path, "boot 1");
  await Deno.remove(pathOf(directory.path, ".data"));
  const orphan = `${directory.path}/blobs/aa`;
  await Deno.mkdir(orphan, { recursive: true });
  await Deno.writeFile(`${orphan}/${"aa".repeat(32)}.data`, small);
  {
    await using store = await openStore(directory.path, { bootId: "boot 2" });
    assert.deepEqual(store.recovery, { checkedCount: 1, damagedCount: 1 });
    assert.equal(store.status(hashBytes(whole)), undefined);
    assert.equal(filesBelow(`${directory.path}/blobs`).length, 2);
  }
  await using store = await openStore(directory.path, { bootId: "boot 3" });
  assert.deepEqual(store.recovery, { checkedCount: 1, damagedCount: 0 });
});

Deno.test("FileBlobStore syncs in the background, and need not read that again", async () => {
  using directory = new TemporaryDirectory();
  const hasty = {
    ...systemClock,
    timer: (ms: number, callback: () => void) => systemClock.timer(Math.min(ms, 20), callback),
  };
  {
    await using store = await openStore(directory.path, { bootId: "boot 1", clock: hasty });
    await store.importBytes(whole);
    await ingestBytes(store, part, RangeSet.of(6));
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  // The partial blob is looked at, and none of its groups is read: all were synced.
  flipByte(pathOf(directory.path, ".part"), 7 * GROUP_BYTES);
  await using store = await openStore(directory.path, { bootId: "boot 2" });
  assert.deepEqual(store.recovery, { checkedCount: 1, damagedCount: 0 });
  assert.equal(store.status(hashBytes(whole))!.state, "complete");
});

Deno.test("FileBlobStore reads an in-place file again whose outboard was not synced", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/file`;
  await Deno.writeFile(path, whole);
  {
    await using store = await openStore(`${directory.path}/store`, { bootId: "boot 1" });
    await store.importFile(path, { mode: "in-place" });
  }
  flipByte(pathOf(`${directory.path}/store`, ".outboard"), 200);
  {
    await using store = await openStore(`${directory.path}/store`, { bootId: "boot 2" });
    assert.deepEqual(store.recovery, { checkedCount: 1, damagedCount: 1 });
    const record = store.status(hashBytes(whole));
    assert.notEqual(record?.state, "complete");
    assert.ok((await store.importFile(path, { mode: "in-place" })).state === "complete");
  }
  await using store = await openStore(`${directory.path}/store`, { bootId: "boot 3" });
  assert.deepEqual(store.recovery, { checkedCount: 1, damagedCount: 0 });
});

Deno.test("FileBlobStore refuses a damaged database, names it, and rebuilds it", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path, "boot 1");
  const path = `${directory.path}/store.sqlite`;
  await Deno.writeFile(path, sampleBytes(20_000));
  await assert.rejects(
    openStore(directory.path),
    (error) =>
      isSeedmintError(error, "storage") && error.message.includes(path) &&
      /damaged.*backup.*rebuild/.test(error.message),
  );
  const report = await FileBlobStore.rebuild({ directory: directory.path, clock: systemClock });
  assert.deepEqual([report.completeCount, report.partialCount, report.unusable], [1, 1, []]);
  assert.ok(report.oldDatabase!.startsWith(path));
  await using store = await openStore(directory.path);
  assert.deepEqual(await readAll(store, hashBytes(whole)), whole);
  // Nobody knows any more who may see it.
  assert.equal(store.status(hashBytes(whole))!.visibility, "private");
  assert.equal(store.status(hashBytes(part))!.groups.toString(), "6..12");
  assert.equal(store.status(hashBytes(small)), undefined);
});

Deno.test("FileBlobStore rebuild that is cut off changes nothing, and the next one finds all", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path, "boot 1");
  const path = `${directory.path}/store.sqlite`;
  await Deno.writeFile(path, sampleBytes(20_000));
  let askedCount = 0;
  const stopped = {
    ...systemClock,
    nowMs: () => {
      if (++askedCount > 1) throw new Error("cut off");
      return systemClock.nowMs();
    },
  };
  await assert.rejects(
    FileBlobStore.rebuild({ directory: directory.path, clock: stopped }),
    /cut off/,
  );
  // Whoever opens the store now is still told, and removes nothing.
  await assert.rejects(openStore(directory.path), (error) => isSeedmintError(error, "storage"));
  const report = await FileBlobStore.rebuild({ directory: directory.path, clock: systemClock });
  assert.deepEqual([report.completeCount, report.partialCount, report.unusable], [1, 1, []]);
  await using store = await openStore(directory.path);
  assert.deepEqual(await readAll(store, hashBytes(whole)), whole);
});

Deno.test("FileBlobStore finds damage inside the database and refuses to go on", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path, "boot 1");
  const path = `${directory.path}/store.sqlite`;
  const { size } = await Deno.stat(path);
  using file = await Deno.open(path, { write: true });
  for (let page = 1; page < size / 4096; page++) {
    await file.seek(page * 4096, Deno.SeekMode.Start);
    await file.write(new Uint8Array(64).fill(0xee));
  }
  await assert.rejects(openStore(directory.path), (error) => isSeedmintError(error, "storage"));
});

Deno.test("FileBlobStore rebuild keeps what the old database still tells", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path, "boot 1");
  flipByte(pathOf(directory.path, ".data"), 5 * GROUP_BYTES);
  const report = await FileBlobStore.rebuild({ directory: directory.path, clock: systemClock });
  assert.deepEqual([report.completeCount, report.partialCount, report.unusable], [1, 2, []]);
  await using store = await openStore(directory.path);
  const record = store.status(hashBytes(whole))!;
  assert.deepEqual([record.visibility, record.pinned, record.tags], ["fleet", true, ["t"]]);
  assert.equal(record.groups.toString(), "0..5,6..9");
  assert.deepEqual(await readAll(store, hashBytes(small)), small);
  assert.deepEqual(store.status(hashBytes(small))!.tags, ["s"]);
});

Deno.test("FileBlobStore rebuild sets aside files that match nothing", async () => {
  using directory = new TemporaryDirectory();
  await fill(directory.path, "boot 1");
  const hash = hashBytes(sampleBytes(3));
  await Deno.mkdir(`${directory.path}/blobs/${hash.slice(0, 2)}`, { recursive: true });
  await Deno.writeFile(`${directory.path}/blobs/${hash.slice(0, 2)}/${hash}.data`, part);
  const report = await FileBlobStore.rebuild({ directory: directory.path, clock: systemClock });
  assert.deepEqual(report.unusable, [hash]);
  assert.equal(filesBelow(`${directory.path}/damaged`).length, 1);
  await using store = await openStore(directory.path);
  assert.equal(store.usage().blobCount, 3);
});
