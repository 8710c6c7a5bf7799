import assert from "node:assert/strict";
import { SeedmintError } from "../../../src/core/errors.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import { fetchBlob, type FetchBlobOptions, fetchUnderWay } from "../../../swarm/fetch/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/memory_store.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { FastClock } from "../../support/fast_clock.ts";
import { FakeOrigin, FakePeer, readWhole, storeWith, testBytes } from "./fakes.ts";

const MIB = 1024 * 1024;

/**
 * Time at a tenth of its speed: what is exact only as long as no peer seems to hang must not depend on
 * how busy the machine is.
 */
const calmClock = (): FastClock => new FastClock(Date.now(), 0.1);

async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 30_000;
  for (; !condition(); await systemClock.sleep(5)) {
    assert.ok(performance.now() < endMs, `Not within 30 s: ${what}`);
  }
}

async function scene(size: number) {
  const bytes = testBytes(size);
  const { store: from, hashes } = await storeWith(bytes);
  const to = new MemoryBlobStore({ clock: systemClock });
  const hash = hashes[0]!;
  const options = { hash, store: to, clock: systemClock, random: systemRandom } as const;
  const peer = (id: string, behaviour: ConstructorParameters<typeof FakePeer>[1] | object = {}) =>
    new FakePeer(id, { from, to, ...behaviour });
  return { bytes, from, to, hash, options, peer };
}

async function check(
  scene: { readonly to: MemoryBlobStore; readonly bytes: Uint8Array },
  options: FetchBlobOptions,
) {
  const report = await fetchBlob(options);
  assert.equal(scene.to.status(options.hash)?.state, "complete");
  assert.deepEqual(await readWhole(scene.to, options.hash), scene.bytes);
  const bytes = report.sources.reduce((sum, from) => sum + from.bytes, 0);
  assert.equal(bytes, scene.bytes.length, "the report counts every byte once");
  return report;
}

Deno.test("fetchBlob brings blobs of interesting sizes from one peer without a byte of waste", async () => {
  for (const size of [0, 1, 16384, 16385, 32768, MIB, 4 * MIB + 1, 20 * MIB + 7]) {
    const at = await scene(size);
    const report = await check(at, {
      ...at.options,
      clock: calmClock(),
      sources: [at.peer("A")],
    });
    assert.equal(report.size, size);
    assert.equal(report.wastedBytes, 0, `size ${size}`);
    assert.deepEqual(report.failures, []);
  }
});

Deno.test("fetchBlob answers from the store when the blob is complete", async () => {
  const at = await scene(100_000);
  const report = await fetchBlob({ ...at.options, store: at.from });
  assert.deepEqual(report.sources, [{ kind: "store", id: "store", bytes: 100_000 }]);
});

Deno.test("fetchBlob asks only for groups that are missing when it resumes", async () => {
  const at = await scene(8 * MIB);
  const first = at.peer("A");
  await first.fetch({
    hash: at.hash,
    groups: RangeSet.from([{ start: 0, end: 300 }, { start: 511, end: 512 }]),
    signal: new AbortController().signal,
  });
  const second = at.peer("B");
  const report = await check(at, { ...at.options, clock: calmClock(), sources: [second] });
  const missing = RangeSet.of(300, 511);
  for (const groups of second.requests) assert.ok(missing.includes(groups), `${groups}`);
  // 211 groups, their parents, and nothing that was held before.
  assert.ok(second.sentBytes <= 211 * GROUP_BYTES + 64 * (211 + 40), `${second.sentBytes} bytes`);
  assert.equal(report.wastedBytes, 0);
  assert.deepEqual(report.sources.map((from) => from.kind), ["store", "peer"]);
});

Deno.test("fetchBlob shares a blob between peers by their speed", async () => {
  const at = await scene(24 * MIB);
  const report = await check(at, {
    ...at.options,
    sources: [
      at.peer("slow", { throughput: 8 * MIB }),
      at.peer("fast", { throughput: 24 * MIB }),
    ],
  });
  const share = (id: string) => report.sources.find((from) => from.id === id)?.bytes ?? 0;
  assert.ok(share("fast") > 1.5 * share("slow"), JSON.stringify(report.sources));
  assert.ok(share("slow") > 2 * MIB, JSON.stringify(report.sources));
  assert.ok(report.wastedBytes <= 0.15 * at.bytes.length, `${report.wastedBytes} wasted`);
});

