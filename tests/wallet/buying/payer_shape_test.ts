import assert from "node:assert/strict";
import type { Payer } from "../../../swarm/ports.ts";
import { Buyer } from "../../../wallet/buying/buyer.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { buyerOf, buyingWallet, deskOf } from "./buying_world.ts";

Deno.test("a Buyer is a payer as the swarm wants one", async () => {
  await using kit = await startKit();
  await using desk = deskOf(buyingWallet(kit));
  const payer: Payer = buyerOf(desk);
  assert.ok(payer instanceof Buyer);
  assert.equal(typeof payer.open, "function");
  assert.equal(typeof payer.paidFor, "function");
  assert.equal(typeof payer.preparePayment, "function");
});
