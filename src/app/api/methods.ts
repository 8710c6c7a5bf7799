/**
 * What can be asked of a node, whether it runs elsewhere or in this process. Each method has
 * parameters, events while it works, and a result; all are plain JSON, and together they are the
 * control protocol (docs/protocols.md).
 */
import type { Hash, Sha256 } from "../../core/hash.ts";
import type {
  BlobKind,
  BlobStorage,
  ImportMode,
  Visibility,
} from "../../../swarm/store/blob_store.ts";
import type { ImageMethods, RegistrySummary } from "./image_methods.ts";
import type { CreditMethods } from "./credit_methods.ts";
import type { LeaseMethods } from "./lease_methods.ts";
import type { ProviderMethods } from "./provider_methods.ts";
import type { ReceiptMethods } from "./receipt_methods.ts";
import type { SellingMethods } from "./selling_methods.ts";
import type { TrustMethods } from "./trust_methods.ts";
import type { WalletMethods } from "./wallet_methods.ts";

/** One blob that the store holds, whole or in part. */
export interface BlobSummary {
  readonly hash: Hash;
  readonly size: number;
  /** Verified bytes that are here. */
  readonly heldBytes: number;
  readonly state: "partial" | "complete";
  readonly kind: BlobKind;
  readonly visibility: Visibility;
  readonly pinned: boolean;
  readonly tags: readonly string[];
  readonly storage: BlobStorage;
  readonly name: string | null;
  readonly path: string | null;
  readonly sha256: Sha256 | null;
  readonly mediaType: string | null;
  readonly addedMs: number;
  readonly lastUsedMs: number;
  /** What strangers are asked for a MiB; 0 is free, null is not known: no wallet is open. */
  readonly priceMsatPerMiB: number | null;
}

/** How a relay of the pool fares. */
export interface RelayStatus {
  readonly url: string;
  readonly connected: boolean;
  readonly problem: string | null;
}

/** What `status` tells of the wallet. */
export interface WalletSummary {
  /** To spend, at all mints together. */
  readonly totalSat: number;
  /** Operations that are under way, and those that need a person. */
  readonly pendingCount: number;
  readonly attentionCount: number;
}

/** What `status` tells of selling. */
export interface SellingSummary {
  /** Services that are enabled and ask for money. */
  readonly pricedCount: number;
  /** What the last 24 hours earned. */
  readonly earnedDayMsat: number;
  /** Payments taken and not redeemed yet. */
  readonly provisionalSat: number;
}

/** What `status` tells. */
export interface StatusReport {
  readonly version: string;
  readonly running: boolean;
  readonly peerId: string;
  readonly npub: string;
  /** The same key in hex, as `relay-member` takes it. */
  readonly nostrKey: string;
  readonly data: string;
  readonly startedMs: number | null;
  readonly addresses: readonly string[];
  readonly relays: readonly RelayStatus[];
  readonly peerCount: number;
  readonly store: {
    readonly blobCount: number;
    readonly partialCount: number;
    readonly bytes: number;
    readonly quotaBytes: number;
  };
  /** Null while no wallet is open. */
  readonly wallet: WalletSummary | null;
  /** Null while no wallet is open, or nothing has a price. */
  readonly selling: SellingSummary | null;
  /** Null while the registry is not open. */
  readonly registry: RegistrySummary | null;
  /** What does not work, in words; empty when all is well. */
  readonly problems: readonly string[];
}

/** One connection. */
export interface PeerReport {
  readonly peerId: string;
  readonly address: string;
  readonly relayed: boolean;
  readonly direction: "inbound" | "outbound";
  readonly openedMs: number;
}

/** Progress of long work, in bytes. */
export interface ProgressEvent {
  readonly event: "progress";
  readonly label: string;
  readonly bytes: number;
  readonly size?: number;
  readonly peers?: number;
}

/** Something worth telling while the work goes on. */
export interface NoteEvent {
  readonly event: "note";
  readonly message: string;
}

/** A blob that was added. */
export interface AddedEvent {
  readonly event: "added";
  readonly hash: Hash;
  readonly size: number;
  readonly sha256: Sha256 | null;
  readonly name: string;
  readonly kind: BlobKind;
}

/** Options of `add` that do not depend on where the bytes come from. */
export interface AddAttributes {
  /** @default that of the blob when it is here already, else public */
  readonly visibility?: Visibility;
  readonly pinned: boolean;
  readonly tag?: string;
  readonly mediaType?: string;
}

/** Someone who may have a blob. */
export interface HintEvent {
  readonly event: "hint";
  readonly peerId: string;
  readonly addresses: readonly string[];
  readonly via: string;
  readonly bound: boolean;
  readonly npub: string | null;
  readonly size: number | null;
  readonly priceMsatPerMiB: number | null;
  readonly hash: Hash | null;
  /** What the peer says when asked, if it was: `all`, `some`, `none`; null when it did not answer. */
  readonly holds: "all" | "some" | "none" | null;
}

/** When and how the origin is used. */
export type OriginPolicy = "swarm-first" | "race" | "origin-first" | "swarm-only";

/** Parameters of `get`. */
export interface GetParams {
  /** A hash, `sha256:` and a digest, a `blossom:` URI, or a ticket. */
  readonly target: string;
  /** Absolute path; a directory when it ends with `/` or is one already. Absent: stays in the store. */
  readonly output?: string;
  readonly overwrite: boolean;
  readonly origin?: string;
  /** Extra request headers for the origin. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly sha256?: string;
  readonly policy: OriginPolicy;
  readonly originDelayMs: number;
  readonly originFloorBytesPerSecond: number;
  readonly findTimeoutMs: number;
  /** Multiaddrs with `/p2p/` to ask first. */
  readonly peers: readonly string[];
  readonly pinned: boolean;
  /** Who may have it from this node. @default {"public"} for what was not here before */
  readonly visibility?: Visibility;
  /** `auto` looks whether the blob is a collection and then fetches the children too. */
  readonly as: "auto" | "blob" | "collection";
  readonly payment?: PaymentChoice;
}

