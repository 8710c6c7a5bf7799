import assert from "node:assert/strict";
import { FAULT_POINTS } from "../../../wallet/operations/melt.ts";
import { crashEverywhere, paymentScenarios } from "./crash_world.ts";
import { AMOUNT, assertConserved, begin, meltPosts, paidBy, shopSat } from "./melt_world.ts";

Deno.test("melt pays once or not at all and loses nothing, wherever it crashed", async (test) => {
  await crashEverywhere(test, {
    scenarios: paymentScenarios("pending"),
    mints: 1,
    begin,
    faultPoints: FAULT_POINTS,
    check: ({ kit, wallet, scenario, ended, isPaid }) => {
      assert.equal(shopSat(kit), isPaid ? AMOUNT : 0n);
      assert.equal(paidBy(kit), isPaid ? 1 : 0);
      assert.ok(meltPosts(kit) <= 1, "the melt is sent once");
      assert.equal(wallet.free(), scenario.sat - (isPaid ? AMOUNT : 0n) - ended.fee);
      assertConserved(kit, wallet);
    },
  });
});
