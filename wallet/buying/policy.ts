/** What may be bought on which terms, and how much of it: pure. */
import { isPoint } from "../cashu.ts";
import { UNITS_PER_SAT, unitsOf } from "../credit_units.ts";
import { STRIP_PARTS_MAX } from "../operations/limits.ts";
import { type Budgets, budgetTrouble } from "../payments/budgets.ts";
import type { WalletReads } from "../store/wallet_store.ts";
import type { BuyerOptions, SellerTerms } from "./buying_api.ts";
import { LOCKTIME_MIN_MAX, SELLER_MINTS_MAX, TOP_UP_MIB_MAX, TOP_UP_SAT_FREE } from "./limits.ts";

const DAY_MS = 24 * 3_600_000;

/** Bytes in a MiB. */
const MIB = 1_048_576;

/** Why nothing is bought on these terms, in words; undefined when it is. */
export function termsTrouble(terms: SellerTerms, options: BuyerOptions): string | undefined {
  const { priceMsatPerMiB, minTopUpSat, locktimeMin } = terms;
  if (!isWhole(priceMsatPerMiB) || !isWhole(minTopUpSat) || !isWhole(locktimeMin)) {
    return "the seller's terms are no whole numbers";
  }
  if (priceMsatPerMiB < 1 || minTopUpSat < 1) return "the seller's terms ask for nothing";
  if (priceMsatPerMiB > options.priceMaxMsatPerMiB) {
    return `it asks ${priceMsatPerMiB} msat per MiB, and at most ${options.priceMaxMsatPerMiB} are paid`;
  }
  const worth = unitsOf(TOP_UP_MIB_MAX * MIB, priceMsatPerMiB);
  if (minTopUpSat > TOP_UP_SAT_FREE && BigInt(minTopUpSat) * UNITS_PER_SAT > worth) {
    return `it wants ${minTopUpSat} sat at once, which is for more than ${TOP_UP_MIB_MAX} MiB`;
  }
  if (locktimeMin > LOCKTIME_MIN_MAX) {
    return `it wants payments locked for ${locktimeMin} minutes, and at most ${LOCKTIME_MIN_MAX} are allowed`;
  }
  if (!isPoint(terms.p2pk)) return "its payment key is no key";
  if (terms.mints.length === 0) return "it names no mint";
  if (terms.mints.length > SELLER_MINTS_MAX) return "it names too many mints";
  return undefined;
}

/** What a session buys for. */
export interface Spending {
  readonly subject: string;
  readonly payee: string;
  /** When the buyer was made, in milliseconds since 1970: its own budget counts from then. */
  readonly sinceMs: number;
}

/** Sat that may still be spent, by every budget; undefined for no limit. */
export function budgetLeft(
  reads: Pick<WalletReads, "spentSat">,
  spending: Spending,
  options: {
    readonly budgets: Budgets;
    readonly buyer: Pick<BuyerOptions, "budgetSat" | "confirmed">;
    readonly nowMs: number;
  },
): bigint | undefined {
  const { budgets, buyer, nowMs } = options;
  const { subject, payee } = spending;
  const dayMs = nowMs - DAY_MS;
  const limits: (readonly [bigint, () => bigint])[] = [];
  const add = (max: bigint | undefined, spent: () => bigint) => {
    if (max !== undefined) limits.push([max, spent]);
  };
  if (buyer.confirmed !== true) {
    add(budgets.perSubjectMaxSat, () => reads.spentSat({ subject }));
    add(budgets.perPayeeMaxSat, () => reads.spentSat({ payee, sinceMs: dayMs }));
    add(budgets.perDayMaxSat, () => reads.spentSat({ sinceMs: dayMs }));
  }
  const own = buyer.budgetSat === undefined ? undefined : BigInt(buyer.budgetSat);
  add(own, () => reads.spentSat({ subject, sinceMs: spending.sinceMs }));
  const left = limits.map(([max, spent]) => max - spent());
  if (left.length === 0) return undefined;
  const least = left.reduce((a, b) => a < b ? a : b);
  return least > 0n ? least : 0n;
}

/** Why so much more is not spent, in words; undefined when it may be. */
export function spendTrouble(
  reads: Pick<WalletReads, "spentSat">,
  spending: Spending & { readonly costMax: bigint },
  options: {
    readonly budgets: Budgets;
    readonly buyer: Pick<BuyerOptions, "budgetSat" | "confirmed">;
    readonly nowMs: number;
  },
): string | undefined {
  const { buyer, budgets, nowMs } = options;
  const { subject, costMax, sinceMs } = spending;
  const trouble = buyer.confirmed ? undefined : budgetTrouble(reads, spending, { budgets, nowMs });
  if (trouble !== undefined || buyer.budgetSat === undefined) return trouble;
  const spent = reads.spentSat({ subject, sinceMs });
  if (spent + costMax <= BigInt(buyer.budgetSat)) return undefined;
  return `up to ${costMax} sat more would be above the ${buyer.budgetSat} sat that it may cost, ` +
    `of which ${spent} sat are spent or reserved`;
}

/** What strip length depends on. Amounts in units unless they are in sat. */
export interface StripNeed {
  /** What the content may still cost; undefined when nobody knows. */
  readonly remaining: bigint | undefined;
  /** What is there already, prepaid and in hidden top-ups. */
  readonly covered: bigint;
  readonly minTopUpSat: number;
  /** Sat that may still be spent; undefined for no limit. */
  readonly leftSat: bigint | undefined;
  /** @default {STRIP_PARTS_MAX} */
  readonly countMax?: number;
}

/** How many top-ups a new strip has at most; 0 for none. */
export function stripCount(need: StripNeed): number {
  const { remaining, covered, minTopUpSat, leftSat } = need;
  const net = BigInt(minTopUpSat);
  const unit = net * UNITS_PER_SAT;
  const counts = [BigInt(need.countMax ?? STRIP_PARTS_MAX)];
  if (remaining !== undefined) {
    const open = remaining - (covered > 0n ? covered : 0n);
    counts.push(open <= 0n ? 0n : (open + unit - 1n) / unit);
  }
  if (leftSat !== undefined) counts.push(leftSat / net);
  return Number(counts.reduce((a, b) => a < b ? a : b));
}

/** The most that the fees of top-ups may be when nobody says, as for single payments. */
export function stripFeeMax(amount: bigint): bigint {
  return 20n + amount / 10n;
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
