import assert from "node:assert/strict";
import {
  type LegEvent,
  MELT_TRANSITIONS,
  type MeltEvent,
  type MeltState,
  transition,
} from "../../../wallet/operations/melt_transition.ts";

/** Every event, so that a test fails to compile or to run when one is added without a thought. */
const EVENTS: Readonly<Record<MeltEvent, true>> = {
  "split-frozen": true,
  "split-signed": true,
  "melt-frozen": true,
  "melt-again": true,
  "saw-pending": true,
  "saw-unpaid": true,
  "saw-paid": true,
  "saw-conflict": true,
  "fence-frozen": true,
  fenced: true,
  "fence-lost": true,
  released: true,
  requote: true,
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

const STATES = Object.keys(MELT_TRANSITIONS) as MeltState[];

for (const state of STATES) {
  Deno.test(`of a melt that is ${state}, every event leads where the table says or is refused`, () => {
    for (const event of Object.keys(EVENTS) as MeltEvent[]) {
      const wanted = ALLOWED.find((row) => row[0] === state && row[1] === event)?.[2];
      assert.equal(transition(MELT_TRANSITIONS, state, event), wanted, `${state} ${event}`);
    }
  });
}

Deno.test("a melt that is paid can only be done: nothing leads back or to failure", () => {
  const seen = reachable("paid");
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

Deno.test("every state of a melt is reached from its intent, and reaches an end", () => {
  const fromIntent = reachable("intent");
  assert.deepEqual([...fromIntent].sort(), [...STATES].sort());
  for (const state of STATES) {
    const ends = [...reachable(state)].filter((end) =>
      ["done", "failed", "cancelled"].includes(end)
    );
    assert.ok(ends.length > 0, `${state} has an end`);
  }
});

function reachable(from: MeltState): Set<MeltState> {
  const seen = new Set<MeltState>([from]);
  for (const state of seen) {
    for (const next of Object.values(MELT_TRANSITIONS[state]) as MeltState[]) seen.add(next);
  }
  return seen;
}
