/** Two nodes on a memory network: one seeds, one fetches. */
import { concatBytes } from "../../../src/core/bytes.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { Hash } from "../../../src/core/hash.ts";
import type { RangeSet } from "../../../src/core/range_set.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { MemoryHub, type MemoryNetwork } from "../../../swarm/net/memory_network.ts";
import { peerIdOfSecret } from "../../../swarm/net/peer_id.ts";
import type { ByteStream } from "../../../swarm/ports.ts";
import {
  BLOBS_PROTOCOL,
  FrameReader,
  type Message,
  messageFrame,
  type RequestMessage,
} from "../../../swarm/protocol/mod.ts";
import { Provider, type ProviderOptions, type ServedEvent } from "../../../swarm/provider/mod.ts";
import { PeerSource, type PeerSourceOptions } from "../../../swarm/requester/mod.ts";
import type { BlobAttributes } from "../../../swarm/store/mod.ts";
import { type BlobStore, MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { encodeCollection } from "../../../swarm/collection.ts";

export const SEEDER = await peerIdOfSecret(new Uint8Array(32).fill(1));
export const FETCHER = await peerIdOfSecret(new Uint8Array(32).fill(2));

/** Options of {@link TwoNodes.start}. */
export interface TwoNodesOptions {
  readonly provider?: Partial<ProviderOptions>;
  readonly source?: Partial<PeerSourceOptions>;
  readonly clock?: Clock;
  readonly latencyMs?: () => number;
}

/** Both nodes, to be disposed. */
export class TwoNodes implements AsyncDisposable {
  readonly hub: MemoryHub;
  readonly seeder: MemoryNetwork;
  readonly fetcher: MemoryNetwork;
  readonly seeding: MemoryBlobStore;
  readonly fetching: MemoryBlobStore;
  readonly events: ServedEvent[] = [];
  readonly source: PeerSource;
  provider!: Provider;

  private constructor(options: TwoNodesOptions) {
    const clock = options.clock ?? systemClock;
    this.hub = new MemoryHub({ clock, ...(options.latencyMs && { latencyMs: options.latencyMs }) });
    this.seeder = this.hub.join(SEEDER);
    this.fetcher = this.hub.join(FETCHER);
    this.seeding = new MemoryBlobStore({ clock });
    this.fetching = new MemoryBlobStore({ clock });
    this.source = new PeerSource({
      network: this.fetcher,
      peer: { peerId: SEEDER, addrs: this.seeder.addresses() },
      store: this.fetching,
      clock,
      ...options.source,
    });
  }

  static async start(options: TwoNodesOptions = {}): Promise<TwoNodes> {
    const nodes = new TwoNodes(options);
    nodes.provider = await Provider.start({
      network: nodes.seeder,
      store: nodes.seeding,
      clock: options.clock ?? systemClock,
      random: systemRandom,
      onServed: (event) => nodes.events.push(event),
      ...options.provider,
    });
    return nodes;
  }

  /** Opens a raw stream to the provider, for a requester that misbehaves. */
  async open(): Promise<RawLine> {
    const peer = { peerId: SEEDER, addrs: this.seeder.addresses() };
    return new RawLine(await this.fetcher.openStream(peer, BLOBS_PROTOCOL));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
    await this.provider[Symbol.asyncDispose]();
    await this.fetcher[Symbol.asyncDispose]();
    await this.seeder[Symbol.asyncDispose]();
  }
}

/** Messages that do not end an answer. */
const MEANWHILE: ReadonlySet<string> = new Set([
  "granted",
  "missing",
  "low",
  "credited",
  "pending",
  "refused",
]);

/** A stream without the manners of a real requester. */
export class RawLine {
  readonly stream: ByteStream;
  readonly #reader: FrameReader;

  constructor(stream: ByteStream) {
    this.stream = stream;
    this.#reader = new FrameReader(stream, { messageBytesMax: 1 << 20, isDataAllowed: true });
  }

  async send(message: RequestMessage): Promise<void> {
    await this.stream.write(messageFrame(message));
  }

  next(): Promise<Message | Uint8Array | undefined> {
    return this.#reader.next();
  }

  /** As {@link answer}, with the data, through whatever is said of money meanwhile. */
  async paidAnswer(
    onMessage: (message: Message) => void | Promise<void> = () => {},
  ): Promise<{ readonly messages: Message[]; readonly data: Uint8Array }> {
    const messages: Message[] = [];
    const parts: Uint8Array[] = [];
    while (true) {
      const frame = await this.next();
      if (frame === undefined) break;
      if (frame instanceof Uint8Array) {
        parts.push(frame.slice());
        continue;
      }
      messages.push(frame);
      await onMessage(frame);
      if (!MEANWHILE.has(frame.t)) break;
    }
    return { messages, data: concatBytes(...parts) };
  }

  /** All frames of one answer: its messages, and how many bytes of data came. */
  async answer(): Promise<{ readonly messages: Message[]; readonly bytes: number }> {
    const messages: Message[] = [];
    let bytes = 0;
    while (true) {
      const frame = await this.next();
      if (frame === undefined) return { messages, bytes };
      if (frame instanceof Uint8Array) bytes += frame.length;
      else messages.push(frame);
      const last = messages.at(-1);
      if (last !== undefined && last.t !== "granted" && last.t !== "missing") {
        return { messages, bytes };
      }
    }
  }
}

/** `size` bytes that differ from group to group. */
export function content(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  const words = new Uint32Array(bytes.buffer, 0, size >> 2);
  let state = seed >>> 0;
  for (let index = 0; index < words.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[index] = state;
  }
  return bytes;
}

/** Imports children and their collection; returns its root. */
export async function importCollection(
  store: BlobStore,
  children: readonly (readonly [name: string, bytes: Uint8Array, attributes?: BlobAttributes])[],
  attributes: BlobAttributes = {},
): Promise<{ readonly root: Hash; readonly hashes: readonly Hash[] }> {
  const listed = [];
  for (const [name, bytes, own] of children) {
    const { hash, size } = await store.importBytes(bytes, { ...attributes, ...own });
    listed.push({ name, hash, size });
  }
  const bytes = encodeCollection(listed);
  const root = await store.importBytes(bytes, { ...attributes, kind: "collection" });
  const sorted = listed.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { root: root.hash, hashes: sorted.map(({ hash }) => hash) };
}

/** The encoding of `ranges` of a blob that is here. */
export async function encodingOf(
  store: BlobStore,
  hash: Hash,
  ranges: RangeSet,
): Promise<Uint8Array> {
  await using reader = await store.openReader(hash);
  const parts: Uint8Array[] = [];
  for await (const piece of reader.encode(ranges)) parts.push(piece);
  return concatBytes(...parts);
}

/** Resolves once `isSo`, looked at again and again. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await systemClock.sleep(2);
}

/** A signal that nobody aborts. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** All bytes of a blob that is here. */
export async function bytesOf(store: BlobStore, hash: Hash): Promise<Uint8Array> {
  await using reader = await store.openReader(hash);
  const bytes = new Uint8Array(reader.size);
  await reader.read(0, bytes);
  return bytes;
}
