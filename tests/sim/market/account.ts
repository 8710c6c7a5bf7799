/**
 * What one buyer and one seller have of each other, both sides' books beside each other. The buyer's
 * side runs on the wallet's own rule of what may be prepaid; the seller's serves a group as long as
 * anything is left before it, to whoever paid once, as `wallet/selling/live_credit.ts` does.
 */
import { CREDIT_AGE_MS_MAX, REFUSALS_MAX } from "../../../wallet/buying/limits.ts";
import { Prepaid } from "../../../wallet/buying/prepaid.ts";
import { UNITS_PER_SAT, unitsOf } from "../../../wallet/credit_units.ts";
import { avoidMsAfter } from "../../../wallet/operations/avoid_seller.ts";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import type { Till } from "../swarm_model.ts";
import type { BuyerNode, SellerNode } from "./conduct.ts";

/** What buyers and sellers hold to; mutants change single ones to show that the checks see it. */
export interface Rules {
  /** Whether a payment waits until what is at risk stays within two least payments. */
  readonly boundsRisk: boolean;
  /** Chunk groups that an honest seller serves beyond the credit. */
  readonly graceGroups: number;
  /** Whether buyers remember who served them badly. */
  readonly remembers: boolean;
  /** How long a buyer stays away from who cheated it, by how often that was so before. */
  readonly avoidMsAfter: (strikes: number) => number;
  /** Whether sellers look at what they are paid with. */
  readonly checksTokens: boolean;
}

/** As nodes are. */
export const RULES: Rules = {
  boundsRisk: true,
  graceGroups: 1,
  remembers: true,
  avoidMsAfter,
  checksTokens: true,
};

/** Milliseconds of a day. */
const DAY_MS = 86_400_000;

/** The price that no buyer's policy pays, as a multiple of what a raiser advertised. */
const RAISE = 50;

/** A token: whom it is locked to, what it is worth, and which one it is. */
interface Token {
  readonly lockedTo: string;
  readonly sat: number;
  readonly serial: number;
}

/** See the head of this file. */
export class Account implements Till {
  /** Fetches for which the buyer could have asked the seller. */
  meetings = 0;
  readonly buyer: BuyerNode;
  readonly seller: SellerNode;
  /** Sat that the buyer handed over, that the seller has as good tokens, and that came back. */
  handedSat = 0;
  takenSat = 0;
  /** Bytes that the seller charged for, and those that the buyer verified. */
  soldBytes = 0;
  verifiedBytes = 0;
  /** Units that were at risk at most, above what two least payments allow; 0 when the rule held. */
  overRisk = 0n;
  /** Units that an honest seller gave beyond its credit, at most. */
  debtMax = 0n;
  /** Times that the buyer gave up what the seller has, and dealt with it anew. */
  forgivenCount = 0;
  readonly #rules: Rules;
  readonly #seen = new Set<number>();
  #paid = 0n;
  #lost = 0n;
  #refused = 0n;
  #prepaid: Prepaid;
  /** The seller's side. */
  #credit = 0n;
  #payments = 0;
  /** The same of this fetch. */
  #sessionPayments = 0;
  #refusals = 0;
  #strikes = 0;
  #avoidUntilDay = -1;
  #movedDay = 0;
  #day = 0;
  #sizeLeft = 0n;

  constructor(buyer: BuyerNode, seller: SellerNode, rules: Rules) {
    this.buyer = buyer;
    this.seller = seller;
    this.#rules = rules;
    this.#prepaid = new Prepaid({ paid: 0n, used: 0n, lost: 0n, refused: 0n });
  }

  /** What the seller has and has not delivered for, in units. */
  get keptUnits(): bigint {
    return this.#prepaid.paid - this.#prepaid.used;
  }

  /** What the seller says is left, in units; below 0 for a present. */
  get creditUnits(): bigint {
    return this.#credit;
  }

  /** The least payment, in units. */
  get leastUnits(): bigint {
    return BigInt(this.seller.minTopUpSat) * UNITS_PER_SAT;
  }

