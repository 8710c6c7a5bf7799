import assert from "node:assert/strict";
import { transition } from "../../../wallet/operations/melt_transition.ts";
import {
  SWAP_TRANSITIONS,
  type SwapEvent,
  type SwapState,
} from "../../../wallet/operations/swap_transition.ts";

/** Every event: one more does not compile until it is here. */
const EVENTS: Readonly<Record<SwapEvent, true>> = {
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
  "dest-quoted": true,
  "dest-planned": true,
  "source-quoted": true,
  reserved: true,
  "source-settled": true,
  "dest-paid": true,
  "dest-unpaid": true,
  "mint-frozen": true,
  issued: true,
  "issued-change-due": true,
  "change-settled": true,
  cancelled: true,
};

/** What may happen; every other pair may not. */
const ALLOWED: readonly (readonly [SwapState, SwapEvent, SwapState])[] = [
  ["intent", "dest-quoted", "dest-quoted"],
  ["intent", "released", "failed"],
  ["intent", "cancelled", "cancelled"],
  ["dest-quoted", "dest-planned", "dest-planned"],
  ["dest-quoted", "released", "failed"],
  ["dest-quoted", "cancelled", "cancelled"],
  ["dest-planned", "source-quoted", "source-quoted"],
  ["dest-planned", "released", "failed"],
  ["dest-planned", "cancelled", "cancelled"],
  ["source-quoted", "reserved", "prepared"],
  ["source-quoted", "released", "failed"],
  ["source-quoted", "cancelled", "cancelled"],
  ["prepared", "split-frozen", "source-splitting"],
  ["prepared", "melt-frozen", "source-inflight"],
  ["prepared", "requote", "intent"],
  ["prepared", "released", "failed"],
  ["prepared", "cancelled", "cancelled"],
  ["source-splitting", "split-frozen", "source-splitting"],
  ["source-splitting", "split-signed", "source-ready"],
  ["source-splitting", "released", "failed"],
  ["source-ready", "melt-frozen", "source-inflight"],
  ["source-ready", "requote", "intent"],
  ["source-ready", "released", "failed"],
  ["source-inflight", "saw-pending", "source-pending"],
  ["source-inflight", "saw-unpaid", "source-unpaid"],
  ["source-inflight", "saw-paid", "source-paid"],
  ["source-inflight", "released", "failed"],
  ["source-pending", "saw-unpaid", "source-unpaid"],
  ["source-pending", "saw-paid", "source-paid"],
  ["source-unpaid", "saw-pending", "source-pending"],
  ["source-unpaid", "saw-paid", "source-paid"],
  ["source-unpaid", "saw-conflict", "source-pending"],
  ["source-unpaid", "melt-frozen", "source-inflight"],
  ["source-unpaid", "melt-again", "source-inflight"],
  ["source-unpaid", "fence-frozen", "source-fencing"],
  ["source-unpaid", "released", "failed"],
  ["source-fencing", "fence-frozen", "source-fencing"],
  ["source-fencing", "fenced", "failed"],
  ["source-fencing", "fence-lost", "source-pending"],
  ["source-paid", "source-settled", "awaiting-dest"],
  ["awaiting-dest", "dest-paid", "issuing"],
  ["issuing", "issued", "completed"],
  ["issuing", "issued-change-due", "change-due"],
  ["issuing", "dest-unpaid", "awaiting-dest"],
  ["issuing", "mint-frozen", "issuing"],
  ["change-due", "change-settled", "completed"],
];

const STATES = Object.keys(SWAP_TRANSITIONS) as SwapState[];

for (const state of STATES) {
  Deno.test(`of a swap that is ${state}, every event leads where the table says or is refused`, () => {
    for (const event of Object.keys(EVENTS) as SwapEvent[]) {
      const wanted = ALLOWED.find((row) => row[0] === state && row[1] === event)?.[2];
      assert.equal(transition(SWAP_TRANSITIONS, state, event), wanted, `${state} ${event}`);
    }
  });
}

Deno.test("a swap whose source has paid goes forward only: it never fails and never pays again", () => {
  const after = reachable("source-paid");
  assert.deepEqual(
    [...after].sort(),
    ["awaiting-dest", "change-due", "completed", "issuing", "source-paid"],
  );
});

Deno.test("a swap's ecash of the destination is asked for only once the source has paid", () => {
  const before = STATES.filter((state) => reachable(state).has("source-paid"));
  assert.ok(!before.includes("issuing"));
  for (const state of STATES) {
    const issues = Object.values(SWAP_TRANSITIONS[state]).includes("issuing");
    assert.equal(issues, state === "awaiting-dest" || state === "issuing", state);
  }
});

Deno.test("every state of a swap is reached from its intent, and reaches an end", () => {
  assert.deepEqual([...reachable("intent")].sort(), [...STATES].sort());
  for (const state of STATES) {
    const ends = [...reachable(state)].filter((end) =>
      ["completed", "failed", "cancelled"].includes(end)
    );
    assert.ok(ends.length > 0, `${state} has an end`);
  }
});

function reachable(from: SwapState): Set<SwapState> {
  const seen = new Set<SwapState>([from]);
  for (const state of seen) {
    for (const next of Object.values(SWAP_TRANSITIONS[state]) as SwapState[]) seen.add(next);
  }
  return seen;
}
