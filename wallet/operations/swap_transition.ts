/**
 * Where a swap between mints may go from where: pure, total, and the whole of it on one screen.
 *
 *     intent ─▶ dest-quoted ─▶ dest-planned ─▶ source-quoted ─▶ prepared ─▶ (source leg) ─▶ source-paid
 *        ▲                                                        │             │               │
 *        └──────────── quotes went stale, nothing sent ───────────┴─────────────┘               ▼
 *     failed ◀── anywhere before source-paid, without effect                             awaiting-dest
 *                                                                                          │     ▲
 *     completed ◀── change-due ◀── issuing (destination's ecash) ◀─────────────────────────┘     │
 *         ▲                           │  └───────────── "not paid", says it: lag ────────────────┘
 *         └───────────────────────────┘
 *
 * The source leg is that of a melt (`melt_transition.ts`). Once the source has paid there is no way
 * back and no failure: the swap goes on until the destination's ecash is here.
 */
import {
  LEG_TRANSITIONS,
  type LegEvent,
  type LegState,
  type TransitionTable,
} from "./melt_transition.ts";

/** States of a swap. */
export type SwapState =
  /** Nobody was asked for anything. */
  | "intent"
  /** The destination made an invoice that pays a quote locked to our key. */
  | "dest-quoted"
  /** The request for the destination's ecash is frozen; it is not sent before the source has paid. */
  | "dest-planned"
  /** The source named its price for that invoice. */
  | "source-quoted"
  /** What it may cost at most is reserved; nothing was sent. */
  | "prepared"
  | `source-${LegState}`
  /** The source has paid; the destination has not seen it yet. */
  | "awaiting-dest"
  /** The destination has the money; the request for its ecash may be under way. */
  | "issuing"
  /** The destination's ecash is here; the source still owes change. */
  | "change-due"
  | "completed"
  | "failed"
  | "cancelled";

/** What can happen to a swap. */
export type SwapEvent =
  | LegEvent
  | "dest-quoted"
  | "dest-planned"
  | "source-quoted"
  | "reserved"
  /** The source's part is over, as far as the destination is concerned. */
  | "source-settled"
  | "dest-paid"
  /** The destination takes back that it is paid. */
  | "dest-unpaid"
  /** The request to the destination is frozen once more after a conclusive refusal. */
  | "mint-frozen"
  | "issued"
  | "issued-change-due"
  | "change-settled"
  | "cancelled";

/** The source leg with its states' names in a swap. */
const SOURCE = Object.fromEntries(
  (Object.keys(LEG_TRANSITIONS) as (keyof typeof LEG_TRANSITIONS)[]).map((state) => [
    named(state),
    Object.fromEntries(
      Object.entries(LEG_TRANSITIONS[state]).map(([event, next]) => [event, named(next)]),
    ),
  ]),
) as unknown as Record<
  `source-${LegState}` | "prepared",
  Readonly<Partial<Record<SwapEvent, SwapState>>>
>;

function named(state: keyof typeof LEG_TRANSITIONS): SwapState {
  return state === "prepared" || state === "failed" || state === "intent"
    ? state
    : `source-${state}`;
}

/** All of a swap. */
export const SWAP_TRANSITIONS: TransitionTable<SwapState, SwapEvent> = {
  ...SOURCE,
  intent: { "dest-quoted": "dest-quoted", released: "failed", cancelled: "cancelled" },
  "dest-quoted": { "dest-planned": "dest-planned", released: "failed", cancelled: "cancelled" },
  "dest-planned": { "source-quoted": "source-quoted", released: "failed", cancelled: "cancelled" },
  "source-quoted": { reserved: "prepared", released: "failed", cancelled: "cancelled" },
  prepared: { ...SOURCE.prepared, cancelled: "cancelled" },
  "source-paid": { "source-settled": "awaiting-dest" },
  "awaiting-dest": { "dest-paid": "issuing" },
  issuing: {
    issued: "completed",
    "issued-change-due": "change-due",
    "dest-unpaid": "awaiting-dest",
    "mint-frozen": "issuing",
  },
  "change-due": { "change-settled": "completed" },
  completed: {},
  failed: {},
  cancelled: {},
};
