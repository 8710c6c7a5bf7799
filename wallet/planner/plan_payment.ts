/**
 * Which mint pays, and how: pure arithmetic over what is held, what the payee takes, and what it costs.
 *
 * 1. Direct beats swap: ecash of an accepted mint that is here already leaves us at once, so that its
 *    mint needs no more trust than being listed.
 * 2. A swap goes into a trusted mint only: for a moment its ecash is ours.
 * 3. The home mint breaks ties, then liquidity (how well the swap's route worked, what it cost and how
 *    long it took), then the lower fee, then the larger holding, then the address. A route that failed
 *    lately comes after all others.
 * 4. Otherwise the funds are insufficient, and the caller uses the origin.
 */
import { orderRoutes } from "../routes/mod.ts";
import type { RouteRecord } from "../store/wallet_store.ts";
import type { MintTrust, MintUrl } from "../types.ts";

/** What is free to spend at one mint, in sat. */
export interface Holding {
  readonly mint: MintUrl;
  readonly free: bigint;
}

/** A way to pay, as far as its cost goes. */
export type PaymentLeg =
  | { readonly kind: "direct"; readonly mint: MintUrl }
  | { readonly kind: "swap"; readonly from: MintUrl; readonly to: MintUrl };

/** A way to pay that can be afforded. `amount` is what the payee nets, `feeMax` the most on top. */
export type AffordablePlan = PaymentLeg & { readonly amount: bigint; readonly feeMax: bigint };

/** One of them that goes over Lightning. */
type SwapPlan = AffordablePlan & { readonly kind: "swap" };

/** What {@link planPayment} found. */
export type Plan = AffordablePlan | { readonly kind: "insufficient"; readonly reason: string };

/** What planning depends on besides holdings. */
export interface PlanTerms {
  /** Trust of a listed mint that may be used; undefined for what is not listed, or blocked. */
  readonly trust: (mint: MintUrl) => MintTrust | undefined;
  /** The most that `amount` costs on top of itself, in sat; undefined if it can't be done that way. */
  readonly feeOf: (leg: PaymentLeg, amount: bigint) => bigint | undefined;
  /** How swaps went, as seen at `nowMs`. */
  readonly routes?: readonly RouteRecord[];
  readonly nowMs?: number;
  readonly homeMint?: MintUrl;
  /** Most for all fees. */
  readonly feeMax?: bigint;
  /** Most for the amount and all fees. */
  readonly costMax?: bigint;
}

/** The best way to pay `amount` sat to somebody who takes ecash of `accepted` mints. */
export function planPayment(
  holdings: readonly Holding[],
  accepted: readonly MintUrl[],
  amount: bigint,
  terms: PlanTerms,
): Plan {
  const [best] = rankPlans(holdings, accepted, amount, terms);
  return best ?? {
    kind: "insufficient",
    reason: whyNot(holdings, accepted, amount, terms),
  };
}

/** Every affordable way to pay, the best first. */
export function rankPlans(
  holdings: readonly Holding[],
  accepted: readonly MintUrl[],
  amount: bigint,
  terms: PlanTerms,
): AffordablePlan[] {
  if (amount <= 0n) {
    throw new RangeError(`Cannot plan a payment of ${amount} sat: 1 or more wanted`);
  }
  const plans = legsOf(holdings, accepted, terms)
    .flatMap((leg) => priced(leg, amount, holdings, terms));
  const tie = (a: AffordablePlan, b: AffordablePlan) => compareCost(a, b, holdings);
  const first = (a: AffordablePlan, b: AffordablePlan) => compareHome(a, b, terms);
  const direct = plans.filter((plan) => plan.kind === "direct")
    .sort((a, b) => first(a, b) || tie(a, b) || compareText(sourceOf(a), sourceOf(b)));
  const swaps = plans.filter((plan): plan is SwapPlan => plan.kind === "swap");
  return [...direct, ...orderRoutes(swaps, terms.routes ?? [], terms.nowMs ?? 0, { first, tie })];
}

function legsOf(
  holdings: readonly Holding[],
  accepted: readonly MintUrl[],
  terms: PlanTerms,
): PaymentLeg[] {
  const listed = [...new Set(accepted)].filter((mint) => terms.trust(mint) !== undefined);
  const sources = holdings.filter((held) => held.free > 0n && terms.trust(held.mint) !== undefined);
  const direct = sources.filter((held) => listed.includes(held.mint))
    .map((held): PaymentLeg => ({ kind: "direct", mint: held.mint }));
  const swaps = listed.filter((mint) => terms.trust(mint) === "trusted").flatMap((to) =>
    sources.filter((held) => held.mint !== to)
      .map((held): PaymentLeg => ({ kind: "swap", from: held.mint, to }))
  );
  return [...direct, ...swaps];
}

function priced(
  leg: PaymentLeg,
  amount: bigint,
  holdings: readonly Holding[],
  terms: PlanTerms,
): AffordablePlan[] {
  const feeMax = terms.feeOf(leg, amount);
  if (feeMax === undefined || feeMax < 0n) return [];
  const cost = amount + feeMax;
  if (cost > freeAt(sourceOf(leg), holdings)) return [];
  if (terms.feeMax !== undefined && feeMax > terms.feeMax) return [];
  if (terms.costMax !== undefined && cost > terms.costMax) return [];
  return [{ ...leg, amount, feeMax }];
}

/** Into the home mint before out of it, and that before others. */
function compareHome(a: PaymentLeg, b: PaymentLeg, { homeMint }: PlanTerms): number {
  const distance = (mint: MintUrl) => mint === homeMint ? 0 : 1;
  return distance(targetOf(a)) - distance(targetOf(b)) ||
    distance(sourceOf(a)) - distance(sourceOf(b));
}

/** The lower fee, then the larger holding. */
function compareCost(
  a: AffordablePlan,
  b: AffordablePlan,
  holdings: readonly Holding[],
): number {
  return sign(a.feeMax - b.feeMax) ||
    sign(freeAt(sourceOf(b), holdings) - freeAt(sourceOf(a), holdings));
}

function whyNot(
  holdings: readonly Holding[],
  accepted: readonly MintUrl[],
  amount: bigint,
  terms: PlanTerms,
): string {
  const total = holdings.reduce((sum, held) => sum + held.free, 0n);
  const ways = legsOf(holdings, accepted, terms);
  if (total < amount) return `${amount} sat wanted and ${total} sat are free in all mints together`;
  if (ways.length === 0) {
    return "the payee takes no mint where money is free, and none that is trusted to swap into";
  }
  const best = ways.map((leg) => freeAt(sourceOf(leg), holdings))
    .reduce((most, free) => free > most ? free : most, 0n);
  if (best < amount) {
    return `${amount} sat wanted and no single mint that can pay has more than ${best} sat free`;
  }
  const fees = ways.flatMap((leg) => terms.feeOf(leg, amount) ?? []);
  if (fees.length === 0) return "no mint that could pay is reachable or has the right amounts";
  const least = fees.reduce((a, b) => a < b ? a : b);
  return `with fees of at least ${least} sat it is more than what is free or allowed`;
}

function sourceOf(leg: PaymentLeg): MintUrl {
  return leg.kind === "direct" ? leg.mint : leg.from;
}

function targetOf(leg: PaymentLeg): MintUrl {
  return leg.kind === "direct" ? leg.mint : leg.to;
}

function freeAt(mint: MintUrl, holdings: readonly Holding[]): bigint {
  return holdings.reduce((sum, held) => held.mint === mint ? sum + held.free : sum, 0n);
}

function sign(difference: bigint): number {
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
