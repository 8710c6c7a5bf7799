/** Fetching as the handlers see it; `src/app/lifecycle` puts the swarm behind it. */
import type { Hash } from "../../core/hash.ts";
import type { ProviderHint } from "../../../swarm/ports.ts";
import type { BlobAttributes } from "../../../swarm/store/blob_store.ts";
import type {
  OriginPolicy,
  PaymentChoice,
  PaymentShare,
  SourceFailure,
  SourceShare,
} from "./methods.ts";

/** One transfer. */
export interface TransferRequest {
  readonly hash: Hash;
  /** Size of the content in bytes as somebody claims, so that not too much is set aside to pay for it. */
  readonly claimedSize?: number;
  /** Peers to ask besides those that discovery finds. */
  readonly hints: readonly ProviderHint[];
  /** Relays of a ticket, asked besides those of the node. */
  readonly relays: readonly string[];
  readonly origin?: OriginOptions;
  readonly policy: OriginPolicy;
  readonly originDelayMs: number;
  readonly originFloorBytesPerSecond: number;
  readonly findTimeoutMs: number;
  readonly attributes: BlobAttributes;
  /** What it may pay. @default {nothing} */
  readonly payment?: PaymentChoice;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: TransferProgress) => void;
}

/** Where the origin is and what to send it. */
export interface OriginOptions {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How far a transfer is. */
export interface TransferProgress {
  /** Verified bytes here. */
  readonly bytes: number;
  readonly size?: number;
  readonly peers: number;
}

/** What a transfer did. */
export interface TransferReport {
  readonly size: number;
  readonly sources: readonly SourceShare[];
  readonly wastedBytes: number;
  readonly failures: readonly SourceFailure[];
  /** Why the origin was asked, if it was. */
  readonly originReason?: string;
  /** What was paid to whom. @default {nothing} */
  readonly payments?: readonly PaymentShare[];
}

/** Brings content into the store. */
export interface Transfers {
  /** One blob. */
  fetchBlob(request: TransferRequest): Promise<TransferReport>;
  /** The children of a collection whose own blob is complete here. */
  fetchChildren(request: TransferRequest): Promise<TransferReport>;
}
