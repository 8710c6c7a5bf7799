import assert from "node:assert/strict";
import { join } from "node:path";
import { newSeedWords } from "../../../src/core/keys.ts";
import { systemRandom } from "../../../src/host/system.ts";
import { beginFund } from "../../../wallet/operations/fund_plan.ts";
import { beginRestore } from "../../../wallet/operations/restore_plan.ts";
import { beginSend, tokenOf } from "../../../wallet/operations/send_plan.ts";
import { claimLate } from "../../../wallet/operations/fund_late.ts";
import { Wallet } from "../../../wallet/mod.ts";
import { startKit, type TestWallet } from "../../support/wallet_kit.ts";

/** A fund operation that failed although its invoice was paid: its mint did not see the payment. */
async function failedButPaid(wallet: TestWallet): Promise<string> {
  const { kit } = wallet;
  const begun = await beginFund(wallet.context, { mint: kit.url(), amount: 21n });
  await wallet.engine.drive(begun.id);
  kit.mints[0]!.admin.staleQuotes(1000);
  await kit.pay(wallet.invoiceOf(begun));
  kit.clock.jump(8 * 24 * 3_600_000);
  const failed = await wallet.driveToEnd(begun.id);
  assert.equal(failed.status, "failed");
  assert.match(failed.reason!, new RegExp(`wallet resume ${begun.id}`));
  return begun.id;
}

Deno.test("claimLate fetches the ecash of an invoice that was paid after its watch had ended", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const id = await failedButPaid(alice);
  assert.equal(await claimLate(alice.context, id), undefined, "the mint still sees no payment");
  assert.equal(alice.store.operations({ kind: "fund" }).length, 1);
  await kit.mints[0]!.admin.clearFaults();
  const [late, same] = await Promise.all([
    claimLate(alice.context, id),
    claimLate(alice.context, id),
  ]);
  assert.equal(late!.id, same!.id);
  assert.throws(() => alice.engine.cancel(late!.id), { code: "denied" });
  assert.equal((await alice.driveToEnd(late!.id)).status, "done");
  assert.equal(alice.free(), 21n);
  assert.equal((await claimLate(alice.context, id))!.id, late!.id);
  assert.equal(alice.store.operation(id)!.status, "failed", "what has ended stays ended");
  assert.equal(kit.mints[0]!.admin.books().issued, 21n);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("claimLate begins nothing for what is open, done, cancelled, or of another kind", async () => {
  await using kit = await startKit();
  const alice = kit.wallet();
  const done = await alice.fund(8n);
  const open = await beginFund(alice.context, { mint: kit.url(), amount: 21n });
  assert.equal(await claimLate(alice.context, open.id), undefined);
  alice.engine.cancel(open.id);
  for (const id of [done.id, open.id, "00".repeat(16)]) {
    assert.equal(await claimLate(alice.context, id), undefined);
  }
});

Deno.test("claimLate goes on wherever it crashed and issues once", async (test) => {
  for (const point of ["fund.awaiting-payment.after-commit", "fund.mint.after-send"]) {
    await test.step(point, async () => {
      await using kit = await startKit();
      let alice = kit.wallet();
      const id = await failedButPaid(alice);
      await kit.mints[0]!.admin.clearFaults();
      const late = await claimLate(alice.context, id);
      alice.crashAt(point);
      await alice.driveToEnd(late!.id).catch(() => {});
      assert.ok(alice.isDead);
      alice = await alice.reopen();
      assert.equal((await claimLate(alice.context, id))!.id, late!.id);
      assert.equal((await alice.driveToEnd(late!.id)).status, "done");
      assert.equal(alice.free(), 21n);
      assert.equal(kit.mints[0]!.admin.books().issued, 21n);
      assert.deepEqual(alice.troubles(), []);
    });
  }
});

Deno.test("Wallet.resume looks again at an invoice that was given up, and claims it if it was paid", async () => {
  await using kit = await startKit();
  await using wallet = await Wallet.open({
    directory: join(kit.directory, "alice"),
    seedWords: newSeedWords(),
    clock: kit.clock,
    random: systemRandom,
    resumes: false,
    openHints: null,
  });
  await wallet.addMint({ url: kit.url(), trust: "trusted" });
  const { operation: { id }, invoice } = await wallet.fund({ amountSat: 21 });
  kit.mints[0]!.admin.staleQuotes(1000);
  await kit.pay(invoice);
  kit.clock.jump(8 * 24 * 3_600_000);
  assert.equal((await wallet.resume({ id }))[0]!.status, "failed");
  assert.equal((await wallet.resume({ id }))[0]!.id, id);
  await kit.mints[0]!.admin.clearFaults();
  const [claimed] = await wallet.resume({ id });
  assert.notEqual(claimed!.id, id);
  assert.equal(claimed!.status, "done");
  assert.equal((await wallet.balance()).totalSat, 21);
  assert.deepEqual(await wallet.pending(), []);
  assert.deepEqual(await wallet.audit(), []);
});

Deno.test("fund takes what another copy of the wallet left of what was issued", async () => {
  await using kit = await startKit();
  kit.mints[0]!.admin.change({ cacheTtlS: 0 });
  let alice = kit.wallet();
  const begun = await beginFund(alice.context, { mint: kit.url(), amount: 101n });
  await alice.engine.drive(begun.id);
  await kit.pay(alice.invoiceOf(begun));
  alice.crashAt("fund.mint.after-send");
  await alice.driveToEnd(begun.id).catch(() => {});
  assert.ok(alice.isDead, "the mint has issued, and the wallet does not know");
  const copy = kit.wallet("copy", { wordsOf: "alice" });
  const restored = await beginRestore(copy.context, { mint: kit.url() });
  assert.equal((await copy.driveToEnd(restored.id)).status, "done");
  const sent = await beginSend(copy.context, { mint: kit.url(), amount: 32n });
  await copy.engine.drive(sent.id);
  assert.equal(await kit.redeem(tokenOf(copy.context, sent.id)), 32n);
  alice = await alice.reopen();
  const ended = await alice.driveToEnd(begun.id);
  assert.equal(ended.status, "failed");
  assert.ok(alice.free() > 0n && alice.free() <= 69n);
  assert.match(ended.reason!, new RegExp(`${alice.free()} sat of 101 are here`));
  assert.deepEqual(alice.troubles(), []);
});