  get #isFree(): boolean {
    return this.seller.priceMsatPerMiB === 0;
  }

  get #isStalling(): boolean {
    return this.seller.conduct === "staller" && this.#sessionPayments >= 2;
  }

  get #hasRaised(): boolean {
    return this.seller.conduct === "raiser" && this.#sessionPayments > 0;
  }

  /** A fetch of at most `size` bytes begins. False when the buyer wants nothing of this seller. */
  begin(day: number, size: number): boolean {
    this.#day = day;
    this.#refusals = 0;
    this.#sessionPayments = 0;
    this.#sizeLeft = unitsOf(size, this.seller.priceMsatPerMiB);
    if (this.#isFree) return true;
    if (!this.#rules.remembers) {
      this.#forgive();
      return true;
    }
    if (day < this.#avoidUntilDay) return false;
    const wasAvoided = this.#avoidUntilDay >= 0 && this.#movedDay <= this.#avoidUntilDay;
    const isOld = (day - this.#movedDay) * DAY_MS >= CREDIT_AGE_MS_MAX;
    if ((isOld || wasAvoided) && this.#prepaid.atRisk > 0n) this.#forgive();
    return true;
  }

  take(count: number): number {
    if (this.#isFree) return count;
    this.#pay();
    const { conduct } = this.seller;
    if (conduct === "taker" || conduct === "refuser") return 0;
    if (this.#isStalling) return 0;
    const price = conduct === "overcharger" ? 2 : this.#hasRaised ? RAISE : 1;
    const group = unitsOf(GROUP_BYTES, this.seller.priceMsatPerMiB * price);
    let taken = 0;
    // One group beyond what is left, and only for who paid once.
    const grace = group * BigInt(this.#rules.graceGroups - 1);
    while (taken < count && this.#credit + grace > 0n && this.#payments > 0) {
      this.#credit -= group;
      taken++;
    }
    this.soldBytes += taken * GROUP_BYTES;
    if (conduct === "honest" && -this.#credit > this.debtMax) this.debtMax = -this.#credit;
    return taken;
  }

  giveBack(count: number): void {
    if (this.#isFree) return;
    this.soldBytes -= count * GROUP_BYTES;
    this.#credit += unitsOf(count * GROUP_BYTES, this.seller.priceMsatPerMiB);
  }

  more(callback: (isPaid: boolean) => void): void {
    // Who has the money and stalls says nothing; the requester's watchdog ends that.
    const isSilent = this.seller.conduct === "taker" || this.#isStalling;
    if (isSilent && this.#payments > 0) return;
    this.#prepaid.told(0);
    const before = this.#credit;
    this.#pay();
    const isPaid = this.#credit > before && this.#credit > 0n;
    if (!isPaid && this.#prepaid.atRisk >= this.leastUnits) this.#avoid();
    callback(isPaid);
  }

  verified(bytes: number): void {
    this.verifiedBytes += bytes;
    if (this.#isFree) return;
    this.#movedDay = this.#day;
    const cost = this.#prepaid.verified(bytes, this.seller.priceMsatPerMiB);
    this.#sizeLeft -= cost;
    this.#pay();
  }

  /** What came did not match: the buyer wants no more of this seller for long. */
  lied(): void {
    this.#avoid();
  }

  /** Hands over payments while one is due. */
  #pay(): void {
    for (let count = 0; count < 4; count++) {
      const sat = this.buyer.conduct === "under-payer"
        ? Math.floor(this.seller.minTopUpSat / 4)
        : this.seller.minTopUpSat;
      const topUp = { least: this.leastUnits, value: BigInt(sat) * UNITS_PER_SAT };
      if (!this.#isDue(topUp)) return;
      if (!this.#hand(this.#token(sat))) return;
    }
  }

  #isDue(topUp: { readonly least: bigint; readonly value: bigint }): boolean {
    const prepaid = this.#prepaid;
    if (this.#refusals >= REFUSALS_MAX || this.#day < this.#avoidUntilDay) return false;
    if (this.buyer.conduct === "gracer" && this.handedSat > 0) return false;
    if (!prepaid.isLow(topUp) || prepaid.there >= this.#sizeLeft) return false;
    // A raised price is above the policy: nothing more is paid.
    if (this.#hasRaised) return false;
    return !this.#rules.boundsRisk || prepaid.mayRisk(topUp);
  }

  #token(sat: number): Token {
    const { conduct } = this.buyer;
    const serial = conduct === "replayer" ? 1 : this.#seen.size + this.#refusals + 1;
    return { lockedTo: conduct === "double-spender" ? "another" : this.seller.id, sat, serial };
  }

  /** Whether it counts, as the seller says. */
  #hand(token: Token): boolean {
    const { seller } = this;
    const isNew = !this.#seen.has(token.serial);
    const isGood = token.lockedTo === seller.id && isNew && token.sat >= seller.minTopUpSat;
    const units = BigInt(token.sat) * UNITS_PER_SAT;
    this.#movedDay = this.#day;
    if (isGood) {
      // Whatever it says of it, the seller can redeem it.
      this.#seen.add(token.serial);
      this.handedSat += token.sat;
      this.takenSat += token.sat;
      this.#paid += units;
    }
    const isRefused = seller.conduct === "refuser" || (!isGood && this.#rules.checksTokens);
    if (isRefused) {
      this.#refusals++;
      if (isGood) this.#refused += units;
    } else {
      this.#payments++;
      this.#sessionPayments++;
      this.#credit += units;
    }
    this.#prepaid.reload({ paid: this.#paid, lost: this.#lost, refused: this.#refused });
    if (!isRefused) this.#prepaid.told(Number.MAX_SAFE_INTEGER);
    const over = this.#prepaid.atRisk - 2n * this.leastUnits;
    if (over > this.overRisk) this.overRisk = over;
    return !isRefused;
  }

  #avoid(): void {
    if (!this.#rules.remembers) return;
    const ms = this.#rules.avoidMsAfter(this.#strikes++);
    this.#avoidUntilDay = this.#day + ms / DAY_MS;
  }

  #forgive(): void {
    this.#lost += this.#prepaid.atRisk;
    this.#refused = 0n;
    this.forgivenCount++;
    this.#prepaid.reload({ paid: this.#paid, lost: this.#lost, refused: 0n });
  }
}
