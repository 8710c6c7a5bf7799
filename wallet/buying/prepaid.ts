/**
 * How much is prepaid at one seller, and when the next top-up is due: pure arithmetic in units of
 * 2^-20 msat (`wallet/credit_units.ts`), exact.
 *
 *     at risk = handed over − verified − written off      never above two minimum top-ups
 *     there   = at risk − refused − what the seller says is missing
 *
 * The next payment is due when half a top-up or less is there, and at risk is little enough that it
 * stays within the bound with it. What the seller says makes a payment due earlier, since bytes are on
 * their way that it has counted and we have not; it never moves the bound. What it refused counts as at
 * risk until it is ours again, because it has the token.
 */
import { GROUP_BYTES, UNITS_PER_MSAT, unitsOf } from "../credit_units.ts";

/** Sums of one seller, in units. */
export interface PrepaidSums {
  /** Credit of all payments that were handed over and did not come back. */
  readonly paid: bigint;
  /** Cost of content that verified. */
  readonly used: bigint;
  /** Given up: what a seller kept, or what expired there. */
  readonly lost: bigint;
  /** Of what is paid: what the seller said it does not take. */
  readonly refused: bigint;
}

/** What a payment would be worth, and what the least is that the seller takes, in units. */
export interface TopUp {
  readonly least: bigint;
  readonly value: bigint;
}

/** Minimum top-ups that may be at risk at a seller at any time. */
export const TOP_UPS_AT_RISK_MAX = 2n;

/** See the head of this file. */
export class Prepaid {
  #paid: bigint;
  #used: bigint;
  #lost: bigint;
  #refused: bigint;
  /** What the seller says is less than what we reckon: bytes on their way, or a lie. */
  #missing = 0n;

  constructor(sums: PrepaidSums) {
    this.#paid = sums.paid;
    this.#used = sums.used;
    this.#lost = sums.lost;
    this.#refused = sums.refused;
  }

  get used(): bigint {
    return this.#used;
  }

  get paid(): bigint {
    return this.#paid;
  }

  /** What the seller says is less than what we reckon. */
  get missing(): bigint {
    return this.#missing;
  }

  /** What the seller could keep without having delivered; negative when it delivered ahead. */
  get atRisk(): bigint {
    return this.#paid - this.#used - this.#lost;
  }

  /** What we may count on. */
  get there(): bigint {
    return this.atRisk - this.#refused - this.#missing;
  }

  /** Sums as they are on disk now, but for what is used, which only grows here. */
  reload(sums: Pick<PrepaidSums, "paid" | "lost" | "refused">): void {
    this.#paid = sums.paid;
    this.#lost = sums.lost;
    this.#refused = sums.refused;
  }

  /**
   * Content that verified. More than one group beyond what was paid is a present: who gives it has no
   * claim to be paid more at once for it. Returns what it cost.
   */
  verified(bytes: number, priceMsatPerMiB: number): bigint {
    const cost = unitsOf(bytes, priceMsatPerMiB);
    const owed = unitsOf(GROUP_BYTES, priceMsatPerMiB);
    const room = this.atRisk + owed;
    const counted = cost < room ? cost : room > 0n ? room : 0n;
    this.#used += counted;
    return counted;
  }

  /** The seller says what is left. */
  told(creditMsat: number): void {
    const missing = this.atRisk - this.#refused - BigInt(creditMsat) * UNITS_PER_MSAT;
    this.#missing = missing > 0n ? missing : 0n;
  }

  /** Whether half a top-up or less is left. */
  isLow({ least }: Pick<TopUp, "least">): boolean {
    return this.there * 2n <= least;
  }

  /** Whether paying `value` more keeps what is at risk within two minimum top-ups. */
  mayRisk({ least, value }: TopUp): boolean {
    return this.atRisk + value <= TOP_UPS_AT_RISK_MAX * least;
  }

  /** Whether the next payment is to be handed over now. */
  isDue(topUp: TopUp): boolean {
    return this.isLow(topUp) && this.mayRisk(topUp);
  }
}
