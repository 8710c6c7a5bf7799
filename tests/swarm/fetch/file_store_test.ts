import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import { fetchBlob } from "../../../swarm/fetch/mod.ts";
import { FileBlobStore } from "../../../swarm/store/file_store.ts";
import { FakeOrigin, FakePeer, readWhole, storeWith, testBytes } from "./fakes.ts";

const MIB = 1024 * 1024;

/** A blob at a peer, and an empty store on disk that can be closed and opened again. */
async function scene(size: number) {
  const bytes = testBytes(size);
  const { store: from, hashes } = await storeWith(bytes);
  const directory = await Deno.makeTempDir();
  const open = () => FileBlobStore.open({ directory, clock: systemClock });
  const clean = () => Deno.remove(directory, { recursive: true });
  return { bytes, from, hash: hashes[0]!, open, clean };
}

const CONTEXT = { clock: systemClock, random: systemRandom };

Deno.test("fetchBlob fills a store on disk from two peers and names the one that lies", async () => {
  const { bytes, from, hash, open, clean } = await scene(40 * MIB + 77);
  try {
    await using store = await open();
    const sources = [
      new FakePeer("honest", { from, to: store, throughput: 60 * MIB }),
      new FakePeer("liar", { from, to: store, throughput: 60 * MIB, liesAfterBytes: 9 * MIB }),
    ];
    // On a busy machine a silence of a second is no fault of the peer: only the lie is to count.
    const limits = { firstByteMs: 30_000, progressMs: 30_000 };
    const report = await fetchBlob({ ...CONTEXT, hash, store, sources, limits });
    assert.deepEqual(await readWhole(store, hash), bytes);
    assert.equal(report.failures.find((one) => one.id === "liar")?.code, "corrupt");
    const sum = report.sources.reduce((total, one) => total + one.bytes, 0);
    assert.equal(sum, bytes.length);
  } finally {
    await clean();
  }
});

Deno.test("fetchBlob resumes in a store that was closed in the middle", async () => {
  const { bytes, from, hash, open, clean } = await scene(24 * MIB);
  try {
    let heldBytes = 0;
    {
      await using store = await open();
      const abort = new AbortController();
      const slow = new FakePeer("slow", { from, to: store, throughput: 24 * MIB });
      const fetching = fetchBlob({
        ...CONTEXT,
        hash,
        store,
        sources: [slow],
        signal: abort.signal,
        onProgress: (now) => now.bytes > 10 * MIB && abort.abort(new Error("killed")),
      });
      await assert.rejects(fetching, /killed/);
      heldBytes = store.status(hash)!.groups.count * GROUP_BYTES;
      assert.ok(heldBytes > 9 * MIB, `${heldBytes} bytes held`);
    }
    await using store = await open();
    const again = new FakePeer("again", { from, to: store });
    const report = await fetchBlob({ ...CONTEXT, hash, store, sources: [again] });
    assert.deepEqual(await readWhole(store, hash), bytes);
    const missing = bytes.length - heldBytes;
    assert.ok(again.sentBytes < missing * 1.01 + 128 * 1024, `${again.sentBytes} of ${missing}`);
    assert.equal(report.sources.find((one) => one.kind === "store")?.bytes, heldBytes);
  } finally {
    await clean();
  }
});

Deno.test("fetchBlob lets an origin and a peer meet in a store on disk", async () => {
  const { bytes, from, hash, open, clean } = await scene(32 * MIB + 3);
  try {
    await using store = await open();
    const report = await fetchBlob({
      ...CONTEXT,
      hash,
      store,
      policy: "race",
      origin: new FakeOrigin(bytes, { throughput: 30 * MIB }),
      sources: [new FakePeer("peer", { from, to: store, throughput: 30 * MIB })],
    });
    assert.deepEqual(await readWhole(store, hash), bytes);
    assert.deepEqual(report.sources.map((one) => one.kind).sort(), ["origin", "peer"]);
    assert.ok(report.wastedBytes < 0.3 * bytes.length, `${report.wastedBytes} wasted`);
  } finally {
    await clean();
  }
});

Deno.test("fetchBlob continues from the origin in the middle of a store on disk", async () => {
  const { bytes, from, hash, open, clean } = await scene(20 * MIB);
  try {
    await using store = await open();
    const origin = new FakeOrigin(bytes);
    const report = await fetchBlob({
      ...CONTEXT,
      hash,
      store,
      origin,
      sources: [new FakePeer("A", { from, to: store, hangsAfterBytes: 7 * MIB })],
    });
    assert.deepEqual(await readWhole(store, hash), bytes);
    assert.ok(origin.opened.every((offset) => offset > 0), `${origin.opened}`);
    assert.ok(origin.sentBytes < 17 * MIB, `${origin.sentBytes} bytes from the origin`);
    assert.ok(report.wastedBytes < 3 * MIB, `${report.wastedBytes} wasted`);
  } finally {
    await clean();
  }
});
