/** One lease, as the journal keeps it. */
import type { Sha256 } from "../../src/core/hash.ts";
import type { PublishedPort, Resources } from "../ports.ts";

/** States of a lease; `transition.ts` has the diagram. What is asked for and valid is `reserved` at once. */
export type LeaseState =
  /** Capacity and ports are its own; nothing was paid. */
  | "reserved"
  /** Its image is being brought and made ready. */
  | "pulling"
  /** Its token is being redeemed: it may be ours already. */
  | "redeeming"
  /** The money is ours; whatever comes is delivered or paid back. */
  | "paid"
  /** Its instance may exist; SSH did not answer yet. */
  | "starting"
  /** SSH answered, and the paid time runs. */
  | "ready"
  /** The paid time is over; it is paused and waits for a top-up. */
  | "grace"
  /** It is being removed; then what was not delivered is paid back. */
  | "expiring"
  /** Gone, and settled. */
  | "destroyed"
  /** It was never ready and will not be; it is being removed, then all of it is paid back. */
  | "failed"
  /** Gone, and paid back as far as anything had been paid. */
  | "refunded";

/** All states, in the order of a lease's life. */
export const LEASE_STATES: readonly LeaseState[] = [
  "reserved",
  "pulling",
  "redeeming",
  "paid",
  "starting",
  "ready",
  "grace",
  "expiring",
  "destroyed",
  "failed",
  "refunded",
];

/** What a provider offers under one name. */
export interface LeaseSpec extends Resources {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** Above 0. */
  readonly rateMsatPerS: number;
}

/** What was agreed; it never changes. */
export interface LeaseTerms {
  readonly spec: LeaseSpec;
  /** As it was asked for, with the digest when one was named. */
  readonly image: string;
  readonly env: Readonly<Record<string, string>>;
  readonly sshPort: number;
  readonly ports: readonly PublishedPort[];
  readonly authorizedKeys: readonly string[];
  /** Only for clients that bring no key. Secret. */
  readonly password?: string;
  readonly sshUser: string;
  /** OpenSSH private key. Secret. */
  readonly hostKey: string;
  readonly hostKeyFingerprint: string;
  /** Of the token that paid first. */
  readonly tokenId: Sha256;
  /** Whether that token is locked to us with valid proofs, and for long enough to wait. */
  readonly isTokenSafe: boolean;
  /** The key that refunds are locked to, 66 hex digits. */
  readonly refundKey?: string;
  /** Whether its owner wants to hear of it unasked. */
  readonly wantsNotices: boolean;
  /** How notices travel. */
  readonly channel?: "nip04" | "nip17";
}

/** Why a lease ended. */
export type EndReason =
  /** The paid time was over. */
  | "expired"
  /** Its owner ended it. */
  | "stopped"
  /** The provider ended it. */
  | "evicted"
  /** Its instance was gone, or did not come back. */
  | "lost"
  /** It never became ready. */
  | "failed";

/** How it ended. */
export interface LeaseEnding {
  readonly reason: EndReason;
  /** The stable string of the error that answers the request, if it never was ready. */
  readonly error?: string;
  /** For people. */
  readonly message: string;
  /** When it was decided, in milliseconds since 1970. */
  readonly atMs: number;
}

/** What was paid back. Secret: whoever reads the token has it, unless it is locked. */
export type LeaseRefund =
  | { readonly status: "none" }
  /** Less than can be sent. */
  | { readonly status: "dust"; readonly msat: number }
  | {
    readonly status: "refunded";
    readonly token: string;
    readonly amountSat: number;
    readonly mint: string;
  };

/** A lease. Money is in msat, times are in milliseconds since 1970. */
export interface Lease {
  readonly number: number;
  /** Nostr key of the lessee, 64 hex digits. */
  readonly owner: string;
  readonly state: LeaseState;
  readonly createdMs: number;
  /** When it entered its state. */
  readonly changedMs: number;
  readonly terms: LeaseTerms;
  /** The manifest that the image's name meant when it was brought. */
  readonly imageDigest?: Sha256;
  /** All that was redeemed for it. */
  readonly creditMsat: number;
  /** What was used up before {@link sinceMs}. */
  readonly spentMsat: number;
  /** Since when the paid time runs; absent while it stands still. */
  readonly sinceMs?: number;
  /** When SSH answered first. */
  readonly readyMs?: number;
  /** When the paid time is over. */
  readonly expiresMs?: number;
  /** When its instance was last seen running. */
  readonly seenMs?: number;
  /** Since when the engine does not start its instance, which had ended; that time is not charged. */
  readonly downSinceMs?: number;
  /** How often it was begun to make its image ready: more than once where this process ended meanwhile. */
  readonly tryCount?: number;
  /** Restarts of an instance that had ended by itself. */
  readonly revivalCount: number;
  /** Whether an instance may be there: capacity and ports are free only when none can be. */
  readonly mayExist: boolean;
  /** Whether its instance may be paused. */
  readonly isPaused: boolean;
  readonly ending?: LeaseEnding;
  readonly refund?: LeaseRefund;
}

/** Whether nothing will happen to it any more. */
export function isOver(lease: Lease): boolean {
  return lease.state === "destroyed" || lease.state === "refunded";
}

/** Whether its capacity and ports belong to it. */
export function holdsCapacity(lease: Lease): boolean {
  switch (lease.state) {
    case "destroyed":
    case "refunded":
      return false;
    case "expiring":
    case "failed":
      return lease.mayExist;
    default:
      return true;
  }
}

/** Whether its owner can use it. */
export function isLive(lease: Lease): boolean {
  return lease.state === "ready" || lease.state === "grace";
}
