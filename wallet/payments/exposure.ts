/** How much credit is given for ecash that is not redeemed, and how fast redemptions begin. */
import type { Clock } from "../../src/core/ports.ts";
import type { BatchPolicy } from "../operations/redeem_plan.ts";
import type { IncomingPayment, WalletReads } from "../store/wallet_store.ts";
import type { MintUrl } from "../types.ts";
import { QUEUED_SPACING_MS } from "./limits.ts";
import type { IntakePolicy } from "./policy.ts";

/** Where a payment would bring what is credited and not redeemed. */
export type Exposure =
  /** There is room. */
  | "low"
  /** Soon there is none: it is time to redeem. */
  | "high"
  /** More than the policy allows: the payment is redeemed before it counts. */
  | "over";

/** Three quarters of what is allowed are high. */
export function exposureWith(
  reads: Pick<WalletReads, "unredeemedSat">,
  { mint, payer, amount }: Pick<IncomingPayment, "mint" | "payer" | "amount">,
  policy: Pick<IntakePolicy, "unredeemedPerMintMaxSat" | "unredeemedPerPayerMaxSat">,
): Exposure {
  const { unredeemedPerMintMaxSat: mintMax, unredeemedPerPayerMaxSat: payerMax } = policy;
  const ofMint = amount + reads.unredeemedSat({ mint });
  const ofPayer = amount + reads.unredeemedSat({ payer });
  if (ofMint > mintMax || ofPayer > payerMax) return "over";
  return 4n * ofMint >= 3n * mintMax || 4n * ofPayer >= 3n * payerMax ? "high" : "low";
}

/**
 * What does not count yet is redeemed at once, but those that come soon after are taken together: a
 * stranger must not use up how often this mint lets us ask.
 */
export class QueuedPace {
  readonly #clock: Clock;
  /** When a redemption last began, or will. */
  readonly #atMs = new Map<MintUrl, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** When the batch of one more payment of `mint` closes. */
  next(mint: MintUrl, batch: BatchPolicy): BatchPolicy {
    const nowMs = this.#clock.monotonicMs();
    const lastMs = this.#atMs.get(mint) ?? -Infinity;
    const atMs = lastMs > nowMs ? lastMs : Math.max(nowMs, lastMs + QUEUED_SPACING_MS);
    this.#atMs.set(mint, atMs);
    const waitMs = atMs - nowMs;
    return { ...batch, idleMs: waitMs, lingerMs: waitMs };
  }
}
