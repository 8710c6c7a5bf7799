/**
 * Where the ecash of a strip of top-ups comes from: as many of them as can be paid for, directly if any
 * can be; else by a swap into a trusted mint of the seller's (the rules of `plan_payment.ts`).
 */
import type { SagaContext } from "../operations/saga.ts";
import type { MintUrl } from "../types.ts";
import { type AffordablePlan, planPayment, rankPlans } from "./plan_payment.ts";
import { type LegCost, type Planning, planningOf } from "./terms.ts";

/** What is wanted. */
export interface StripWish {
  /** Mints that the seller takes. */
  readonly accepted: readonly MintUrl[];
  /** What each top-up is worth to the seller, in sat. */
  readonly net: bigint;
  /** Top-ups at most. */
  readonly countMax: number;
  /** Most for all fees of top-ups that are worth so much together. */
  readonly feeMaxOf: (amount: bigint) => bigint;
  readonly homeMint?: MintUrl;
  /** Whether a way was tried and failed. */
  readonly wasTried?: (leg: AffordablePlan) => boolean;
  readonly signal?: AbortSignal;
}

/** A way to pay for `count` top-ups; or why there is none. */
export type StripWay =
  | {
    readonly kind: "way";
    readonly leg: AffordablePlan;
    readonly count: number;
    readonly cost: LegCost | undefined;
  }
  | { readonly kind: "insufficient"; readonly reason: string };

/** Asks the mints that it concerns what they take. @throws `signal.reason` */
export async function planStrip(context: SagaContext, wish: StripWish): Promise<StripWay> {
  const { accepted, net, homeMint, signal } = wish;
  const planning = await planningOf(context, accepted, {
    part: net,
    ...homeMint === undefined ? {} : { homeMint },
    ...signal === undefined ? {} : { signal },
  });
  for (const kind of ["direct", "swap"] as const) {
    const way = mostOf(planning, wish, kind);
    if (way !== undefined) return way;
  }
  const terms = { ...planning.terms, feeMax: wish.feeMaxOf(net) };
  const plan = planPayment(planning.holdings, accepted, net, terms);
  return plan.kind === "insufficient"
    ? plan
    : { kind: "insufficient", reason: "every way to pay was tried and failed" };
}

/** The largest count that can be paid for in ways of one kind, by halving. */
function mostOf(
  planning: Planning,
  wish: StripWish,
  kind: AffordablePlan["kind"],
): (StripWay & { readonly kind: "way" }) | undefined {
  const { accepted, net, countMax, feeMaxOf, wasTried = () => false } = wish;
  const wayOf = (count: number) => {
    const amount = net * BigInt(count);
    const terms = { ...planning.terms, feeMax: feeMaxOf(amount) };
    const leg = rankPlans(planning.holdings, accepted, amount, terms)
      .find((plan) => plan.kind === kind && !wasTried(plan));
    return leg && { kind: "way" as const, leg, count, cost: planning.costOf(leg, amount) };
  };
  const all = wayOf(countMax);
  if (all !== undefined) return all;
  let best: ReturnType<typeof wayOf>;
  // One top-up more is never cheaper: what can be paid for is all below some count.
  let low = 1;
  let high = countMax - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const way = wayOf(middle);
    if (way === undefined) high = middle - 1;
    else {
      best = way;
      low = middle + 1;
    }
  }
  return best;
}
