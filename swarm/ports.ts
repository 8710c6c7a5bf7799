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
  /** What a MiB costs there; 0: an advert of this blob says that it is free. */
  readonly priceMsatPerMiB?: number;
  readonly mints?: readonly string[];
  readonly p2pk?: string;
  /** The least that one payment must be, in sat. */
  readonly minTopUpSat?: number;
  /** The least minutes until an unused payment may be taken back. */
  readonly locktimeMin?: number;
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
  /** What it asks for a MiB of this fetch's content, as far as it is known; absent or 0: nothing. */
  readonly priceMsatPerMiB?: number;
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

/** On which terms a seller sells bytes. */
export interface PaymentTerms {
  /** Thousandths of a sat for 2^20 bytes of content; its hash tree is free. */
  readonly priceMsatPerMiB: number;
  /** The least that one payment must be, in sat. */
  readonly minTopUpSat: number;
  /** Mints whose ecash is taken. */
  readonly mints: readonly string[];
  /** The key that payments are locked to, 66 hex digits of a compressed secp256k1 point. */
  readonly p2pk: string;
  /** The least minutes until the payer may take an unused payment back. */
  readonly locktimeMin: number;
  /** The most that a payment channel of this payer may hold, in sat; absent where there are none. */
  readonly channelSat?: number;
}

/** What a {@link Gate} decides on a request for content. */
export type GateDecision =
  | { readonly decision: "free" }
  | ({ readonly decision: "pay" } & PaymentTerms)
  | { readonly decision: "deny"; readonly code: string };

/** Ecash on its way, or a question about one that was sent before (no token). */
export interface PaymentOffer {
  /** Chosen by the payer at random, 16 bytes: asking twice with one id never pays twice. */
  readonly id: Uint8Array<ArrayBuffer>;
  /** A Cashu token, or a message of a payment channel; text either way. */
  readonly token?: string;
}

/** What became of a payment. */
export type PaymentAnswer =
  /** It counts; what the payer has at this seller now, in msat; 0 for less. */
  | { readonly answer: "credited"; readonly creditMsat: number }
  /** It is being looked at: ask again with its id, without the token. */
  | { readonly answer: "pending"; readonly retryMs: number }
  /** It does not count; nothing of it was kept. With `retryMs`, the same may be sent again then. */
  | { readonly answer: "refused"; readonly code: string; readonly retryMs?: number };

/**
 * A reader's credit as one answer uses it up. Several may be open for one reader: they share what it
 * has. Content is charged before it is sent; all methods but `more` and disposal are synchronous, since
 * they run for every piece that is sent.
 */
export interface Meter extends AsyncDisposable {
  /** What the reader has left, in msat, what other answers took counted. */
  readonly creditMsat: number;
  /** Whether the reader should be told that it runs out. */
  readonly isLow: boolean;
  /**
   * Charges content that is about to be sent.
   *
   * @param groupSizes Bytes of each chunk group, in the order of sending.
   * @returns How many of them are paid for, from the first on. One group is served as long as anything
   * is left: that is the grace, and it is owed.
   */
  take(groupSizes: readonly number[]): number;
  /** Gives back what was charged and not sent. */
  giveBack(bytes: number): void;
  /** Resolves once the credit grew, at once if it is above 0. @throws `signal.reason` */
  more(signal: AbortSignal): Promise<void>;
}

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
  /**
   * Takes a payment of the viewer. The same id gives the same answer or a newer one, never a second
   * credit. Does not throw for what the payer sends or a mint does.
   */
  pay?(
    request: { readonly viewer: Viewer; readonly payment: PaymentOffer },
    options?: { readonly signal?: AbortSignal },
  ): Promise<PaymentAnswer>;
  /** What the viewer has, in msat; 0 for who never paid. */
  creditOf?(viewer: Viewer): number;
  /** Pays back what the viewer has and does not use. Whoever asks again gets the same token. */
  refund?(viewer: Viewer, options?: { readonly signal?: AbortSignal }): Promise<RefundAnswer>;
  /** Opens the viewer's credit for one answer at the price decided. */
  openMeter?(
    request: {
      readonly viewer: Viewer;
      readonly root: Hash;
      readonly priceMsatPerMiB: number;
    },
  ): Meter;
}

/** What came of asking for credit back. */
export type RefundAnswer =
  /** Ecash locked to the key that the viewer's own payments named for a refund. */
  | { readonly status: "refunded"; readonly token: string; readonly amountSat: number }
  /** It is being made: ask again after `retryMs`. */
  | { readonly status: "pending"; readonly retryMs: number }
  /** Not now; the credit stays. The reason is for people. */
  | { readonly status: "declined"; readonly code: string; readonly reason: string };

