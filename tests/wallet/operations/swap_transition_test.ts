import assert from "node:assert/strict";
import {
  SWAP_TRANSITIONS,
  type SwapEvent,
  type SwapState,
} from "../../../wallet/operations/swap_transition.ts";
import { LEG_EVENTS, reachable, testTransitions } from "./transition_table.ts";

/** Every event: one more does not compile until it is here. */
const EVENTS: Readonly<Record<SwapEvent, true>> = {
  ...LEG_EVENTS,
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

testTransitions({
  name: "a swap",
  table: SWAP_TRANSITIONS,
  events: EVENTS,
  allowed: ALLOWED,
  first: "intent",
  ends: ["completed", "failed", "cancelled"],
});

Deno.test("a swap whose source has paid goes forward only: it never fails and never pays again", () => {
  const after = reachable(SWAP_TRANSITIONS, "source-paid");
  assert.deepEqual(
    [...after].sort(),
    ["awaiting-dest", "change-due", "completed", "issuing", "source-paid"],
  );
});

Deno.test("a swap's ecash of the destination is asked for only once the source has paid", () => {
  const before = STATES.filter((state) => reachable(SWAP_TRANSITIONS, state).has("source-paid"));
  assert.ok(!before.includes("issuing"));
  for (const state of STATES) {
    const issues = Object.values(SWAP_TRANSITIONS[state]).includes("issuing");
    assert.equal(issues, state === "awaiting-dest" || state === "issuing", state);
  }
});
