/**
 * Where a melt may go from where: pure, total, and the whole of it on one screen.
 *
 *     intent ─▶ quoted ─▶ prepared ─▶ inflight ◀──▶ pending ─▶ paid ─▶ done
 *                         │    ▲        │  ▲         │  ▲
 *                         ▼    │        ▼  └──────┐  ▼  │
 *                    splitting ┴▶ ready └──────▶ unpaid │
 *                                                 │ └───┘
 *                                                 ▼
 *     failed ◀────────────────────────────────── fencing
 *
 * `splitting` swaps what is reserved for the exact amount first, when too much would be locked up.
 * `fencing` swaps the inputs of a request that may still arrive for new ecash: whichever of the two the
 * mint takes first makes the other impossible, and only then is anything free again.
 * The leg from `splitting` on is the same for a swap between mints, whose states begin with `source-`.
 */

/** States of the leg that spends: shared by melts and swaps between mints. */
export type LegState =
  /** The swap that makes the exact amount may be under way. */
  | "splitting"
  /** The exact amount is reserved; nothing of the melt was sent. */
  | "ready"
  /** The melt is frozen, and may be under way. */
  | "inflight"
  /** The mint says that the payment is under way. For as long as that takes. */
  | "pending"
  /** The mint says that it did not pay. */
  | "unpaid"
  /** The swap that makes the melt impossible may be under way. */
  | "fencing"
  /** The mint says that it paid: no way back. */
  | "paid";

/** States of a melt. */
export type MeltState =
  | LegState
  /** Nothing was asked yet. */
  | "intent"
  /** The mint named its price. */
  | "quoted"
  /** What it may cost at most is reserved; nothing was sent. */
  | "prepared"
  | "done"
  | "failed"
  /** Ended by the user before anything was sent. */
  | "cancelled";

/** What can happen to the spending leg. */
export type LegEvent =
  /** The swap for the exact amount is frozen. */
  | "split-frozen"
  /** It was signed. */
  | "split-signed"
  /** The melt is frozen, at first or once more with other blanks after a refusal. */
  | "melt-frozen"
  /** The mint said that it did not even look (429), so the same bytes go again. */
  | "melt-again"
  | "saw-pending"
  | "saw-unpaid"
  | "saw-paid"
  /** The mint says two things that do not go together: look again. */
  | "saw-conflict"
  /** The fence is frozen, at first or once more after a refusal. */
  | "fence-frozen"
  /** The fence was signed: the melt can never happen. */
  | "fenced"
  /** The inputs were gone before the fence came. */
  | "fence-lost"
  /** Nothing can be under way: what was reserved is free. */
  | "released"
  /** The quote is too old, and nothing was sent: start again. */
  | "requote";

/** What can happen to a melt. */
export type MeltEvent = LegEvent | "quoted" | "reserved" | "change-settled" | "cancelled";

/** From a state, by an event, to a state. What is not named may not happen. */
export type TransitionTable<State extends string, Event extends string> = Readonly<
  Record<State, Readonly<Partial<Record<Event, State>>>>
>;

/** The spending leg, from `prepared` on; `failed` and `intent` are where it may lead back to. */
export const LEG_TRANSITIONS: TransitionTable<
  LegState | "prepared" | "failed" | "intent",
  LegEvent
> = {
  prepared: {
    "split-frozen": "splitting",
    "melt-frozen": "inflight",
    requote: "intent",
    released: "failed",
  },
  splitting: { "split-frozen": "splitting", "split-signed": "ready", released: "failed" },
  ready: { "melt-frozen": "inflight", requote: "intent", released: "failed" },
  inflight: {
    "saw-pending": "pending",
    "saw-unpaid": "unpaid",
    "saw-paid": "paid",
    released: "failed",
  },
  pending: { "saw-unpaid": "unpaid", "saw-paid": "paid" },
  unpaid: {
    "saw-pending": "pending",
    "saw-paid": "paid",
    "saw-conflict": "pending",
    "melt-frozen": "inflight",
    "melt-again": "inflight",
    "fence-frozen": "fencing",
    released: "failed",
  },
  fencing: { "fence-frozen": "fencing", fenced: "failed", "fence-lost": "pending" },
  paid: {},
  failed: {},
  intent: {},
};

/** All of a melt. */
export const MELT_TRANSITIONS: TransitionTable<MeltState, MeltEvent> = {
  ...LEG_TRANSITIONS,
  intent: { quoted: "quoted", released: "failed", cancelled: "cancelled" },
  quoted: { reserved: "prepared", released: "failed", cancelled: "cancelled" },
  prepared: { ...LEG_TRANSITIONS.prepared, cancelled: "cancelled" },
  paid: { "change-settled": "done" },
  done: {},
  cancelled: {},
};

/** Where `event` takes `state`; undefined if it may not happen there. */
export function transition<State extends string, Event extends string>(
  table: TransitionTable<State, Event>,
  state: State,
  event: Event,
): State | undefined {
  return table[state][event];
}
