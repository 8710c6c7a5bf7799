import assert from "node:assert/strict";
import type { LegPlan } from "../../../wallet/operations/melt_plan.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import { beginSwap, FAULT_POINTS } from "../../../wallet/operations/swap.ts";
import {
  assertConserved,
  fundedKit,
  meltPosts,
  paidBy,
  play,
  pointsOf,
  type Scenario,
  type TestWallet,
} from "./melt_world.ts";

const AMOUNT = 100n;

const SCENARIOS: readonly Scenario[] = [
  { name: "paid at once", sat: 1000n, ends: "done" },
  { name: "paid after a swap for the exact sum", sat: 512n, ends: "done" },
  {
    name: "held, then paid",
    sat: 1000n,
    prepare: (kit) => kit.lightning.script({ action: "hold" }),
    between: (kit, { state, plan }) => {
      if (state === "source-pending") kit.lightning.settle((plan as LegPlan).paymentHash);
    },
    ends: "done",
  },
  {
    name: "not paid, and taken back by a fence",
    sat: 1000n,
    prepare: (kit) => kit.lightning.script({ action: "fail", count: "always" }),
    ends: "failed",
  },
  {
    name: "the source tells of its change late",
    sat: 1000n,
    prepare: (kit) => {
      kit.mints[0]!.admin.setFeeReserve({ minSat: 20 });
      kit.mints[0]!.admin.alterAnswers("/v1/melt/bolt11", { change: [] });
      kit.mints[0]!.admin.alterAnswers("/v1/melt/quote/bolt11", { change: [] }, { count: 2 });
    },
    ends: "done",
  },
];

async function begin({ context, kit }: TestWallet): Promise<Operation> {
  return await beginSwap(context, { from: kit.url(0), to: kit.url(1), amount: AMOUNT });
}

Deno.test("swap moves the exact amount once or costs no more than a fence, wherever it crashed", async (test) => {
  const seen = new Set<string>();
  for (const scenario of SCENARIOS) {
    const points = await pointsOf(scenario, { mints: 2, begin });
    for (const point of points) {
      if (seen.has(point)) continue;
      seen.add(point);
      await test.step(`${scenario.name}: ${point}`, () => crashAt(scenario, point));
    }
  }
  await test.step("the points that it names are those that it passes", () => {
    assert.deepEqual([...seen].sort(), [...FAULT_POINTS].sort());
  });
});

async function crashAt(scenario: Scenario, point: string): Promise<void> {
  await using world = await fundedKit({ sat: scenario.sat, mints: 2 });
  const { kit, alice } = world;
  scenario.prepare?.(kit);
  const begun = await begin(alice);
  alice.crashAt(point);
  await play(scenario, alice, begun.id).catch((error) => {
    if (!alice.isDead) throw error;
  });
  assert.ok(alice.isDead, `${point} is passed`);
  const again = await alice.reopen();
  const ended = await play(scenario, again, begun.id);
  const isPaid = ended.status === "done";
  assert.ok(isPaid || ended.status === "failed", `${ended.state}: ${ended.reason}`);
  assert.equal(paidBy(kit), isPaid ? 1 : 0);
  assert.ok(meltPosts(kit) <= 1, "the melt is sent once");
  assert.equal(again.free(kit.url(1)), isPaid ? AMOUNT : 0n, "exactly the amount arrives");
  assert.equal(again.free(kit.url(0)), scenario.sat - (isPaid ? AMOUNT : 0n) - ended.fee);
  assert.ok(ended.fee <= BigInt((ended.plan as LegPlan).feeMaxSat), "the cap holds");
  assertConserved(kit, again);
  const route = again.store.route(kit.url(0), kit.url(1));
  if (isPaid) assert.ok(route!.successPermille > 500, "the route hears of its success");
}
