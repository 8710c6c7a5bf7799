/**
 * An operation: one thing the wallet was told to do, on disk from before its first effect until its
 * end. Each kind has its own states and plan (`fund.ts`, `send.ts`, …); this is what all share.
 */
import type { MintUrl } from "../types.ts";

/** What an operation does. */
export type OperationKind =
  /** Lightning in: ecash from a mint quote (NUT-04). */
  | "fund"
  /** Ecash out: a token for somebody (NUT-03). */
  | "send"
  /** Ecash out: top-ups for one seller, many made by one swap and handed over one by one (NUT-11). */
  | "strip"
  /** Ecash out: a payment channel with one seller, funded by one swap (NUT-11, SIG_ALL). */
  | "channel"
  /** Ecash in: a payment channel of one payer, closed by one swap. */
  | "channel-close"
  /** Ecash in: tokens and payments redeemed in one swap (NUT-03). */
  | "redeem"
  /** Lightning out: an invoice paid by a melt (NUT-05, NUT-08). */
  | "melt"
  /** Ecash of one mint for ecash of another: a melt and a mint that belong together. */
  | "swap"
  /** Ecash found again from the seed words (NUT-09, NUT-13). */
  | "restore";

/**
 * Where an operation stands for whoever does not know its kind.
 *
 *     open ──▶ done       what was asked is done
 *      │ ▲───▶ failed     ended without effect: nothing was lost, what was reserved is free again
 *      ▼ │
 *     attention           cannot go on by itself and has not ended: evidence is kept, a person looks
 */
export type OperationStatus = "open" | "done" | "failed" | "attention";

/** One row of the journal. `plan` is JSON without bigints, written by the kind's own code. */
export interface Operation<Plan = unknown> {
  /** 16 random bytes in hex. */
  readonly id: string;
  readonly kind: OperationKind;
  /** A state of its kind. */
  readonly state: string;
  readonly status: OperationStatus;
  /** Grows by one with each change: whoever changes it must have seen the last. */
  readonly rev: number;
  /** The mint whose ecash it spends or makes; of a swap, the mint that is paid from. */
  readonly mint: MintUrl;
  /** Of a swap, the mint that is paid to. */
  readonly peerMint?: MintUrl;
  /** What was asked for, without fees, in sat. */
  readonly amount: bigint;
  /** Fees paid so far, in sat. */
  readonly fee: bigint;
  readonly plan: Plan;
  /** The operation that began this one. */
  readonly parent?: string;
  /** When to go on, in milliseconds since 1970; absent when nothing but an event or a person helps. */
  readonly nextAtMs?: number;
  /** Tries without progress in this state, for backoff. */
  readonly attempts: number;
  /** Why it waits, failed or needs attention, in words without secrets. */
  readonly reason?: string;
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** A request that may have an effect, exactly as it is sent each time (NUT-19 wants the same bytes). */
export interface FrozenRequest {
  readonly operationId: string;
  /** `mint`, `swap`, `melt`, `fence`, …: once for each operation. */
  readonly phase: string;
  readonly path: "/v1/mint/bolt11" | "/v1/swap" | "/v1/melt/bolt11";
  /** JSON. Holds secrets. */
  readonly body: string;
  /** Of a mint request: the same with the older signature of NUT-20, for mints that know only that. */
  readonly legacyBody?: string;
  /** How often it was handed to the network; counted and on disk before each time. */
  readonly sendCount: number;
  /** When its mint first said that its inputs are spent and that it signed none of its outputs. */
  readonly doubtSinceMs?: number;
}
