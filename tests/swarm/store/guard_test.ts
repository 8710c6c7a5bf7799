import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import { hashBytes } from "../../../swarm/bao/mod.ts";
import { encodeBytes, ingestBytes, readAll, sampleBytes } from "../../conformance/blob_store.ts";
import { filesBelow, flipByte, openStore, TemporaryDirectory } from "./fixture.ts";

const hasCode = (code: Parameters<typeof isSeedmintError>[1], pattern = /./) => (error: unknown) =>
  isSeedmintError(error, code) && pattern.test(error.message);

const bytes = sampleBytes(10 * GROUP_BYTES + 5, 70);

/** Long enough for a change to show in a file's times. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 30));

Deno.test("FileBlobStore serves an in-place file without copying it", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/film.bin`;
  await Deno.writeFile(path, bytes);
  await using store = await openStore(`${directory.path}/store`);
  const record = await store.importFile(path, { mode: "in-place" });
  assert.deepEqual([record.storage, record.path, record.name], ["in-place", path, "film.bin"]);
  assert.equal(store.usage().bytes, 0);
  assert.deepEqual(await readAll(store, record.hash), bytes);
  await using reader = await store.openReader(record.hash);
  const pieces = await Array.fromAsync(reader.encode(RangeSet.of(3, 7)));
  assert.deepEqual(
    Uint8Array.from(pieces.flatMap((piece) => [...piece])),
    encodeBytes(bytes, RangeSet.of(3, 7)),
  );
  assert.ok(filesBelow(`${directory.path}/store/blobs`).every((name) => name.endsWith("outboard")));
  assert.equal((await store.importFile(path, { mode: "in-place", tag: "t" })).tags[0], "t");
  await store.remove(record.hash);
  assert.deepEqual(await Deno.readFile(path), bytes);
  assert.deepEqual(filesBelow(`${directory.path}/store/blobs`), []);
});

for (
  const [change, how] of [
    ["grew", (path: string) => Deno.writeFile(path, Uint8Array.of(1), { append: true })],
    ["was rewritten with as many bytes", (path: string) => {
      flipByte(path, 5);
      return Promise.resolve();
    }],
    ["was replaced", async (path: string) => {
      await Deno.writeFile(`${path}.new`, bytes);
      await Deno.rename(`${path}.new`, path);
    }],
    ["was removed", (path: string) => Deno.remove(path)],
    ["was rewritten and got its old time back", async (path: string) => {
      const { mtime } = await Deno.stat(path);
      // The runtime tells change times in whole seconds.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      flipByte(path, 5);
      await Deno.utime(path, mtime!, mtime!);
    }],
  ] as const
) {
  Deno.test(`FileBlobStore never serves an in-place file that ${change}`, async () => {
    using directory = new TemporaryDirectory();
    const path = `${directory.path}/file`;
    await Deno.writeFile(path, bytes);
    await using store = await openStore(`${directory.path}/store`);
    const { hash } = await store.importFile(path, { mode: "in-place" });
    await settle();
    await how(path);
    await assert.rejects(store.openReader(hash), hasCode("not-found", /changed since|is gone/));
    assert.equal(store.status(hash), undefined);
    assert.equal(store.figures().openReaderCount, 0);
  });
}

Deno.test("FileBlobStore reads a touched in-place file again and goes on serving it", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/file`;
  await Deno.writeFile(path, bytes);
  await using store = await openStore(`${directory.path}/store`);
  const { hash } = await store.importFile(path, { mode: "in-place" });
  await settle();
  await Deno.chmod(path, 0o644);
  await Deno.chmod(path, 0o600);
  assert.deepEqual(await readAll(store, hash), bytes);
  assert.deepEqual(await readAll(store, hash), bytes);
});

Deno.test("FileBlobStore stops a reader whose in-place file changes under it", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/file`;
  await Deno.writeFile(path, bytes);
  await using store = await openStore(`${directory.path}/store`);
  const { hash } = await store.importFile(path, { mode: "in-place" });
  await using reader = await store.openReader(hash);
  const target = new Uint8Array(1000);
  assert.equal(await reader.read(0, target), 1000);
  await settle();
  flipByte(path, 3);
  await assert.rejects(reader.read(0, target), hasCode("not-found", /modification time/));
  assert.equal(store.status(hash), undefined);
});

Deno.test("FileBlobStore notices at open that in-place files changed or went", async () => {
  using directory = new TemporaryDirectory();
  const paths = ["a", "b", "c"].map((name) => `${directory.path}/${name}`);
  const [same, changed, gone] = paths as [string, string, string];
  for (const [index, path] of paths.entries()) {
    await Deno.writeFile(path, sampleBytes(40_000, index + 80));
  }
  let hashes;
  {
    await using store = await openStore(`${directory.path}/store`);
    hashes = await Promise.all(
      paths.map(async (path) => (await store.importFile(path, { mode: "in-place" })).hash),
    );
  }
  await settle();
  flipByte(changed, 9);
  await Deno.remove(gone);
  await using store = await openStore(`${directory.path}/store`);
  assert.equal(store.recovery.damagedCount, 2);
  assert.deepEqual(hashes.map((hash) => store.status(hash)?.path), [same, undefined, undefined]);
});

Deno.test("FileBlobStore verify copies what is good of a rotten in-place file", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/file`;
  await Deno.writeFile(path, bytes);
  await using store = await openStore(`${directory.path}/store`);
  const { hash } = await store.importFile(path, { mode: "in-place" });
  flipByte(path, 2 * GROUP_BYTES);
  const report = await store.verify(hash);
  assert.equal(report.bad.toString(), "2..3");
  const record = store.status(hash)!;
  assert.deepEqual([record.storage, record.state], ["owned", "partial"]);
  const before = await Deno.readFile(path);
  await ingestBytes(store, bytes, RangeSet.of(2, 3));
  assert.deepEqual(await readAll(store, hash), bytes);
  assert.deepEqual(await Deno.readFile(path), before, "the user's file is never written");
});

Deno.test("FileBlobStore links a file in, and watches that its owner leaves it alone", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/file`;
  await Deno.writeFile(path, bytes);
  await using store = await openStore(`${directory.path}/store`);
  const { hash, storage } = await store.importFile(path, { mode: "link" });
  assert.equal(storage, "owned");
  const data = `${directory.path}/store/blobs/${hash.slice(0, 2)}/${hash}.data`;
  assert.equal((await Deno.stat(data)).ino, (await Deno.stat(path)).ino);
  assert.deepEqual(await readAll(store, hash), bytes);
  await settle();
  flipByte(path, 8 * GROUP_BYTES);
  await assert.rejects(store.openReader(hash), hasCode("not-found", /changed since/));
  assert.equal(store.status(hash), undefined);
  assert.equal((await Deno.stat(path)).size, bytes.length);
});

Deno.test("FileBlobStore keeps a linked file when its owner removes the other name", async () => {
  using directory = new TemporaryDirectory();
  const path = `${directory.path}/file`;
  await Deno.writeFile(path, bytes);
  await using store = await openStore(`${directory.path}/store`);
  const { hash } = await store.importFile(path, { mode: "link" });
  await settle();
  await Deno.remove(path);
  assert.deepEqual(await readAll(store, hash), bytes);
});

Deno.test("FileBlobStore exports by link when asked, and watches the file from then on", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(`${directory.path}/store`);
  const { hash } = await store.importBytes(bytes);
  const path = `${directory.path}/out`;
  await store.exportFile(hash, path, { mode: "link" });
  assert.deepEqual(await Deno.readFile(path), bytes);
  assert.deepEqual(await readAll(store, hash), bytes);
  const copy = `${directory.path}/copy`;
  await store.exportFile(hash, copy);
  assert.notEqual((await Deno.stat(copy)).ino, (await Deno.stat(path)).ino);
  await settle();
  flipByte(path, 0);
  await assert.rejects(store.openReader(hash), hasCode("not-found", /changed since/));
  assert.deepEqual(filesBelow(directory.path).filter((name) => name.includes(".tmp")), []);
});

Deno.test("FileBlobStore refuses to import what is not a file or not there", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(`${directory.path}/store`);
  await assert.rejects(store.importFile(directory.path), TypeError);
  await assert.rejects(store.importFile(`${directory.path}/none`), hasCode("storage", /none/));
  for (const mode of ["link", "in-place"] as const) {
    await assert.rejects(store.importFile(`${directory.path}/none`, { mode }), hasCode("storage"));
  }
});

Deno.test("FileBlobStore exports by copy while a source still sends what is complete", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(`${directory.path}/store`);
  const hash = hashBytes(bytes);
  await ingestBytes(store, bytes, RangeSet.of(10));
  await using late = await store.ingestEncoded(hash, RangeSet.ALL, { size: bytes.length });
  await ingestBytes(store, bytes);
  const path = `${directory.path}/out`;
  await store.exportFile(hash, path, { mode: "link" });
  await late.push(encodeBytes(bytes, RangeSet.ALL));
  await late.finish();
  assert.deepEqual(await readAll(store, hash), bytes);
  assert.equal((await Deno.stat(path)).nlink, 1);
  const linked = `${directory.path}/linked`;
  await store.exportFile(hash, linked, { mode: "link" });
  assert.equal((await Deno.stat(linked)).nlink, 2);
});
