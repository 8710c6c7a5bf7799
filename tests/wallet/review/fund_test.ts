import assert from "node:assert/strict";
import { beginFund } from "../../../wallet/operations/fund_plan.ts";
import { beginSwap } from "../../../wallet/operations/swap_plan.ts";
import { fundedKit } from "../operations/melt_world.ts";
import { startKit } from "../../support/wallet_kit.ts";

Deno.test("an invoice of which its mint tells nothing is left to a person, not taken for unpaid", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const { id } = await beginFund(alice.context, { mint: kit.url(), amount: 64n });
  await alice.engine.drive(id);
  await kit.pay(alice.invoiceOf({ id }));
  const refusal = { code: 20000, detail: "closed for repairs" };
  kit.mints[0]!.admin.failNext("/v1/mint/quote/bolt11", 1000, 400, refusal);
  const watched = await alice.driveToEnd(id, { tries: 400 });
  assert.equal(watched.status, "attention", String(watched.reason));
  await kit.mints[0]!.admin.clearFaults();
  await alice.engine.resume(id);
  assert.equal((await alice.driveToEnd(id)).status, "done");
  assert.equal(alice.free(), 64n);
});

Deno.test("what is on its way to a mint counts as what it holds", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  const [from, to] = [kit.url(0), kit.url(1)];
  alice.store.transact((tx) => tx.putMint({ ...tx.mint(to)!, exposureMaxSat: 100n }));
  await beginFund(alice.context, { mint: to, amount: 60n });
  await assert.rejects(beginFund(alice.context, { mint: to, amount: 60n }), /of at most 100/);
  const swap = await beginSwap(alice.context, { from, to, amount: 40n });
  await assert.rejects(beginSwap(alice.context, { from, to, amount: 1n }), /of at most 100/);
  assert.equal((await alice.driveToEnd(swap.id)).status, "done");
  await assert.rejects(beginSwap(alice.context, { from, to, amount: 1n }), /of at most 100/);
});

Deno.test("a paid invoice whose plans were all refused goes on when a person says so", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const { id } = await beginFund(alice.context, { mint: kit.url(), amount: 64n });
  await alice.engine.drive(id);
  const used = { code: 11003, detail: "outputs have been signed before" };
  kit.mints[0]!.admin.failNext("/v1/mint/bolt11", 12, 400, used);
  await kit.pay(alice.invoiceOf({ id }));
  assert.equal((await alice.driveToEnd(id)).status, "attention");
  await alice.engine.resume(id);
  const ended = await alice.driveToEnd(id);
  assert.equal(ended.status, "done", String(ended.reason));
  assert.equal(alice.free(), 64n);
});

Deno.test("counters that were used before leave no gap that a restore from the words ends at", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const used = { code: 11003, detail: "outputs have been signed before" };
  const { id } = await beginFund(alice.context, { mint: kit.url(), amount: 64n });
  await alice.engine.drive(id);
  const keyset = await alice.context.mints.of(kit.url()).activeKeyset();
  kit.mints[0]!.admin.failNext("/v1/mint/bolt11", 6, 400, used);
  await kit.pay(alice.invoiceOf({ id }));
  assert.equal((await alice.driveToEnd(id)).status, "done");
  const counters = alice.store.outputs(id).map(({ counter }) => counter!).sort((a, b) => a - b);
  assert.ok(counters.length >= 6 && keyset.id.length > 0);
  for (const [index, counter] of counters.entries()) {
    assert.ok(index === 0 || counter - counters[index - 1]! < 300, counters.join());
  }
});
