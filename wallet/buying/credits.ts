/**
 * Credit that is left at sellers, by our own reckoning, and what of it they paid back.
 *
 *     token of a seller ─▶ payment of ours, its id names the seller ─▶ booked in the seller's account
 *
 * The sum of those payments is what it paid back: whatever dies in between, it is found again.
 */
import { createHash } from "node:crypto";
import { msatOf, UNITS_PER_SAT } from "../credit_units.ts";
import type { SagaContext } from "../operations/saga.ts";
import type { SellerAccount } from "../store/buying_store.ts";

/** What one seller has of us. */
export interface SellerCredit {
  readonly peerId: string;
  /** Paid and neither used, given up nor paid back, in msat. */
  readonly leftMsat: number;
  /** Handed over and not taken back after the locktime, in sat. */
  readonly paidSat: number;
  /** What verified content cost, in msat. */
  readonly usedMsat: number;
  /** Paid back, in sat. */
  readonly refundedSat: number;
  /** Nothing is bought of it until then, in milliseconds since 1970; null when it is not avoided. */
  readonly avoidUntilMs: number | null;
  /** When it was paid, or delivered, last. */
  readonly movedMs: number;
}

/** Longest id of a payment is 64 characters, and a peer id of Ed25519 has 52. */
const PEER_CHARS = 52;

/** Every seller that has anything of us, those dealt with last first. */
export function sellerCredits({ store, clock }: SagaContext): SellerCredit[] {
  return store.sellerAccounts().map((account) => creditOf(account, clock.nowMs()))
    .filter(({ leftMsat, refundedSat }) => leftMsat > 0 || refundedSat > 0);
}

/** The id of the payment by which `token` of a seller is taken in: the same each time. */
export function refundIdOf(peerId: string, token: string): string {
  return refundPrefixOf(peerId) + createHash("sha256").update(token).digest("hex").slice(0, 8);
}

/** Books what a seller paid back and is not in its account yet. Returns whether there was anything. */
export function bookRefunds({ store }: SagaContext, peerId: string): boolean {
  const prefix = refundPrefixOf(peerId);
  const refunded = store.incomingPayments({ payer: "local" })
    .filter(({ paymentId, state }) => paymentId.startsWith(prefix) && state !== "dead")
    .reduce((sum, { amount }) => sum + amount, 0n);
  if (refunded <= (store.sellerAccount(peerId)?.refunded ?? 0n)) return false;
  store.transact((tx) => tx.putRefunded(peerId, refunded));
  return true;
}

function refundPrefixOf(peerId: string): string {
  return `rf:${peerId.slice(-PEER_CHARS)}:`;
}

function creditOf(account: SellerAccount, nowMs: number): SellerCredit {
  const { peer, paid, used, lost, refunded, avoidUntilMs = 0, movedMs } = account;
  const left = paid * UNITS_PER_SAT - used - lost;
  return {
    peerId: peer,
    leftMsat: left > 0n ? Number(msatOf(left)) : 0,
    paidSat: Number(paid),
    usedMsat: Number(msatOf(used)),
    refundedSat: Number(refunded),
    avoidUntilMs: avoidUntilMs > nowMs ? avoidUntilMs : null,
    movedMs,
  };
}