Deno.test("fetchBlob names a liar, keeps nothing of it, and goes on with others", async () => {
  const at = await scene(24 * MIB);
  const report = await check(at, {
    ...at.options,
    sources: [
      at.peer("honest", { throughput: 30 * MIB }),
      at.peer("liar", { throughput: 60 * MIB, liesAfterBytes: 5 * MIB }),
    ],
  });
  const failure = report.failures.find((one) => one.id === "liar");
  assert.equal(failure?.code, "corrupt");
});

Deno.test("fetchBlob succeeds from the origin and tells why when every part of the swarm is broken", async () => {
  const at = await scene(3 * MIB);
  const report = await check(at, {
    ...at.options,
    origin: new FakeOrigin(at.bytes),
    sources: [at.peer("liar", { liesAfterBytes: 0 })],
    peers: [{ peerId: "X", addrs: [], via: "ticket", bound: false }],
    sourceOf: () => {
      throw new Error("libp2p cannot start");
    },
    discovery: {
      // deno-lint-ignore require-yield
      async *find() {
        await Promise.resolve();
        throw new Error("every relay is down");
      },
    },
  });
  assert.equal(report.sources[0]!.kind, "origin");
  assert.match(report.originReason!, /peers failed/);
  const byId = new Map(report.failures.map((one) => [one.id, one]));
  assert.match(byId.get("discovery")!.message, /relay is down/);
  assert.match(byId.get("X")!.message, /cannot start/);
  assert.equal(byId.get("liar")!.code, "corrupt");
});

Deno.test("fetchBlob takes a blob from an origin that does not tell its size", async () => {
  const at = await scene(3 * MIB + 5);
  const report = await check(at, {
    ...at.options,
    origin: new FakeOrigin(at.bytes, { tellsSize: false }),
  });
  assert.equal(report.sources[0]!.bytes, 3 * MIB + 5);
});

Deno.test("fetchBlob keeps nothing of an origin that lies, and names it", async () => {
  const at = await scene(MIB);
  const other = testBytes(MIB, 99);
  await assert.rejects(
    fetchBlob({ ...at.options, origin: new FakeOrigin(other) }),
    (error: SeedmintError) => {
      assert.equal(error.code, "unavailable");
      assert.match(error.message, /http:\/\/origin\.test\/blob: .*not those of the blob/);
      return true;
    },
  );
  assert.equal(at.to.status(at.hash), undefined);
});

Deno.test("fetchBlob continues from the origin in the middle when peers go silent", async () => {
  const at = await scene(16 * MIB);
  const origin = new FakeOrigin(at.bytes);
  const startMs = systemClock.monotonicMs();
  const report = await check(at, {
    ...at.options,
    origin,
    sources: [at.peer("A", { hangsAfterBytes: 6 * MIB })],
  });
  assert.ok(report.sources.some((from) => from.kind === "peer" && from.bytes > 4 * MIB));
  assert.ok(origin.opened.every((offset) => offset >= 3 * MIB), `${origin.opened}`);
  const waitedMs = origin.openedMs[0]! - startMs;
  // The simulator holds the exact time; here the machine may be busy.
  assert.ok(waitedMs < 6000, `the origin was asked after ${waitedMs} ms`);
});

Deno.test("fetchBlob asks the origin soon when no peer sends a byte", async () => {
  const at = await scene(MIB);
  const origin = new FakeOrigin(at.bytes);
  const startMs = systemClock.monotonicMs();
  await check(at, {
    ...at.options,
    origin,
    sources: [at.peer("A", { hangsAfterBytes: 0 }), at.peer("B", { hangsAfterBytes: 0 })],
  });
  const waitedMs = origin.openedMs[0]! - startMs;
  // At most 2 s by the scheduler's clock, which the simulator holds; here the machine may be busy.
  assert.ok(waitedMs <= 3500, `the origin was asked after ${waitedMs} ms`);
});

Deno.test("fetchBlob loses at most a second to a connection that resets", async () => {
  const at = await scene(8 * MIB);
  const startMs = systemClock.monotonicMs();
  await check(at, {
    ...at.options,
    sources: [at.peer("A", { throughput: 16 * MIB, resetsAfterBytes: 3 * MIB })],
  });
  const tookMs = systemClock.monotonicMs() - startMs;
  // Nobody noticed the reset if it took the 2 s after which a peer counts as hanging.
  assert.ok(tookMs < 500 + 1900, `${tookMs} ms for 500 ms of work`);
});

