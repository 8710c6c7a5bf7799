import assert from "node:assert/strict";
import {
  type LegEvent,
  MELT_TRANSITIONS,
  type MeltEvent,
  type MeltState,
} from "../../../wallet/operations/melt_transition.ts";
import { LEG_EVENTS, reachable, testTransitions } from "./transition_table.ts";

/** Every event: one more does not compile until it is here. */
const EVENTS: Readonly<Record<MeltEvent, true>> = {
  ...LEG_EVENTS,
  quoted: true,
  reserved: true,
  "change-settled": true,
  cancelled: true,
};

/** What may happen; every other pair may not. */
const ALLOWED: readonly (readonly [MeltState, MeltEvent, MeltState])[] = [
  ["intent", "quoted", "quoted"],
  ["intent", "released", "failed"],
  ["intent", "cancelled", "cancelled"],
  ["quoted", "reserved", "prepared"],
  ["quoted", "released", "failed"],
  ["quoted", "cancelled", "cancelled"],
  ["prepared", "split-frozen", "splitting"],
  ["prepared", "melt-frozen", "inflight"],
  ["prepared", "requote", "intent"],
  ["prepared", "released", "failed"],
  ["prepared", "cancelled", "cancelled"],
  ["splitting", "split-frozen", "splitting"],
  ["splitting", "split-signed", "ready"],
  ["splitting", "released", "failed"],
  ["ready", "melt-frozen", "inflight"],
  ["ready", "requote", "intent"],
  ["ready", "released", "failed"],
  ["inflight", "saw-pending", "pending"],
  ["inflight", "saw-unpaid", "unpaid"],
  ["inflight", "saw-paid", "paid"],
  ["inflight", "released", "failed"],
  ["pending", "saw-unpaid", "unpaid"],
  ["pending", "saw-paid", "paid"],
  ["unpaid", "saw-pending", "pending"],
  ["unpaid", "saw-paid", "paid"],
  ["unpaid", "saw-conflict", "pending"],
  ["unpaid", "melt-frozen", "inflight"],
  ["unpaid", "melt-again", "inflight"],
  ["unpaid", "fence-frozen", "fencing"],
  ["unpaid", "released", "failed"],
  ["fencing", "fence-frozen", "fencing"],
  ["fencing", "fenced", "failed"],
  ["fencing", "fence-lost", "pending"],
  ["paid", "change-settled", "done"],
];

testTransitions({
  name: "a melt",
  table: MELT_TRANSITIONS,
  events: EVENTS,
  allowed: ALLOWED,
  first: "intent",
  ends: ["done", "failed", "cancelled"],
});

Deno.test("a melt that is paid can only be done: nothing leads back or to failure", () => {
  const seen = reachable(MELT_TRANSITIONS, "paid");
  assert.deepEqual([...seen].sort(), ["done", "paid"]);
});

Deno.test("a melt whose request may be under way fails only by a fence or a refusal that is final", () => {
  const underWay: MeltState[] = ["inflight", "pending", "unpaid", "fencing"];
  const ends = underWay.flatMap((state) =>
    (Object.entries(MELT_TRANSITIONS[state]) as [LegEvent, MeltState][])
      .filter(([, next]) => next === "failed" || next === "cancelled")
      .map(([event]) => `${state} ${event}`)
  );
  assert.deepEqual(ends, ["inflight released", "unpaid released", "fencing fenced"]);
});
