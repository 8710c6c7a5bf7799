/** A fleet in one process: nodes with links, stores and cascades, and one upstream. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Hash, Sha256 } from "../../../src/core/hash.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { Cascade, type CascadeOptions } from "../../../swarm/cascade/mod.ts";
import { hashBytes } from "../../../swarm/bao/mod.ts";
import { Fleet } from "../../../swarm/fleet.ts";
import { MemoryHub, type MemoryNetwork, peerIdOfSecret } from "../../../swarm/net/mod.ts";
import type { Origin } from "../../../swarm/ports.ts";
import {
  type BlobStore,
  FileBlobStore,
  MemoryBlobStore,
  type Visibility,
} from "../../../swarm/store/mod.ts";
import { Line, type Links, shapedNetwork, shapedOrigin } from "../../support/shaped_network.ts";
import { testBytes } from "../fetch/fakes.ts";

/** A speed that limits nothing. */
export const UNLIMITED = 1e12;

/** What a layer is to a registry. */
export interface Layer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sha256: Sha256;
  readonly hash: Hash;
  readonly size: number;
}

/** How a layer is brought in. */
export interface BringOptions {
  /** @default the world's upstream */
  readonly origin?: Origin;
  readonly signal?: AbortSignal;
  readonly visibility?: Visibility;
  readonly onProgress?: (bytes: number) => void;
}

/** One node. */
export interface Node {
  readonly peerId: string;
  readonly network: MemoryNetwork;
  readonly links: Links;
  readonly store: BlobStore;
  readonly cascade: Cascade;
  readonly directory: string;
  /** Brings a layer in. */
  bring(layer: Layer, options?: BringOptions): ReturnType<Cascade["bring"]>;
}

/** Options of {@link World.open}. */
export interface WorldOptions {
  readonly nodeCount: number;
  /** Bytes a second that upstream sends in all. */
  readonly upstreamRate?: number;
  /** Bytes a second that each node sends and receives. */
  readonly nodeRate?: number;
  readonly latencyMs?: number;
  /** Indexes of peers that a test plays itself. */
  readonly skip?: readonly number[];
  /** How many of the nodes know each other as fleet; the others are strangers. */
  readonly memberCount?: number;
  readonly node?: Partial<CascadeOptions>;
  /** Whether stores are on disk, as a node's are. @default {false} */
  readonly onDisk?: boolean;
  /** @default the machine's */
  readonly clock?: Clock;
}

/** See the head of this file. */
export class World implements AsyncDisposable {
  readonly hub: MemoryHub;
  readonly upstream: Line;
  readonly nodes: Node[] = [];
  /** Peers without a node behind them, for a test to play. */
  readonly others: MemoryNetwork[] = [];
  readonly fleet: Fleet;
  readonly #directory: string;

  private constructor(hub: MemoryHub, upstream: Line, fleet: Fleet, directory: string) {
    this.hub = hub;
    this.upstream = upstream;
    this.fleet = fleet;
    this.#directory = directory;
  }

  static async open(options: WorldOptions): Promise<World> {
    const { nodeCount, latencyMs = 0, nodeRate = UNLIMITED, clock = systemClock } = options;
    const hub = new MemoryHub({ clock, latencyMs: () => latencyMs });
    const upstream = new Line(options.upstreamRate ?? UNLIMITED, clock);
    const directory = await Deno.makeTempDir({ prefix: "seedmint-cascade-" });
    const peerIds = await Promise.all(
      Array.from(
        { length: nodeCount },
        (_, index) => peerIdOfSecret(new Uint8Array(32).fill(index + 1)),
      ),
    );
    const members = peerIds.slice(0, options.memberCount ?? nodeCount);
    const fleet = new Fleet({ peerIds: members, clock });
    const world = new World(hub, upstream, fleet, directory);
    const networks = peerIds.map((peerId) => hub.join(peerId));
    for (const network of networks) {
      const links = {
        up: new Line(nodeRate, clock),
        down: new Line(nodeRate, clock),
      };
      if (options.skip?.includes(networks.indexOf(network)) === true) {
        world.others.push(network);
        continue;
      }
      const own = join(directory, network.peerId);
      const store = options.onDisk === true
        ? await FileBlobStore.open({ directory: join(own, "store"), clock: systemClock })
        : new MemoryBlobStore({ clock });
      const cascade = await Cascade.start({
        network: shapedNetwork(network, links),
        store,
        herd: { isMember: (peerId) => members.includes(peerId) },
        fleet,
        members: () =>
          networks.filter((one) => members.includes(one.peerId))
            .map((one) => ({ peerId: one.peerId, addrs: one.addresses() })),
        directory: join(own, "cascade"),
        clock,
        random: systemRandom,
        ...options.node,
      });
      world.nodes.push({
        peerId: network.peerId,
        network,
        links,
        store,
        cascade,
        directory: join(own, "cascade"),
        bring: (
          { bytes, sha256, size },
          { origin, signal, visibility = "fleet", onProgress } = {},
        ) =>
          cascade.bring({
            sha256,
            size,
            origin: origin ?? shapedOrigin({ bytes, line: upstream, down: links.down }),
            attributes: { visibility },
            ...(onProgress === undefined ? {} : { onProgress }),
            signal: signal ?? new AbortController().signal,
          }),
      });
    }
    return world;
  }

  /** Has every store hash something, so that its threads run when it counts. */
  async warmUp(): Promise<void> {
    await Promise.all(this.nodes.map(async ({ store, peerId }, index) => {
      const path = join(this.#directory, `${peerId}.warm`);
      await Deno.writeFile(path, testBytes(8_000_000, 1000 + index));
      const { hash } = await store.importFile(path, { mode: "move" });
      await store.remove(hash);
    }));
  }

  /** Ends a node as a crash does: its connections break. */
  async kill(node: Node): Promise<void> {
    await node.network[Symbol.asyncDispose]();
    await node.cascade[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { cascade } of this.nodes) await cascade[Symbol.asyncDispose]();
    for (const network of this.others) await network[Symbol.asyncDispose]();
    for (const { network, store } of this.nodes) {
      await network[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    }
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** A layer of bytes that differ everywhere. */
export function layerOf(size: number, seed = 1): Layer {
  const bytes = testBytes(size, seed);
  const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
  return { bytes, sha256, hash: hashBytes(bytes), size };
}

/** What a node has under way on its disk. */
export async function filesIn(node: Pick<Node, "directory">): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(node.directory))).map(({ name }) => name);
}

/** Resolves once `condition` holds; fails after some seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`Waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
