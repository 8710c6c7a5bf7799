/** What a lessee needs of others: ways to providers, receipts, scores, a place for its SSH key. */
import type { Sha256 } from "../../src/core/hash.ts";
import type { Answer, ErrorAnswer, ProgressAnswer, ReceiptAnswer, Request } from "../wire/mod.ts";

/** How a provider is reached. */
export interface ProviderAddress {
  /** Nostr key, 64 hex digits. */
  readonly provider: string;
  /**
   * Whether it understands our additions: request ids, locked tokens, our verbs. One of Paygress does
   * not; it gets each request as one message, and its answers are told apart by their order.
   */
  readonly isOurs: boolean;
  /** Base address of its HTTP mode. */
  readonly apiEndpoint?: string;
}

/** A request under an id: the same id to the same provider is the same request, also after a crash. */
export type NamedRequest = Request & { readonly requestId: string };

/** Options of {@link ProviderLine.ask}. */
export interface LineOptions {
  readonly signal: AbortSignal;
  /** How long the answer is waited for. By default it depends on what is asked. */
  readonly timeoutMs?: number;
  /** Told how far it has got, when the request wants progress and the provider tells it. */
  readonly onProgress?: (progress: ProgressAnswer) => void;
  /**
   * Only what became of the request is wanted: if the provider never saw it, it is not to be begun any
   * more. A line that cannot promise that throws `unavailable`.
   */
  readonly onlyOutcome?: boolean;
}

/** An answer that nobody waits for now. Its sender is proven. */
export interface UnaskedAnswer {
  readonly provider: string;
  readonly answer: Answer;
  /** Of the request that it belongs to, if that is known; asking it again gives this answer at once. */
  readonly requestId?: string;
}

/** A way to ask providers. */
export interface ProviderLine {
  /**
   * Asks, again if need be, until there is the answer. What comes back was said by that provider, and
   * to that request.
   *
   * @throws {SeedmintError} `timeout`: it may have been done, or be done yet; `unavailable`: it cannot be
   * asked at the moment; `invalid`: the request does not fit; `signal.reason`.
   */
  ask(to: ProviderAddress, request: NamedRequest, options: LineOptions): Promise<Answer>;
  /** Calls `listener` with what comes late or by itself, until the returned function is called. */
  onUnasked?(listener: (message: UnaskedAnswer) => void): () => void;
}

/** What our leases with it say of a provider; `trust` has it. */
export interface ProviderScores {
  /** Above 0 for more good than bad, below 0 for the contrary; undefined if nothing is known. */
  scoreOf(provider: string): number | undefined;
}

/** The lessee's SSH key. */
export interface SshKeyPlace {
  /** The key, made when there is none yet. */
  get(): Promise<SshKey>;
}

/** An SSH key of the lessee. */
export interface SshKey {
  /** One line as in `authorized_keys`. */
  readonly publicKey: string;
  /** The file of the private key. */
  readonly path: string;
}

/** One payment for a lease. */
export interface PaidForLease {
  /** Of the purse; a token that was handed in has none there. */
  readonly paymentId: string;
  readonly mint?: string;
  /** Face value, in sat. */
  readonly amountSat: number;
  /** As it was handed over; long spent. Its proofs are the evidence of payment. Secret all the same. */
  readonly token?: string;
  /**
   * What became of it. `lost`: the provider has it, and gave nothing for it; `returned`: it never touched
   * it, and it is ours again.
   */
  readonly outcome: "taken" | "refunded" | "lost" | "returned";
}

/** A lease that is over, as the lessee's book has it. Times are in milliseconds since 1970. */
export interface EndedLease {
  /** In the book. */
  readonly id: string;
  readonly provider: string;
  /** Nostr key of the lessee, 64 hex digits. */
  readonly owner: string;
  /** `<provider>:container-<n>:<seconds>`, if the provider ever said one. */
  readonly leaseId?: string;
  /** `container-<n>`, if there ever was one. */
  readonly lease?: string;
  readonly spec: {
    readonly id: string;
    readonly name: string;
    readonly cpuMillicores: number;
    readonly memoryMb: number;
    readonly diskMb?: number;
    readonly rateMsatPerS: number;
  };
  readonly image: string;
  readonly imageDigest?: Sha256;
  readonly payments: readonly PaidForLease[];
  /** What came back and really arrived, in sat. */
  readonly refundedSat: number;
  /** When SSH answered first, as the provider said, or when its answer came. */
  readonly readyMs?: number;
  readonly endedMs: number;
  readonly reason: EndReason;
  /** What the provider did not keep of its word, in sentences. */
  readonly complaints: readonly string[];
}

/** How a lease ended, for its lessee. */
export type EndReason =
  /** The paid time was over. */
  | "expired"
  /** We ended it. */
  | "stopped"
  /** It ended before its time, and not by us. */
  | "cut-short"
  /** It never began, and nothing was taken for it; receipts hear of it when the provider was silent. */
  | "unserved"
  /** It was paid for and never began; the provider paid back. */
  | "refunded"
  /** It was paid for and never began, and the money did not come back. */
  | "robbed";

/** Receipts of leases, for the lessee; `trust` has them. */
export interface LeaseReceipts {
  /**
   * A lease that was paid for is over. Called again until it resolves once, also after a crash; with
   * `exchange` the provider can be asked for its receipt, or to sign ours.
   */
  ended(
    lease: EndedLease,
    options: {
      readonly signal: AbortSignal;
      /** @throws As {@link ProviderLine.ask}. */
      readonly exchange: (
        receipt?: Readonly<Record<string, unknown>>,
      ) => Promise<ReceiptAnswer | ErrorAnswer>;
    },
  ): Promise<void>;
}
