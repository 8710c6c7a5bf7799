/**
 * The seams of the swarm. What it needs from the network, from discovery, from money and from an
 * origin is said here in small interfaces; `src/app` plugs the implementations together, tests plug
 * in memory twins.
 */
import type { Hash, Sha256 } from "../src/core/hash.ts";
import type { Range, RangeSet } from "../src/core/range_set.ts";
import type { BlobAttributes } from "./store/blob_store.ts";

/** A peer and where it may be reached. */
export interface PeerAddress {
  /** libp2p peer id in its base58 text form. */
  readonly peerId: string;
  /** Multiaddrs as text, each a hint. May be empty when a connection exists already. */
  readonly addrs: readonly string[];
}

/** What lies before an array given to {@link ByteStream.writeOver}, at least. */
export const WRITE_ROOM_BYTES = 16;

/** One bidirectional stream to one authenticated peer. */
export interface ByteStream {
  readonly peerId: string;
  /** The multiaddr of the other side as the connection sees it, not as the peer tells it. */
  readonly remoteAddr: string;
  /** Whether the bytes flow through a circuit relay. */
  readonly relayed: boolean;
  /**
   * The next bytes, or undefined after the other side closed its writing end. At most one read is
   * under way at a time. The array stays valid and unchanged after later reads. Reading is what
   * makes room: nothing unbounded is buffered for a slow reader.
   *
   * @throws {SeedmintError} `reset` once the stream is aborted by either side.
   */
  read(): Promise<Uint8Array | undefined>;
  /**
   * Says that nobody uses `bytes`, all or a part of an array that {@link read} gave, any more: their
   * memory can be used again. Optional for the caller, too; each byte at most once.
   */
  release?(bytes: Uint8Array): void;
  /**
   * Whether bytes are copied out of `parts` once {@link write} returned undefined or what it returned
   * has resolved: then the caller may use or free their memory.
   */
  readonly copiesWrites?: boolean;
  /**
   * Queues `parts` in order. The caller must not change them afterwards, unless
   * {@link copiesWrites} says when it may.
   *
   * @returns A promise to wait for before writing more, when the stream's window is full.
   * @throws {SeedmintError} `reset`
   */
  write(...parts: Uint8Array[]): Promise<void> | undefined;
  /**
   * As {@link write}, of an array whose memory the caller gives up until then: the
   * {@link WRITE_ROOM_BYTES} before each byte of it may be overwritten once that byte is next to be
   * sent, so that headers need no array of their own. Only there with {@link copiesWrites}.
   */
  writeOver?(bytes: Uint8Array<ArrayBuffer>): Promise<void> | undefined;
  /** Says that nothing more will be written; reading goes on. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once; safe to call at any time and more than once. */
  abort(reason: Error): void;
}

/** A live connection, for people and for choosing. */
export interface PeerConnection {
  readonly peerId: string;
  readonly remoteAddr: string;
  readonly relayed: boolean;
  readonly direction: "inbound" | "outbound";
  /** Milliseconds since 1970. */
  readonly openedMs: number;
}

