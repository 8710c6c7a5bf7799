import { equal, ok, rejects } from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import type { ByteStream, Network, PeerAddress } from "../../../swarm/ports.ts";
import { PeerSource } from "../../../swarm/requester/mod.ts";
import { content, importCollection, SEEDER, TwoNodes } from "../provider/support.ts";

/** A network whose `stallAt`-th operation, of all kinds together, never settles until released. */
class StallingNetwork {
  readonly #inner: Network;
  readonly #stallAt: number;
  #count = 0;
  isStalled = false;
  /** Streams that were opened and not yet aborted, or read to their end. */
  readonly open = new Set<ByteStream>();
  readonly release = Promise.withResolvers<void>();

  constructor(inner: Network, stallAt: number) {
    this.#inner = inner;
    this.#stallAt = stallAt;
  }

  async openStream(
    peer: PeerAddress,
    protocol: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ByteStream> {
    // A network that knows nothing of signals, to see that the requester does not count on it.
    await this.#step();
    const stream = this.#wrap(await this.#inner.openStream(peer, protocol));
    void options;
    this.open.add(stream);
    return stream;
  }

  #wrap(inner: ByteStream): ByteStream {
    const wrapped: ByteStream = {
      peerId: inner.peerId,
      remoteAddr: inner.remoteAddr,
      relayed: inner.relayed,
      read: async () => {
        await this.#step();
        return await inner.read();
      },
      write: (...parts) => {
        const room = inner.write(...parts);
        const stalled = this.#step();
        return stalled === undefined ? room : stalled.then(() => room);
      },
      closeWrite: () => inner.closeWrite(),
      abort: (reason) => {
        this.open.delete(wrapped);
        inner.abort(reason);
      },
    };
    return wrapped;
  }

  #step(): Promise<void> | undefined {
    if (this.#count++ !== this.#stallAt) return undefined;
    this.isStalled = true;
    return this.release.promise;
  }
}

type Ask = (source: PeerSource, signal: AbortSignal) => Promise<unknown>;

/** Runs `ask` again and again, each time stalled one operation later, until none stalls. */
async function cancelEverywhere(nodes: TwoNodes, ask: Ask): Promise<number> {
  for (let stallAt = 0;; stallAt++) {
    const network = new StallingNetwork(nodes.fetcher, stallAt);
    const source = new PeerSource({
      network: network as unknown as Network,
      peer: { peerId: SEEDER, addrs: nodes.seeder.addresses() },
      store: nodes.fetching,
      clock: systemClock,
    });
    const stop = new AbortController();
    const reason = new Error("the user gave up");
    const asking = ask(source, stop.signal);
    let isDone = false;
    asking.then(() => isDone = true, () => {});
    while (!network.isStalled) {
      await systemClock.sleep(0);
      if (isDone) {
        await source[Symbol.asyncDispose]();
        equal(network.open.size, 0);
        return stallAt;
      }
    }
    const startedMs = performance.now();
    stop.abort(reason);
    await rejects(asking, (error) => error === reason);
    ok(performance.now() - startedMs < 250, `operation ${stallAt}`);
    equal(network.open.size, 0, `operation ${stallAt} left a stream open`);
    network.release.resolve();
    await systemClock.sleep(0);
    await source[Symbol.asyncDispose]();
    await systemClock.sleep(0);
    equal(network.open.size, 0, `operation ${stallAt} opened a stream nobody waits for`);
  }
}

Deno.test("PeerSource.fetch gives up at once wherever the network stalls, and leaves nothing", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(3 * 1024 * 1024));
  const points = await cancelEverywhere(nodes, async (source, signal) => {
    await nodes.fetching.remove(hash).catch(() => {});
    await source.fetch({ hash, groups: RangeSet.ALL, signal });
  });
  ok(points >= 5, `${points} operations`);
});

Deno.test("PeerSource.fetchChildren gives up at once wherever the network stalls", async () => {
  await using nodes = await TwoNodes.start();
  const { root } = await importCollection(nodes.seeding, [
    ["a", content(4096, 1)],
    ["b", content(900_000, 2)],
    ["c", content(100, 3)],
  ]);
  await nodes.source.fetch({
    hash: root,
    groups: RangeSet.ALL,
    attributes: { kind: "collection" },
    signal: new AbortController().signal,
  });
  const points = await cancelEverywhere(
    nodes,
    (source, signal) => source.fetchChildren({ root, children: RangeSet.ALL, signal }),
  );
  ok(points >= 4, `${points} operations`);
});

Deno.test("PeerSource.holdings gives up at once wherever the network stalls", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(10));
  const points = await cancelEverywhere(
    nodes,
    (source, signal) => source.holdings(hash, { signal }),
  );
  ok(points >= 3, `${points} operations`);
});

Deno.test("PeerSource asks nobody when the signal is aborted before", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(10));
  const reason = new Error("too late");
  await rejects(
    nodes.source.fetch({ hash, groups: RangeSet.ALL, signal: AbortSignal.abort(reason) }),
    (error) => error === reason,
  );
  equal(nodes.fetcher.connections().length, 0);
});

Deno.test("PeerSource serves other requests while one is given up", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(8 * 1024 * 1024));
  const stop = new AbortController();
  const size = 8 * 1024 * 1024;
  const given = nodes.source.fetch({
    hash,
    size,
    groups: RangeSet.of(0, 256),
    signal: stop.signal,
  });
  const kept = nodes.source.fetch({
    hash,
    groups: RangeSet.of(256),
    signal: new AbortController().signal,
  });
  stop.abort(new Error("no longer wanted"));
  await rejects(given, /no longer wanted/);
  await kept;
  equal(nodes.fetching.status(hash)?.groups.includes(RangeSet.of(256, 512)), true);
});
