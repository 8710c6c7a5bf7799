import assert from "node:assert/strict";
import { startKit } from "../support/wallet_kit.ts";
import { Housekeeper } from "../../wallet/housekeeper.ts";
import { beginSend, markDelivered } from "../../wallet/operations/send_plan.ts";
import { BUDGETS } from "../../wallet/payments/budgets.ts";
import { parentOf } from "../../wallet/planner/payment_work.ts";
import { Payments } from "../../wallet/planner/payments.ts";
import { Sweeper } from "../../wallet/sweeper.ts";
import { payingWallet } from "./payments/payments_world.ts";
import { newSeedWords } from "../../src/core/keys.ts";

Deno.test("Housekeeper takes tokens back that were made for a payment and never handed over", async () => {
  await using kit = await startKit();
  const alice = payingWallet(kit, "alice");
  await alice.fund(300n);
  const send = async (paymentId: string) => {
    const begun = await beginSend(alice.context, {
      mint: kit.url(),
      amount: 64n,
      parent: parentOf(paymentId),
    });
    await alice.engine.drive(begun.id);
    return begun.id;
  };
  const [forgotten, delivered] = [await send("1"), await send("2")];
  markDelivered(alice.context, delivered);
  const home = () => undefined;
  const { context, engine } = alice;
  const payments = new Payments(engine, { budgets: BUDGETS, homeMint: home });
  const options = { ...context, directory: "", seedWords: newSeedWords() };
  await using sweeper = new Sweeper(engine, options, home);
  await using housekeeper = new Housekeeper(engine, { sweeper, payments });
  housekeeper.start();
  assert.equal(alice.store.operation(forgotten)!.state, "token-ready");
  kit.clock.jump(2 * 3_600_000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal((await alice.driveToEnd(forgotten)).state, "reclaimed");
  assert.equal((await alice.engine.drive(delivered)).state, "delivered");
  assert.equal(alice.free(), 236n);
  assert.deepEqual(alice.troubles(), []);
});
