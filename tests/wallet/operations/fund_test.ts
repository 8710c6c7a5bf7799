import assert from "node:assert/strict";
import { beginFund, FAULT_POINTS } from "../../../wallet/operations/fund_plan.ts";
import { startKit } from "../../support/wallet_kit.ts";

Deno.test("fund shows an invoice, waits for its payment, and ends with the ecash in the books", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 100n });
  assert.equal(begun.state, "intent");
  const quoted = await alice.engine.drive(begun.id);
  assert.equal(quoted.state, "quoted");
  assert.match(alice.invoiceOf(begun), /^lnbcrt1u1/);
  assert.equal(alice.free(), 0n);
  await kit.pay(alice.invoiceOf(begun));
  const done = await alice.driveToEnd(begun.id);
  assert.equal(done.status, "done");
  assert.equal(alice.free(), 100n);
  assert.equal(kit.mints[0]!.admin.books().outstanding, 100n);
  assert.deepEqual(alice.troubles(), []);
});
