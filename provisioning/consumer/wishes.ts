/** What people and programs ask a lessee for, and what they hear of. */
import type { Sha256 } from "../../src/core/hash.ts";
import type { ErrorType, NoticeAnswer, ProgressAnswer, WantedPort } from "../wire/mod.ts";
import type { BookedLease, KeepAlive } from "./book/lease.ts";
import type { BookedPayment, BookedRefund } from "./book/payment.ts";
import type { ChoicePolicy } from "./market/choose.ts";

/** What a lease is to be. */
export interface LeaseWish {
  /** Key, `npub1…`, a unique beginning of a key, or a unique name; absent: chosen by `policy`. */
  readonly provider?: string;
  readonly policy?: ChoicePolicy;
  /** The tier; absent: the cheapest that fits the policy. */
  readonly specId?: string;
  /** Name and tag or digest, as people write it. */
  readonly image: string;
  readonly imageDigest?: Sha256;
  readonly env?: Readonly<Record<string, string>>;
  readonly ports?: readonly WantedPort[];
  /** A template of Paygress, which old providers have instead of images. */
  readonly template?: string;
  /** How long it is to last, in milliseconds. @default {3600000}, or what `budgetSat` or `token` buys */
  readonly durationMs?: number;
  /** Spend this much, for as long as it lasts; with `durationMs`: at most this much. */
  readonly budgetSat?: number;
}

/** A lease is wanted. */
export interface SpawnWish extends LeaseWish {
  /** 1 to 40 letters, digits, `_.:-`: the same id is the same lease, also after a crash. Chosen if absent. */
  readonly id?: string;
  /** Whom to log in as; those of our kind know none but root. @default {"root"} */
  readonly sshUser?: string;
  /** OpenSSH public keys, one a line; absent: our own key, made when it is missing. */
  readonly sshPublicKey?: string;
  /** Pays with this token instead of the purse; its value decides how long it lasts. Secret. */
  readonly token?: string;
  /** What such a token is worth, in sat, if the caller has read it. */
  readonly tokenSat?: number;
  /** The mint of such a token. */
  readonly tokenMint?: string;
  readonly keepAlive?: KeepAlive;
}

/** A lease is to last longer: by a duration, for an amount, or for a token. */
export interface TopUpWish {
  /** 1 to 40 letters, digits, `_.:-`: the same id is the same top-up. Chosen if absent. */
  readonly id?: string;
  readonly durationMs?: number;
  readonly amountSat?: number;
  /** Secret. */
  readonly token?: string;
  readonly tokenSat?: number;
  readonly tokenMint?: string;
}

/** Options of what takes a while. */
export interface WishOptions {
  /** Stops the waiting only: what was begun goes on, and is in the book. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: SpawnProgress) => void;
}

/** How far a spawn has got. */
export type SpawnProgress =
  | { readonly step: "choosing" }
  | { readonly step: "paying"; readonly lease: BookedLease; readonly amountSat: number }
  | { readonly step: "asking"; readonly lease: BookedLease }
  /** The provider's own word. */
  | {
    readonly step: "provider";
    readonly lease: BookedLease;
    readonly state: ProgressAnswer["state"];
  };

/** What became of a top-up. */
export interface ToppedUp {
  readonly lease: BookedLease;
  readonly payment: BookedPayment;
  readonly expiresMs: number;
}

/** What became of a stop. */
export interface Stopped {
  readonly lease: BookedLease;
  /** What came back and is in the purse; less than claimed when the token was worth less. */
  readonly refundedSat: number;
  /** What the provider says that it paid back. */
  readonly claimedSat: number;
  /** What of that is still to be taken in. */
  readonly comingSat: number;
}

/** Everything about one lease. */
export interface LeaseAccount {
  readonly lease: BookedLease;
  readonly payments: readonly BookedPayment[];
  readonly refunds: readonly BookedRefund[];
  /** What the provider got, refunds taken off, in sat. */
  readonly spentSat: number;
  /** What is on its way back, in sat. */
  readonly comingSat: number;
  /** Whether its time is over by the book, and its provider is too silent to say so. */
  readonly isOverdue: boolean;
}

/** Something that people should hear of. Nothing in it is secret. */
export type LesseeEvent =
  /** A lease changed. */
  | { readonly type: "lease"; readonly lease: BookedLease }
  /** Its time is nearly over, and nothing or too little keeps it alive. */
  | {
    readonly type: "ending";
    readonly lease: BookedLease;
    readonly leftMs: number;
    readonly why: "no-keepalive" | "budget" | "failing";
    readonly message: string;
  }
  /** It was topped up by itself, and its provider gave time for it. */
  | { readonly type: "kept-alive"; readonly lease: BookedLease; readonly amountSat: number }
  /** The provider said something by itself. */
  | { readonly type: "notice"; readonly lease: BookedLease; readonly notice: NoticeAnswer }
  /** Money came back. */
  | { readonly type: "money-back"; readonly lease: BookedLease; readonly amountSat: number }
  /** Money is lost, or less came back than was promised. */
  | { readonly type: "loss"; readonly lease: BookedLease; readonly message: string }
  /** Something failed and is tried again. */
  | { readonly type: "problem"; readonly message: string };

/** What a provider answers when it does not do something, beside our own errors. */
export type RefusalCode = ErrorType | "unknown";
