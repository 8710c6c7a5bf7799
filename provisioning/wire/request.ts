/**
 * Requests to a provider, as they are meant. How they are written: `read_request.ts`,
 * `build_request.ts`; a request says what it is by the members it has, not by a name.
 */
import type { Sha256 } from "../../src/core/hash.ts";
import type { WantedPort } from "./port.ts";

/** What any request may say; old providers ignore it. */
export interface RequestOptions {
  /** Chosen by the requester: the same id from the same key is the same request. */
  readonly requestId?: string;
  /** Whether answers on the way (`progress`) are welcome besides the one at the end. */
  readonly wantsProgress?: boolean;
}

/** What a request that pays may say besides. */
export interface PaymentOptions extends RequestOptions {
  /** The key that what is paid back is to be locked to, 66 hex digits; unlocked without it. */
  readonly refundKey?: string;
}

/** How a workload outlives its provider, as Paygress names it. */
export type Replication =
  | { readonly mode: "none" }
  | { readonly mode: "checkpointed" }
  | {
    readonly mode: "warm-standby";
    /** Nostr keys, 64 hex digits; anything unreadable stays as it was sent. */
    readonly standbys: readonly string[];
  };

/** A key for the volume of a workload. Secret. */
export interface VolumeEncryption {
  readonly version: number;
  readonly algorithm: string;
  /** 32 bytes in URL-safe base64 without padding, when it is right. */
  readonly keyB64: string;
}

/** A lease is wanted, and paid for. */
export interface SpawnRequest extends PaymentOptions {
  readonly type: "spawn";
  readonly token: string;
  readonly specId?: string;
  /** Name and tag or digest, as people write it. */
  readonly image: string;
  readonly sshUsername: string;
  /** Old clients want one; ours send one that is never used, since old providers insist. */
  readonly sshPassword: string;
  readonly template?: string;
  readonly replication?: Replication;
  /** Nostr key of the primary in a set of standbys, 64 hex digits if it was readable. */
  readonly primary?: string;
  readonly workloadId?: string;
  readonly volumeEncryption?: VolumeEncryption;
  /** OpenSSH public keys, one a line; with them no password is asked for. */
  readonly sshPublicKey?: string;
  /** SHA-256 of the image's manifest or index; goes before `image`. */
  readonly imageDigest?: Sha256;
  readonly env?: Readonly<Record<string, string>>;
  readonly ports?: readonly WantedPort[];
}

/** A lease is to last longer, and paid for. */
export interface TopUpRequest extends PaymentOptions {
  readonly type: "topup";
  /** `container-<n>`, or what was sent if it is no such name. */
  readonly lease: string;
  readonly token: string;
}

/** How is a lease doing? */
export interface StatusRequest extends RequestOptions {
  readonly type: "status";
  /** `container-<n>`, or what was sent if it is no such name. */
  readonly lease: string;
}

/** What would it cost, and is it possible? Nothing is reserved. */
export interface QuoteRequest extends RequestOptions {
  readonly type: "quote";
  readonly specId?: string;
  readonly image?: string;
  readonly imageDigest?: Sha256;
  readonly durationS?: number;
  readonly portCount?: number;
}

/** A lease is to end now; what is left of the payment comes back. */
export interface StopRequest extends PaymentOptions {
  readonly type: "stop";
  readonly lease: string;
}

/** The processes of a lease are to be started anew. */
export interface RestartRequest extends RequestOptions {
  readonly type: "restart";
  readonly lease: string;
}

/** What a lease printed last. */
export interface LogsRequest extends RequestOptions {
  readonly type: "logs";
  readonly lease: string;
  readonly lineCount: number;
}

/** A command is to be run inside a lease. */
export interface ExecRequest extends RequestOptions {
  readonly type: "exec";
  readonly lease: string;
  /** Program and arguments; no shell looks at them. */
  readonly command: readonly string[];
  readonly timeoutMs: number;
}

/** Which leases does the requester have here? */
export interface LeasesRequest extends RequestOptions {
  readonly type: "leases";
}

/** A receipt is offered for co-signing, or asked for. */
export interface ReceiptRequest extends RequestOptions {
  readonly type: "receipt";
  /** `<provider>:container-<n>:<seconds>`. */
  readonly leaseId: string;
  /** As trust/ defines it, signed by the requester; without it the provider's is asked for. */
  readonly receipt?: Readonly<Record<string, unknown>>;
}

/** Verbs that Paygress does not have. */
export type OwnRequest =
  | QuoteRequest
  | StopRequest
  | RestartRequest
  | LogsRequest
  | ExecRequest
  | LeasesRequest
  | ReceiptRequest;

/** Anything that can be asked of a provider. */
export type Request = SpawnRequest | TopUpRequest | StatusRequest | OwnRequest;
