/** What the parts of a lessee share. */
import type { Clock, Random } from "../../src/core/ports.ts";
import type { Purse } from "../ports.ts";
import type { BookedLease } from "./book/lease.ts";
import type { LeaseBook } from "./book/lease_book.ts";
import type { Market } from "./market/market.ts";
import type { LeaseReceipts, ProviderLine, SshKeyPlace } from "./ports.ts";
import type { LesseeEvent } from "./wishes.ts";

/** What a lessee is made of. */
export interface LesseeOptions {
  /** Our Nostr key, 64 hex digits. */
  readonly owner: string;
  readonly book: LeaseBook;
  readonly market: Pick<Market, "choose" | "find" | "ensureFresh" | "list" | "refresh">;
  readonly line: ProviderLine;
  readonly purse: Purse;
  readonly sshKey: SshKeyPlace;
  readonly receipts?: LeaseReceipts;
  readonly clock: Clock;
  readonly random: Random;
}

/** What the parts of a lessee share. */
export interface LesseeContext extends LesseeOptions {
  /** Aborted when the lessee closes. */
  readonly signal: AbortSignal;
  readonly emit: (event: LesseeEvent) => void;
  /** A lease, or money of it, changed on disk: everybody who waits looks again. */
  readonly changed: (leaseId: string) => void;
  /** Drives one thing now. */
  readonly nudge: (kind: DriverKind, id: string) => void;
  /** Told how far the provider is with a spawn. */
  readonly onProgress: (leaseId: string, state: string) => void;
}

/** What is driven. */
export type DriverKind = "lease" | "payment" | "refund";

/** What a step says: how long to wait for the next one, or that there will be none. */
export type Step = { readonly waitMs: number } | "again" | "done";

/** Says something against a provider. */
export function complain(context: LesseeContext, lease: BookedLease, complaint: string): void {
  context.book.toLease(lease.id, { type: "complain", complaint }, context.clock.nowMs());
}