/** What a receipt is asked for. */
export interface ReceiptRequest {
  /** The blob or collection that the fetch as a whole was for. */
  readonly root: Hash;
  /** The requester's Nostr key, 32 bytes. */
  readonly nostrKey: Uint8Array<ArrayBuffer>;
  /** Salted commitment to `root`, 32 bytes: what a receipt says instead of it. */
  readonly commitment: Uint8Array<ArrayBuffer>;
}

/** Signs what was delivered to a viewer, and keeps what the viewer signed in turn. */
export interface Receipts {
  /** The provider's word as JSON; undefined when there is nothing to confirm. */
  ask(viewer: Viewer, request: ReceiptRequest): Promise<string | undefined>;
  /** Keeps a receipt that both signed. False when it is none, or not about this viewer. */
  keep(viewer: Viewer, text: string): Promise<boolean>;
}

/** What was bought of one seller in one fetch, as the buyer counted it. */
export interface ReceiptSubject {
  /** The seller. */
  readonly peerId: string;
  /** What the fetch as a whole was for. */
  readonly root: Hash;
  /** Content that verified and was charged, in bytes. */
  readonly bytes: number;
}

/** Asks sellers for receipts, checks what they sign, signs it in turn and keeps it. */
export interface ReceiptBook {
  /** What to ask the seller with; undefined when no receipt is wanted. */
  request(subject: ReceiptSubject): Promise<ReceiptRequest | undefined>;
  /** The receipt with both signatures, to be sent back; undefined when it is not true. */
  countersign(
    subject: ReceiptSubject,
    answer: { readonly request: ReceiptRequest; readonly receipt: string },
  ): Promise<string | undefined>;
}

/** What a fetch wants to pay for. */
export interface PayRequest {
  /** The seller. */
  readonly peerId: string;
  /** What the fetch as a whole is for: the blob, or the collection that it is part of. */
  readonly subject: Hash;
  readonly terms: PaymentTerms;
  /** Content that may be bought of this seller, in bytes, as far as it is known. */
  readonly bytesMax?: number;
  /**
   * Called each time right before a payment is handed over, in one turn with it: makes what was told
   * as verified last, so that the death of the process costs no more than what is at risk anyway. When
   * it throws, nothing is paid.
   */
  readonly beforePaying?: () => void;
}

/** Whether a fetch will pay. */
export type PayAnswer =
  | { readonly status: "open"; readonly session: PaySession }
  /** In words for people, without secrets. */
  | { readonly status: "declined"; readonly reason: string };

/** A payment that is due, or why there is none to be had. */
export type DuePayment =
  | { readonly due: "pay"; readonly payment: PaymentOffer }
  /** Enough is prepaid. */
  | { readonly due: "nothing" }
  | { readonly due: "declined"; readonly reason: string };

/**
 * Buying from one seller in one fetch. It knows what was prepaid and what of it is verified, and says
 * when the next payment is due: never more than two minimum top-ups unverified. All streams to the
 * seller share one.
 */
export interface PaySession extends AsyncDisposable {
  readonly terms: PaymentTerms;
  /**
   * The payment to send now. The first call gives what must go with the first message; payments whose
   * answer is not known are given again first, with the same id. Never throws.
   */
  next(options?: { readonly signal?: AbortSignal }): Promise<DuePayment>;
  /** What the seller said of a payment, in `granted` or by itself. */
  answered(id: Uint8Array, answer: PaymentAnswer): void;
  /** The seller says what is left, or that it runs out. Believed only as far as it costs nothing. */
  told(creditMsat: number): void;
  /** The seller takes payment channels that hold up to so much of this payer. */
  takesChannels?(channelSat: number): void;
  /** Content that verified and was charged at the price of the terms. */
  verified(bytes: number): void;
  /** Called when {@link next} would give a payment. Returns how to stop that. */
  onDue(listener: () => void): () => void;
}

/** What one fetch paid to one seller. */
export interface PaidTo {
  readonly peerId: string;
  /** Sat in tokens that were handed over. */
  readonly paidSat: number;
  /** What making and swapping them cost, in sat. */
  readonly feeSat: number;
  /** Of what was paid, in msat: what verified content cost. The rest is credit at the seller. */
  readonly usedMsat: number;
  readonly priceMsatPerMiB: number;
  readonly mint: string;
}

/** Buys what a seeder asks for. The wallet implements it; a node without one declines. */
export interface Payer {
  /** Begins to buy, within what the policy allows. Never throws for trouble with money: it declines. */
  open(request: PayRequest, options?: { readonly signal?: AbortSignal }): Promise<PayAnswer>;
  /** What was paid for `subject` since `sinceMs` (milliseconds since 1970). */
  paidFor?(subject: Hash, sinceMs: number): readonly PaidTo[];
  /** One payment of a fixed amount, for sellers over HTTP (NUT-24). */
  preparePayment?(
    request: {
      readonly paymentId?: string;
      readonly mints: readonly string[];
      readonly priceSat: number;
      readonly p2pk?: string;
      readonly locktimeS?: number;
      readonly subject: Hash;
      readonly payee: string;
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
