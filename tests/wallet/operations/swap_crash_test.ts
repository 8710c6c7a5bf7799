import assert from "node:assert/strict";
import type { LegPlan } from "../../../wallet/operations/melt_plan.ts";
import { beginSwap, FAULT_POINTS } from "../../../wallet/operations/swap.ts";
import { crashEverywhere, paymentScenarios } from "./crash_world.ts";
import { AMOUNT, assertConserved, meltPosts, paidBy, type Scenario } from "./melt_world.ts";

const LATE_CHANGE: Scenario = {
  name: "the source tells of its change late",
  sat: 1000n,
  prepare: (kit) => {
    kit.mints[0]!.admin.setFeeReserve({ minSat: 20 });
    kit.mints[0]!.admin.alterAnswers("/v1/melt/bolt11", { change: [] });
    kit.mints[0]!.admin.alterAnswers("/v1/melt/quote/bolt11", { change: [] }, { count: 2 });
  },
  ends: "done",
};

Deno.test("swap moves the exact amount once or costs no more than a fence, wherever it crashed", async (test) => {
  await crashEverywhere(test, {
    scenarios: [...paymentScenarios("source-pending"), LATE_CHANGE],
    mints: 2,
    begin: ({ context, kit }) =>
      beginSwap(context, { from: kit.url(0), to: kit.url(1), amount: AMOUNT }),
    faultPoints: FAULT_POINTS,
    check: ({ kit, wallet, scenario, ended, isPaid }) => {
      assert.equal(paidBy(kit), isPaid ? 1 : 0);
      assert.ok(meltPosts(kit) <= 1, "the melt is sent once");
      assert.equal(wallet.free(kit.url(1)), isPaid ? AMOUNT : 0n, "exactly the amount arrives");
      assert.equal(wallet.free(kit.url(0)), scenario.sat - (isPaid ? AMOUNT : 0n) - ended.fee);
      assert.ok(ended.fee <= BigInt((ended.plan as LegPlan).feeMaxSat), "the cap holds");
      assertConserved(kit, wallet);
      const route = wallet.store.route(kit.url(0), kit.url(1));
      if (isPaid) assert.ok(route!.successPermille > 500, "the route hears of its success");
    },
  });
});
