/**
 * Which kills there are. A kill while content flows costs its buyer what was on its way, and a buyer
 * risks two least payments at one seller and no more: so such a kill is alone in its fetch, and those
 * that cost nothing come before it or after the content.
 */
import type { Campaign, Kill, Side } from "./campaign.ts";

function kills(side: Side, points: readonly string[], count = 1): Kill[] {
  return points.map((point) => ({ side, point, count }));
}

function around(states: readonly string[]): string[] {
  return states.flatMap((state) => [`${state}.before-commit`, `${state}.after-commit`]);
}

function sent(phase: string): string[] {
  return [`${phase}.before-send`, `${phase}.after-send`];
}

/** Every point of a swap between mints that goes well, in order; the split because of large coins. */
export const SWAP_POINTS: readonly string[] = [
  "swap.intent.after-quote",
  ...around(["swap.intent", "swap.dest-quoted"]),
  "swap.dest-planned.after-quote",
  ...around(["swap.dest-planned", "swap.source-quoted", "swap.prepared"]),
  ...sent("swap.split"),
  ...around(["swap.source-splitting", "swap.source-ready"]),
  ...sent("swap.melt"),
  ...around(["swap.source-inflight", "swap.source-paid", "swap.awaiting-dest"]),
  ...sent("swap.mint"),
  ...around(["swap.issuing", "swap.change-due"]),
];

/** Every point of making a strip, in order. */
export const STRIP_POINTS: readonly string[] = [
  ...around(["strip.planned", "strip.prepared"]),
  ...sent("strip.swap"),
  ...around(["strip.swap-inflight"]),
];

/** Every point of taking back what is left of one. */
export const LATE_POINTS: readonly string[] = [
  ...around(["strip.ready"]),
  ...sent("strip.reclaim"),
  ...around(["strip.reclaim-inflight"]),
];

/** Every point of a redemption that goes well, in order. */
export const REDEEM_POINTS: readonly string[] = [
  ...around(["redeem.collecting", "redeem.prepared"]),
  ...sent("redeem.swap"),
  ...around(["redeem.swap-inflight"]),
];

/** Points of a buyer before any content flows. */
export const BUYER_FIRST_POINTS: readonly string[] = [
  "pay.next.before",
  "pay.next.after",
  "wire.want.before-send",
];

/** Points of a buyer that cost something. */
export const BUYER_FLOW_POINTS: readonly string[] = [
  "strip.reveal.before-commit",
  "strip.reveal.after-commit",
  "wire.want.after-send",
  "pay.answered.before",
  "pay.answered.after",
  "pay.verified.before",
  "pay.verified.after",
  "wire.top-up.before-send",
  "wire.top-up.after-send",
];

/** Points of a buyer once it has everything. */
export const BUYER_LAST_POINTS: readonly string[] = ["pay.close.before", "pay.close.after"];

/** Points of a seller before any content flows, in order. */
export const SELLER_FIRST_POINTS: readonly string[] = [
  "wire.payment-required.before-send",
  "wire.payment-required.after-send",
  "gate.decide.before",
  "gate.decide.after",
  "gate.pay.before",
  ...around(["redeem.take"]),
  "gate.pay.after",
  "meter.open.after",
  ...sent("wire.granted"),
  "meter.take.before",
  "sell.slice.before-commit",
];

/** Points of a seller that cost something. */
export const SELLER_FLOW_POINTS: readonly string[] = [
  "sell.slice.after-commit",
  "meter.take.after",
  ...sent("wire.data"),
  ...sent("wire.low"),
  ...sent("wire.credited"),
  ...sent("wire.end"),
  "meter.close.before",
  "meter.close.after",
];

/** All points, for who wants to see that none is forgotten. */
export const ALL_POINTS: readonly string[] = [
  ...[...SWAP_POINTS, ...STRIP_POINTS, ...LATE_POINTS, ...REDEEM_POINTS],
  ...[...BUYER_FIRST_POINTS, ...BUYER_FLOW_POINTS, ...BUYER_LAST_POINTS],
  ...[...SELLER_FIRST_POINTS, ...SELLER_FLOW_POINTS],
];

/** A balance in coins of which none fits what a strip costs, so that the swap has to split one. */
const LARGE_COINS_SAT = 5120;

/** Fetches that need two strips, and die on the way into them. */
export const FILM_CAMPAIGNS: readonly Campaign[] = [
  {
    name: "buyer-swap",
    startSat: LARGE_COINS_SAT,
    kills: kills("buyer", SWAP_POINTS),
  },
  {
    name: "seller-first",
    isAdvertised: false,
    kills: [
      ...kills("seller", SELLER_FIRST_POINTS),
      ...kills("seller", ["meter.take.after"], 40),
      ...kills("buyer", BUYER_LAST_POINTS),
    ],
  },
  {
    name: "buyer-strip",
    boughtPart: 1.5,
    kills: [
      ...kills("buyer", STRIP_POINTS),
      ...kills("buyer", BUYER_FIRST_POINTS),
      ...kills("buyer", ["strip.reveal.after-commit"], 11),
    ],
    lateFaults: LATE_POINTS.map((point) => `${point}:1`),
  },
];

/** Fetches of which each dies once while content flows, and where that costs nothing. */
export const CLIP_CAMPAIGNS: readonly Campaign[] = [
  ...BUYER_FLOW_POINTS.map((point, index): Campaign => ({
    name: point,
    kills: kills("buyer", [point], 2 + index % 3),
  })),
  ...SELLER_FLOW_POINTS.map((point, index): Campaign => ({
    name: point,
    kills: kills("seller", [point], 1 + index % 3),
  })),
  { name: "seller-redeem", kills: kills("seller", REDEEM_POINTS) },
];

/** One campaign for each point and each of `counts`: the whole cross product. */
export function crossProduct(counts: readonly number[]): Campaign[] {
  const isLate = new Set(LATE_POINTS);
  const isSellers = new Set([...REDEEM_POINTS, ...SELLER_FIRST_POINTS, ...SELLER_FLOW_POINTS]);
  return ALL_POINTS.flatMap((point) =>
    counts.map((count): Campaign => ({
      name: `${point}:${count}`,
      boughtPart: isLate.has(point) ? 1.5 : 1,
      isAdvertised: !point.startsWith("wire.payment-required"),
      ...point.startsWith("swap.") ? { startSat: LARGE_COINS_SAT } : {},
      kills: isLate.has(point)
        ? []
        : kills(isSellers.has(point) ? "seller" : "buyer", [point], count),
      lateFaults: isLate.has(point) && count === 1 ? [`${point}:1`] : [],
    }))
  );
}
