/**
 * Where a lease may go from where: pure, total, and the whole of it on one screen.
 *
 *     reserved ──▶ pulling ──▶ redeeming ──▶ paid ──▶ starting ──▶ ready ◀─▶ grace
 *        │          ▲  │           ▲          │  ▲       ▲           │         │
 *        │          └──┼───────────┼──────────┘  │       │           ▼         ▼
 *        └─────────────┼───────────┘             │       │        expiring ◀───┘
 *                      └── when it is paid ──────┴───────┘           │
 *        any of these before ready ──▶ failed ──▶ refunded           ▼
 *                                                                destroyed
 *
 * The way through `pulling` first is for tokens that are safe with us; any other is redeemed first. What
 * is not in `expiring` and `failed` says with `mayExist` whether an instance may be there: from
 * `starting` on it may, until the engine said that it is absent.
 */
import type { Sha256 } from "../../src/core/hash.ts";
import { expiryOf, usedMsat } from "./credit.ts";
import type { EndReason, Lease, LeaseRefund, LeaseState } from "./lease.ts";

/** What can happen to a lease. */
export type LeaseEvent =
  | { readonly type: "pull" }
  /** Its image is begun to be made ready. */
  | { readonly type: "try" }
  /** The image is here and the engine is ready to start it. */
  | { readonly type: "pulled"; readonly digest: Sha256 }
  | { readonly type: "redeem" }
  | { readonly type: "redeemed"; readonly amountMsat: number }
  | { readonly type: "start" }
  /** SSH answered. */
  | { readonly type: "ready" }
  | { readonly type: "topped-up"; readonly amountMsat: number }
  /** The paid time is over, and it is paused to wait for a top-up. */
  | { readonly type: "lapse" }
  | {
    readonly type: "end";
    readonly reason: Exclude<EndReason, "failed">;
    readonly message: string;
    /** Until when it was delivered, when that is earlier than now. */
    readonly untilMs?: number;
    /** Where what is left is paid to, if to another key than agreed. */
    readonly lockTo?: string;
  }
  | { readonly type: "fail"; readonly error: string; readonly message: string }
  /** The money came although the lease had failed already. */
  | { readonly type: "paid-late"; readonly amountMsat: number }
  /** The engine says that there is no instance. */
  | { readonly type: "gone" }
  | { readonly type: "settled"; readonly refund: LeaseRefund }
  | { readonly type: "seen" }
  /** Its instance, paused before, runs again. */
  | { readonly type: "resumed" }
  /**
   * Its instance had ended, and is started again. What passed since it was last seen is charged when it
   * was looked at all the time: then its lessee, who may end it at will, had nearly all of it.
   */
  | { readonly type: "revived"; readonly isCharged?: boolean }
  /** Its instance had ended, and the engine does not start it; what passed is charged as by `revived`. */
  | { readonly type: "stood"; readonly isCharged: boolean }
  /** The wall clock was set; what is paid is a duration. */
  | { readonly type: "shift"; readonly deltaMs: number };

/** Names of all events. */
export type LeaseEventType = LeaseEvent["type"];

const FROM: { readonly [T in LeaseEventType]: readonly LeaseState[] } = {
  pull: ["reserved", "paid"],
  try: ["pulling"],
  pulled: ["pulling"],
  redeem: ["reserved"],
  redeemed: ["redeeming"],
  start: ["paid"],
  ready: ["starting"],
  "topped-up": ["ready", "grace"],
  lapse: ["ready"],
  end: ["ready", "grace"],
  fail: ["reserved", "pulling", "redeeming", "paid", "starting"],
  "paid-late": ["failed"],
  gone: ["expiring", "failed"],
  settled: ["expiring", "failed"],
  seen: ["ready"],
  resumed: ["ready"],
  revived: ["ready"],
  stood: ["ready"],
  shift: ["ready", "grace"],
};

/** Whether `event` can happen to a lease in `state`. */
export function canHappen(state: LeaseState, event: LeaseEventType): boolean {
  return FROM[event].includes(state);
}

/**
 * The lease after the event.
 *
 * @param nowMs Milliseconds since 1970.
 * @returns undefined if the event cannot happen to it as it is.
 */