/** What a fetch may pay; what is absent is as the settings of the node say. */
export interface PaymentChoice {
  /** Whether it pays at all. */
  readonly pays?: boolean;
  readonly thrift?: Thrift;
  readonly priceMaxMsatPerMiB?: number;
  /** Most sat for this fetch, fees included. */
  readonly budgetSat?: number;
}

/** Which sources a fetch prefers when some ask a price. */
export type Thrift = "cheapest" | "balanced" | "fastest";

/** What was paid to one seller. */
export interface PaymentShare {
  readonly peerId: string;
  /** The mint whose ecash paid. */
  readonly mint: string;
  readonly priceMsatPerMiB: number;
  /** Given away in tokens. */
  readonly paidSat: number;
  /** What making and swapping them cost. */
  readonly feeSat: number;
  /** Of what was paid, what verified content cost; the rest is credit there. */
  readonly usedMsat: number;
}

/** Who delivered how much. */
export interface SourceShare {
  readonly kind: "peer" | "origin" | "store";
  readonly id: string;
  readonly bytes: number;
}

/** A source that failed, and how. */
export interface SourceFailure {
  readonly id: string;
  readonly code: string;
  readonly message: string;
}

/** What `get` did. */
export interface GetResult {
  readonly hash: Hash;
  readonly kind: BlobKind;
  /** Bytes of content: those of all children for a collection. */
  readonly size: number;
  readonly ms: number;
  readonly sources: readonly SourceShare[];
  readonly wastedBytes: number;
  readonly path: string | null;
  readonly name: string | null;
  readonly failures: readonly SourceFailure[];
  /** Why the origin was asked; null when it was not. */
  readonly originReason: string | null;
  /** Empty when nobody was paid. */
  readonly payments: readonly PaymentShare[];
}

/** What `verify` found of one blob. */
export interface VerifiedEvent {
  readonly event: "verified";
  readonly hash: Hash;
  readonly size: number;
  readonly ok: boolean;
  readonly goodBytes: number;
  readonly badBytes: number;
}

/** Every method: name, parameters, events, result. */
export interface Methods
  extends
    WalletMethods,
    SellingMethods,
    CreditMethods,
    ReceiptMethods,
    ImageMethods,
    TrustMethods,
    LeaseMethods,
    ProviderMethods {
  status: { params: Record<never, never>; event: never; result: StatusReport };
  peers: { params: Record<never, never>; event: never; result: { peers: readonly PeerReport[] } };
  list: {
    params: { readonly kind?: BlobKind };
    event: { readonly event: "blob"; readonly blob: BlobSummary };
    result: { readonly blobCount: number; readonly bytes: number };
  };
  add: {
    params: AddAttributes & { readonly paths: readonly string[]; readonly mode: ImportMode };
    event: ProgressEvent | NoteEvent | AddedEvent;
    result: { readonly blobCount: number; readonly bytes: number };
  };
  get: {
    params: GetParams;
    event: ProgressEvent | NoteEvent;
    result: GetResult;
  };
  find: {
    params: {
      readonly target: string;
      readonly timeoutMs: number;
      readonly peers: readonly string[];
      /** Whether to ask each what it holds. */
      readonly ask: boolean;
    };
    event: HintEvent;
    result: { readonly hintCount: number };
  };
  pin: { params: { readonly targets: readonly string[] }; event: never; result: ChangedBlobs };
  unpin: { params: { readonly targets: readonly string[] }; event: never; result: ChangedBlobs };
  remove: { params: { readonly targets: readonly string[] }; event: never; result: ChangedBlobs };
  gc: {
    params: { readonly dryRun: boolean };
    event: { readonly event: "removed"; readonly hash: Hash; readonly size: number };
    result: { readonly blobCount: number; readonly bytes: number };
  };
  verify: {
    params: { readonly targets: readonly string[] };
    event: ProgressEvent | VerifiedEvent;
    result: { readonly blobCount: number; readonly badCount: number };
  };
  export: {
    params: { readonly target: string; readonly output: string; readonly overwrite: boolean };
    event: ProgressEvent;
    result: { readonly hash: Hash; readonly size: number; readonly path: string };
  };
  ticket: {
    params: { readonly target: string };
    event: NoteEvent;
    result: { readonly ticket: string; readonly hash: Hash };
  };
}

/** Blobs that a method changed. */
export interface ChangedBlobs {
  readonly blobs: readonly { readonly hash: Hash; readonly size: number }[];
}

/** Name of a method. */
export type MethodName = keyof Methods;

/** Options of a call. */
export interface CallOptions<Name extends MethodName> {
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: Methods[Name]["event"]) => void;
}

/** A node, running elsewhere or opened in this process. */
export interface NodeApi extends AsyncDisposable {
  /** `running` when the work is done by another process that is the node. */
  readonly mode: "running" | "alone";
  /**
   * Does `method`.
   *
   * @throws {SeedmintError}
   */
  call<Name extends MethodName>(
    method: Name,
    params: Methods[Name]["params"],
    options?: CallOptions<Name>,
  ): Promise<Methods[Name]["result"]>;
  /** The bytes of a complete blob, for `-o -`. */
  readBlob(
    target: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<ReadableStream<Uint8Array>>;
  /** Adds what a stream gives, for `add -`. */
  addStream(
    stream: ReadableStream<Uint8Array>,
    attributes: AddAttributes & { readonly name?: string },
    options?: { readonly signal?: AbortSignal },
  ): Promise<AddedEvent>;
}
