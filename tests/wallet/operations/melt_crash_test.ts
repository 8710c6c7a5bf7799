import assert from "node:assert/strict";
import { beginMelt, FAULT_POINTS } from "../../../wallet/operations/melt.ts";
import type { LegPlan } from "../../../wallet/operations/melt_plan.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import {
  assertConserved,
  fundedKit,
  meltPosts,
  paidBy,
  play,
  pointsOf,
  type Scenario,
  shopInvoice,
  shopSat,
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
      if (state === "pending") kit.lightning.settle((plan as LegPlan).paymentHash);
    },
    ends: "done",
  },
  {
    name: "not paid, and taken back by a fence",
    sat: 1000n,
    prepare: (kit) => kit.lightning.script({ action: "fail", count: "always" }),
    ends: "failed",
  },
];

async function begin(wallet: TestWallet): Promise<Operation> {
  const { bolt11 } = await shopInvoice(wallet.kit, AMOUNT);
  return await beginMelt(wallet.context, { mint: wallet.kit.url(), invoice: bolt11 });
}

Deno.test("melt pays once or not at all and loses nothing, wherever it crashed", async (test) => {
  const seen = new Set<string>();
  for (const scenario of SCENARIOS) {
    const points = await pointsOf(scenario, { mints: 1, begin });
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
  await using world = await fundedKit({ sat: scenario.sat });
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
  assert.equal(shopSat(kit), isPaid ? AMOUNT : 0n);
  assert.equal(paidBy(kit), isPaid ? 1 : 0);
  assert.ok(meltPosts(kit) <= 1, "the melt is sent once");
  assert.equal(again.free(), scenario.sat - (isPaid ? AMOUNT : 0n) - ended.fee);
  assertConserved(kit, again);
}