Deno.test("fetchBlob without any source says what was tried and what to do", async () => {
  const at = await scene(MIB);
  await assert.rejects(fetchBlob(at.options), {
    code: "not-found",
    message: /no provider was found and no origin is set; pass --origin or add a peer/,
  });
  const refusal = new SeedmintError("denied", "it wants to know us first");
  await assert.rejects(
    fetchBlob({
      ...at.options,
      sources: [at.peer("A", { refusesWith: refusal }), at.peer("B", { refusesWith: refusal })],
    }),
    { code: "unavailable", message: /all 2 providers failed \(A: it wants to know us first; B: / },
  );
});

Deno.test("fetchBlob joins calls for one blob, and ends when the last caller leaves", async () => {
  const at = await scene(8 * MIB);
  const peer = at.peer("A", { throughput: 16 * MIB });
  const one = new AbortController();
  const two = new AbortController();
  const options = { ...at.options, sources: [peer] };
  const first = fetchBlob({ ...options, signal: one.signal });
  const second = fetchBlob({ ...options, signal: two.signal });
  await until(() => fetchUnderWay(at.to, at.hash)?.size === 8 * MIB, "the size is known");
  one.abort(new Error("no longer wanted"));
  await assert.rejects(first, /no longer wanted/);
  assert.equal((await second).size, 8 * MIB);
  assert.equal(peer.requests.filter((groups) => groups.has(0)).length, 1);
  assert.equal(fetchUnderWay(at.to, at.hash), undefined);
});

Deno.test("fetchBlob leaves nothing running after an abort, and a later call resumes", async () => {
  const at = await scene(8 * MIB);
  const abort = new AbortController();
  const slow = at.peer("A", { throughput: 16 * MIB });
  const fetching = fetchBlob({ ...at.options, sources: [slow], signal: abort.signal });
  const heldBytes = () => (at.to.status(at.hash)?.groups.count ?? 0) * GROUP_BYTES;
  await until(() => heldBytes() > MIB, "a part is held");
  abort.abort(new Error("stop"));
  await assert.rejects(fetching, /stop/);
  const sentBytes = slow.sentBytes;
  await systemClock.sleep(50);
  assert.equal(slow.sentBytes, sentBytes, "it still sends after the abort");
  const held = heldBytes();
  assert.ok(held > MIB, `${held} bytes kept`);
  const fresh = at.peer("B");
  await check(at, { ...at.options, sources: [fresh] });
  assert.ok(fresh.sentBytes < 8 * MIB - held + MIB / 4, `${fresh.sentBytes} bytes fetched again`);
});

Deno.test("fetchBlob races the origin against peers when the policy says so", async () => {
  const at = await scene(24 * MIB);
  const origin = new FakeOrigin(at.bytes, { throughput: 24 * MIB });
  const report = await check(at, {
    ...at.options,
    policy: "race",
    origin,
    sources: [at.peer("A", { throughput: 24 * MIB })],
  });
  assert.deepEqual(report.sources.map((from) => from.kind).sort(), ["origin", "peer"]);
  assert.ok(report.wastedBytes < 0.3 * at.bytes.length, `${report.wastedBytes} wasted`);
});

Deno.test("fetchBlob asks the origin first and peers only when it fails, when the policy says so", async () => {
  const at = await scene(2 * MIB);
  const peer = at.peer("A");
  const options = { ...at.options, policy: "origin-first", sources: [peer] } as const;
  const fails = new SeedmintError("not-found", "it answered 404");
  const report = await check(at, { ...options, origin: new FakeOrigin(at.bytes, { fails }) });
  assert.equal(report.sources[0]!.kind, "peer");
  await at.to.remove(at.hash);
  peer.requests.length = 0;
  const again = await check(at, { ...options, origin: new FakeOrigin(at.bytes) });
  assert.equal(again.sources[0]!.kind, "origin");
  assert.deepEqual(peer.requests, []);
});

Deno.test("fetchBlob tells of the origin's bytes as they come, before they are verified", async () => {
  const at = await scene(4 * MIB);
  let receivedBytes = 0;
  await check(at, {
    ...at.options,
    origin: new FakeOrigin(at.bytes),
    onReceived: (bytes) => receivedBytes += bytes,
  });
  // The last of them may complete the blob, after which nothing is told.
  assert.ok(receivedBytes > 3 * MIB, `${receivedBytes} bytes`);
});
