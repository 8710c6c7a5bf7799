import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { startLibp2pNetwork } from "../../../swarm/net/mod.ts";
import { Provider, type ServedEvent } from "../../../swarm/provider/mod.ts";
import { PeerSource } from "../../../swarm/requester/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { bytesOf, content, importCollection, never } from "../provider/support.ts";

const MIB = 1024 * 1024;

/** Two nodes on loopback TCP, with the direct path offered. libp2p keeps timers of its own. */
function tcpTest(name: string, run: (nodes: TcpNodes) => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using nodes = await TcpNodes.start();
      await run(nodes);
    },
  });
}

class TcpNodes implements AsyncDisposable {
  readonly seeding = new MemoryBlobStore({ clock: systemClock });
  readonly fetching = new MemoryBlobStore({ clock: systemClock });
  readonly events: ServedEvent[] = [];
  readonly #stack = new AsyncDisposableStack();
  source!: PeerSource;

  static async start(): Promise<TcpNodes> {
    const nodes = new TcpNodes();
    const [seeder, fetcher] = await Promise.all([1, 2].map((fill) =>
      startLibp2pNetwork({
        secretKey: new Uint8Array(32).fill(fill),
        listen: ["/ip4/127.0.0.1/tcp/0"],
        mdns: false,
        clock: systemClock,
      })
    ));
    nodes.#stack.use(seeder!);
    nodes.#stack.use(fetcher!);
    nodes.#stack.use(
      await Provider.start({
        network: seeder!,
        store: nodes.seeding,
        clock: systemClock,
        random: systemRandom,
        direct: { port: 0, hostname: "127.0.0.1" },
        onServed: (event) => nodes.events.push(event),
      }),
    );
    nodes.source = nodes.#stack.use(
      new PeerSource({
        network: fetcher!,
        peer: { peerId: seeder!.peerId, addrs: seeder!.addresses() },
        store: nodes.fetching,
        clock: systemClock,
      }),
    );
    return nodes;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

tcpTest(
  "PeerSource fetches over TCP, Noise and Yamux, and directly from the stream's address",
  async (nodes) => {
    const bytes = content(9 * MIB + 3);
    const { hash } = await nodes.seeding.importBytes(bytes);
    const size = bytes.length;
    await nodes.source.fetch({ hash, groups: RangeSet.of(0, 10), signal: never() });
    await nodes.source.fetch({ hash, size, groups: RangeSet.of(10, 576), signal: never() });
    deepEqual(await bytesOf(nodes.fetching, hash), bytes);
    deepEqual(nodes.events.map(({ path, outcome }) => `${path} ${outcome}`), [
      "stream served",
      "stream direct",
      "direct served",
    ]);
  },
);

tcpTest("PeerSource fetches a collection of 10,000 small children over TCP", async (nodes) => {
  const children = Array.from(
    { length: 10_000 },
    (_, index) => [`${String(index).padStart(5, "0")}`, content(4096, index + 1)] as const,
  );
  const { root, hashes } = await importCollection(nodes.seeding, children);
  await nodes.source.fetch({ hash: root, groups: RangeSet.ALL, signal: never() });
  const startedMs = performance.now();
  let count = 0;
  await nodes.source.fetchChildren({
    root,
    children: RangeSet.ALL,
    onChild: () => count++,
    signal: never(),
  });
  const ms = performance.now() - startedMs;
  equal(count, 10_000);
  equal(nodes.fetching.status(hashes[9_999]!)?.state, "complete");
  // The bench says how fast it is; this only sees that it is not one round trip per child.
  ok(ms < 10_000, `${ms} ms`);
});

tcpTest("PeerSource reuses a connection after a cancel in the middle", async (nodes) => {
  const { hash } = await nodes.seeding.importBytes(content(32 * MIB));
  const stop = new AbortController();
  await rejects(
    nodes.source.fetch({
      hash,
      groups: RangeSet.of(0, 60).union(RangeSet.of(100)),
      onReceived: () => stop.abort(new Error("enough")),
      signal: stop.signal,
    }),
    /enough/,
  );
  equal((await nodes.source.holdings(hash, { signal: never() })).state, "all");
});

tcpTest("PeerSource gives a first verified byte quickly on an open connection", async (nodes) => {
  const { hash } = await nodes.seeding.importBytes(content(MIB));
  await nodes.source.fetch({ hash, groups: RangeSet.of(0, 1), signal: never() });
  const times: number[] = [];
  for (let index = 1; index < 21; index++) {
    const startedMs = performance.now();
    const groups = RangeSet.of(index, index + 1);
    await nodes.source.fetch({ hash, size: MIB, groups, signal: never() });
    times.push(performance.now() - startedMs);
  }
  const best = Math.min(...times);
  ok(best < 5, `${best} ms`);
});