/** Streams to peers by protocol name: libp2p, or its memory twin. */
export interface Network extends AsyncDisposable {
  readonly peerId: string;
  /** Multiaddrs that others may dial, each with the `/p2p/` part. */
  addresses(): readonly string[];
  connections(): readonly PeerConnection[];
  /**
   * Opens a stream, dialling if no connection is open.
   *
   * @throws {SeedmintError} `unavailable` if the peer cannot be reached or lacks the protocol.
   */
  openStream(
    peer: PeerAddress,
    protocol: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<ByteStream>;
  /**
   * Serves `protocol`. A handler that throws aborts only its own stream. Once it returned, its writing
   * end is closed, and the stream is aborted unless the other side finishes within a few seconds.
   */
  handle(
    protocol: string,
    handler: (stream: ByteStream) => Promise<void>,
    options?: { readonly inboundStreamsMax?: number },
  ): Promise<void>;
  /** Called when a peer was found on the local network or connected by itself. */
  onPeer(
    listener: (peer: PeerAddress & { readonly via: "mdns" | "connection" }) => void,
  ): () => void;
}

/** A peer that may have a blob. Everything in it is a hint. */
export interface ProviderHint extends PeerAddress {
  readonly via: "advert" | "node-advert" | "peer" | "mdns" | "ticket";
  /** Whether the advert carried a valid signature that binds peer id and Nostr key. */
  readonly bound: boolean;
  /** Author of the advert, 64 hex digits. */
  readonly nostrKey?: string;
  readonly size?: number;
  readonly priceMsatPerMiB?: number;
  readonly mints?: readonly string[];
  readonly p2pk?: string;
  /** The BLAKE3 address that the hint claims for a query by SHA-256. */
  readonly hash?: Hash;
}

/** Who may have a blob. */
export interface Discovery {
  /** Yields hints as they come, and ends when nothing more is to be expected or on abort. */
  find(
    query: { readonly hash: Hash } | { readonly sha256: Sha256 },
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<ProviderHint>;
}

/** Tells others what this node seeds. */
export interface Announcer {
  /** Makes the adverts match what the store holds now; cheap when nothing changed. */
  announce(hash: Hash): void;
  withdraw(hash: Hash): void;
}

/** What a source holds of one blob, as it says. */
export type Holdings =
  | { readonly state: "none" }
  | { readonly state: "all"; readonly size: number }
  | { readonly state: "some"; readonly size: number; readonly groups: RangeSet };

/** One call to a {@link Source}. */
export interface SourceFetch {
  readonly hash: Hash;
  /** Chunk groups wanted; the last run may have no end while the size is unproven. */
  readonly groups: RangeSet;
  /** Proven size in bytes, once it is. */
  readonly size?: number;
  /** Called when the other side granted and claims this size. */
  readonly onGranted?: (size: number) => void;
  /** Called in order after groups were verified and stored. */
  readonly onVerified?: (groups: Range) => void;
  /**
   * Called as payload bytes arrive, verified or not, with how many came since the last call. An
   * origin's bytes are often verified only at the end, and a watchdog must see them before.
   */
  readonly onReceived?: (bytes: number) => void;
  /** What the store is told of the blob, for one that is new there. */
  readonly attributes?: BlobAttributes;
  /**
   * Aborted when others bring the rest: keep what can be verified, and return as after the end. Only
   * an origin, whose bytes are verified late, needs to listen.
   */
  readonly enough?: AbortSignal;
  readonly signal: AbortSignal;
}

/** Anything that can deliver chunk groups of a blob into the store: a peer or an origin. */
export interface Source {
  readonly kind: "peer" | "origin";
  /** Peer id, or the URL of the origin without user, password and query. */
  readonly id: string;
  /**
   * Fetches `groups` into the store; what was verified before a failure stays.
   *
   * @returns Payload bytes received, whether they were new or not.
   * @throws {SeedmintError} with the code that says who failed: `corrupt` (it lied), `not-found`,
   * `denied`, `payment-required`, `busy`, `reset`, `timeout`, `protocol`, or ours (`no-space`, `storage`).
   */
  fetch(request: SourceFetch): Promise<{ readonly receivedBytes: number }>;
  /**
   * Fetches children of a collection (itself already complete here) in one request, in order, each
   * into the store. Peers only; large children are better fetched as blobs from several sources.
   */
  fetchChildren?(request: CollectionFetch): Promise<{ readonly receivedBytes: number }>;
  /** Asks what it holds. Unsupported by origins, which hold all or nothing. */
  holdings?(hash: Hash, options: { readonly signal: AbortSignal }): Promise<Holdings>;
}

/** One call to {@link Source.fetchChildren}. */
export interface CollectionFetch {
  readonly root: Hash;
  /** Indexes of the children wanted. */
  readonly children: RangeSet;
  /** Called in order after a child is complete in the store. */
  readonly onChild?: (index: number) => void;
  /** As in {@link SourceFetch}. */
  readonly onReceived?: (bytes: number) => void;
  /** What the store is told of each child; by default the visibility of the root. */
  readonly attributes?: BlobAttributes;
  readonly signal: AbortSignal;
}

/** Who asks for something, as far as the connection proves it. */
export interface Viewer {
  readonly peerId: string;
  /** A configured member of the fleet, by peer id or by the fleet key's certificate. */
  readonly fleet: boolean;
}

/** What a {@link Gate} decides on a request for content. */
export type GateDecision =
  | { readonly decision: "free" }
  | {
    readonly decision: "pay";
    readonly priceMsatPerMiB: number;
    readonly minTopUpSat: number;
    readonly mints: readonly string[];
    readonly p2pk: string;
    readonly locktimeMin: number;
  }
  | { readonly decision: "deny"; readonly code: string };

/** Decides what is served to whom, and at which price. Throwing means: do not serve. */
export interface Gate {
  /**
   * Whether `root` has no price for anyone, answered from memory: such content is served without
   * {@link decide}, so that a wallet or a database that fails never keeps free content from anyone.
   */
  isFree?(root: Hash): boolean;
  decide(
    request: { readonly viewer: Viewer; readonly root: Hash; readonly groups: RangeSet },
  ): Promise<GateDecision>;
}

/** Buys what a seeder asks for. The wallet implements it; a node without one declines. */
export interface Payer {
  preparePayment(
    request: {
      readonly mints: readonly string[];
      readonly priceSat: number;
      readonly p2pk: string;
      readonly signal?: AbortSignal;
    },
  ): Promise<
    { readonly status: "ready"; readonly token: string } | {
      readonly status: "declined";
      readonly reason: string;
    }
  >;
}

/** Where content comes from when the swarm cannot give it: an HTTP server, later a registry. */
export interface Origin {
  /** Shown to people: the URL without user, password and query. */
  readonly id: string;
  /**
   * Opens the bytes from `offset` on.
   *
   * @returns The body, the offset it really begins at (0 when ranges are unsupported), and the
   * total size if the origin tells it.
   */
  open(
    options: { readonly offset: number; readonly end?: number; readonly signal: AbortSignal },
  ): Promise<
    {
      readonly body: ReadableStream<Uint8Array>;
      readonly offset: number;
      readonly size?: number;
    }
  >;
}