export function transition(lease: Lease, event: LeaseEvent, nowMs: number): Lease | undefined {
  if (!canHappen(lease.state, event.type)) return undefined;
  switch (event.type) {
    case "pull":
      return enter(lease, "pulling", nowMs);
    case "try":
      return { ...lease, tryCount: (lease.tryCount ?? 0) + 1 };
    case "pulled": {
      const next = { ...lease, imageDigest: event.digest };
      if (lease.creditMsat === 0) return enter(next, "redeeming", nowMs);
      return enter({ ...next, mayExist: true }, "starting", nowMs);
    }
    case "redeem":
      return enter(lease, "redeeming", nowMs);
    case "redeemed":
      return enter({ ...lease, creditMsat: event.amountMsat }, "paid", nowMs);
    case "start":
      return enter({ ...lease, mayExist: true }, "starting", nowMs);
    case "ready":
      return enter(run({ ...lease, readyMs: nowMs, seenMs: nowMs }, nowMs), "ready", nowMs);
    case "topped-up":
      return topUp(lease, event.amountMsat, nowMs);
    case "lapse":
      return enter({ ...stand(lease, nowMs), isPaused: true }, "grace", nowMs);
    case "end": {
      const ending = { reason: event.reason, message: event.message, atMs: nowMs };
      const ended = { ...stand(lease, event.untilMs ?? nowMs), ending };
      if (event.lockTo === undefined) return enter(ended, "expiring", nowMs);
      const terms = { ...lease.terms, refundKey: event.lockTo };
      return enter({ ...ended, terms }, "expiring", nowMs);
    }
    case "fail": {
      const { error, message } = event;
      const ending = { reason: "failed", error, message, atMs: nowMs } as const;
      return enter({ ...lease, ending }, "failed", nowMs);
    }
    case "paid-late":
      return { ...lease, creditMsat: event.amountMsat };
    case "gone":
      return { ...lease, mayExist: false };
    case "settled":
      if (lease.mayExist) return undefined;
      return enter(
        { ...lease, refund: event.refund },
        lease.state === "failed" ? "refunded" : "destroyed",
        nowMs,
      );
    case "seen":
      return { ...up(lease), seenMs: nowMs };
    case "resumed":
      return { ...lease, seenMs: nowMs, isPaused: false };
    case "revived": {
      const passed = pass(lease, nowMs, event.isCharged ?? false);
      return { ...up(passed), revivalCount: lease.revivalCount + 1 };
    }
    case "stood":
      return { ...pass(lease, nowMs, event.isCharged), downSinceMs: lease.downSinceMs ?? nowMs };
    case "shift":
      return shift(lease, event.deltaMs);
    default:
      return event satisfies never;
  }
}

function enter(lease: Lease, state: LeaseState, nowMs: number): Lease {
  return { ...lease, state, changedMs: nowMs };
}

/** Lets the paid time run. */
function run(lease: Lease, nowMs: number): Lease {
  return { ...lease, sinceMs: nowMs, expiresMs: expiryOf(lease, nowMs) };
}

/** Lets the paid time stand still from `atMs` on. */
function stand(lease: Lease, atMs: number): Lease {
  const { sinceMs: _, ...rest } = lease;
  const untilMs = Math.max(lease.sinceMs ?? 0, atMs);
  return {
    ...rest,
    spentMsat: usedMsat(lease, untilMs),
    expiresMs: Math.min(lease.expiresMs ?? untilMs, untilMs),
  };
}

function topUp(lease: Lease, amountMsat: number, nowMs: number): Lease {
  const credited = { ...lease, creditMsat: lease.creditMsat + amountMsat };
  if (lease.state === "grace" || lease.sinceMs === undefined) {
    return enter(run(credited, nowMs), "ready", nowMs);
  }
  return { ...credited, expiresMs: expiryOf(credited, lease.sinceMs) };
}

/** From when it was last seen until now it may have stood still: unless we looked, that is not charged. */
function pass(lease: Lease, nowMs: number, isCharged: boolean): Lease {
  const passed = { ...lease, seenMs: nowMs };
  if (isCharged || lease.sinceMs === undefined || lease.expiresMs === undefined) return passed;
  const stoodMs = Math.max(0, nowMs - Math.max(lease.seenMs ?? nowMs, lease.sinceMs));
  return {
    ...passed,
    sinceMs: lease.sinceMs + stoodMs,
    expiresMs: lease.expiresMs + stoodMs,
  };
}

/** An instance that runs. */
function up({ downSinceMs: _, ...lease }: Lease): Lease {
  return lease;
}

function shift(lease: Lease, deltaMs: number): Lease {
  const moved = (ms: number | undefined) => ms === undefined ? undefined : ms + deltaMs;
  const times = Object.entries({
    sinceMs: moved(lease.sinceMs),
    expiresMs: moved(lease.expiresMs),
    seenMs: moved(lease.seenMs),
    changedMs: moved(lease.changedMs),
    downSinceMs: moved(lease.downSinceMs),
  }).filter(([, ms]) => ms !== undefined);
  return { ...lease, ...Object.fromEntries(times) };
}
