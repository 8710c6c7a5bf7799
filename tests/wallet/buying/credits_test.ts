/** Credit that is left at a seller, told and paid back. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { newSeedWords } from "../../../src/core/keys.ts";
import { systemRandom } from "../../../src/host/system.ts";
import { UNITS_PER_SAT } from "../../../wallet/credit_units.ts";
import { bookRefunds, refundIdOf } from "../../../wallet/buying/credits.ts";
import { Wallet } from "../../../wallet/mod.ts";
import { beginSend, tokenOf } from "../../../wallet/operations/send_plan.ts";
import { Seller } from "../../../wallet/selling/seller.ts";
import { startKit, type WalletKit } from "../../support/wallet_kit.ts";
import { intakeOf, PAYMENT_SAGAS } from "../payments/payments_world.ts";
import {
  buyerOf,
  buyingWallet,
  deskOf,
  opened,
  PAYER,
  paymentOf,
  SELLER,
  SUBJECT,
  TestSeller,
} from "./buying_world.ts";

const MIB = 1_048_576;
const VIEWER = { peerId: PAYER, fleet: false };

/** A buyer that paid 64 sat for 1 sat of content, and its seller, whose payments are redeemed. */
async function traded(kit: WalletKit, stack: AsyncDisposableStack) {
  const words = newSeedWords();
  const reopen = async () =>
    await Wallet.open({
      directory: join(kit.directory, "buyer"),
      seedWords: words,
      clock: kit.clock,
      random: systemRandom,
    });
  const alice = await reopen();
  await alice.addMint({ url: kit.url(), trust: "trusted" });
  await alice.receive({ token: await tokenOfBank(kit, 500n) });
  const bob = buyingWallet(kit, "bob");
  const intake = intakeOf(bob, { unredeemedPerPayerMaxSat: 1_000_000n });
  const seller = stack.use(new Seller({ engine: bob.engine, intake }));
  seller.setService({ id: "default", enabled: true, priceMsatPerMiB: 1_000, minTopUpSat: 64 });
  const terms = await seller.decide({ viewer: VIEWER, root: SUBJECT });
  assert.ok(terms.decision === "pay");
  const opened = await alice.buyer({ priceMaxMsatPerMiB: 5_000 })
    .open({ peerId: SELLER, subject: SUBJECT, terms, bytesMax: 10 * MIB });
  assert.ok(opened.status === "open", JSON.stringify(opened));
  const { session } = opened;
  const payment = paymentOf(await session.next());
  const answer = await seller.pay({ viewer: VIEWER, payment });
  assert.equal(answer.answer, "credited");
  session.answered(payment.id, answer);
  const meter = seller.openMeter({ viewer: VIEWER, root: SUBJECT, priceMsatPerMiB: 1_000 });
  assert.equal(meter.take(new Array(64).fill(16_384)), 64);
  await meter[Symbol.asyncDispose]();
  session.verified(MIB);
  await session[Symbol.asyncDispose]();
  for (const { id } of bob.store.operations({ kind: "redeem" })) await bob.driveToEnd(id);
  const refund = async () => {
    const answer = await seller.refund(VIEWER);
    assert.ok(answer.status === "refunded", JSON.stringify(answer));
    return { peerId: SELLER, ...answer };
  };
  return { alice, bob, seller, refund, reopen };
}

/** A token of somebody else's. */
async function tokenOfBank(kit: WalletKit, amount: bigint, mint = 0): Promise<string> {
  const bank = buyingWallet(kit, `bank${amount}`, { sagas: [...PAYMENT_SAGAS] });
  await bank.fund(amount, kit.url(mint));
  const { id } = await beginSend(bank.context, { mint: kit.url(mint), amount, maxFee: 10n });
  await bank.engine.drive(id);
  return tokenOf(bank.context, id);
}

async function creditsOf(wallet: Wallet): Promise<readonly (readonly number[])[]> {
  return (await wallet.credits()).map(({ leftMsat, usedMsat, refundedSat }) =>
    [leftMsat, usedMsat, refundedSat] as const
  );
}

Deno.test("credits() tells what is left; what its seller pays back is received and booked, once", async () => {
  await using kit = await startKit();
  await using stack = new AsyncDisposableStack();
  const { alice: wallet, seller, refund } = await traded(kit, stack);
  await using alice = wallet;
  assert.deepEqual(await creditsOf(alice), [[63_000, 1_000, 0]]);
  const before = (await alice.balance()).totalSat;
  const answer = await refund();
  assert.equal(answer.amountSat, 63);
  const { receivedSat, operation } = await alice.takeRefund(answer);
  assert.deepEqual([receivedSat, operation.status], [63, "done"]);
  assert.deepEqual(await creditsOf(alice), [[0, 1_000, 63]]);
  assert.equal((await alice.balance()).totalSat, before + 63);
  const again = await alice.takeRefund(answer);
  assert.deepEqual([again.operation.id, again.receivedSat], [operation.id, 63]);
  assert.deepEqual(await creditsOf(alice), [[0, 1_000, 63]]);
  assert.equal((await alice.balance()).totalSat, before + 63, "received twice is harmless");
  assert.equal(seller.creditOf(VIEWER), 0);
  assert.deepEqual(await alice.audit(), []);
  // Nothing is left by both books, so that the next fetch pays first.
  const terms = await seller.decide({ viewer: VIEWER, root: SUBJECT });
  assert.ok(terms.decision === "pay");
  const opened = await alice.buyer({ priceMaxMsatPerMiB: 5_000 })
    .open({ peerId: SELLER, subject: SUBJECT, terms, bytesMax: 10 * MIB });
  assert.ok(opened.status === "open");
  await using session = opened.session;
  paymentOf(await session.next());
});

Deno.test("a refund whose buyer died before it was taken is the same when it is asked for again", async () => {
  await using kit = await startKit();
  await using stack = new AsyncDisposableStack();
  const { alice: first, refund, reopen } = await traded(kit, stack);
  const lost = await refund();
  await first[Symbol.asyncDispose]();
  await using alice = await reopen();
  const answer = await refund();
  assert.equal(answer.token, lost.token, "asked again it is the same");
  await alice.takeRefund(answer);
  assert.deepEqual(await creditsOf(alice), [[0, 1_000, 63]]);
});

Deno.test("a refund that was taken in and not booked when the process died is booked once", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(500n);
  const seller = new TestSeller(bob);
  await using desk = deskOf(alice);
  await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 1000 * MIB });
  const payment = paymentOf(await session.next());
  session.answered(payment.id, await seller.take(payment));
  const token = await tokenOfBank(kit, 50n);
  const paymentId = refundIdOf(SELLER, token);
  await intakeOf(alice).take({ payer: "local", paymentId, token, alone: true });
  assert.equal(alice.store.sellerAccount(SELLER)!.refunded, 0n);
  desk.bookRefunds(SELLER);
  assert.ok(!bookRefunds(alice.context, SELLER), "once");
  const { refunded, lost } = alice.store.sellerAccount(SELLER)!;
  assert.deepEqual([refunded, lost], [50n, 50n * UNITS_PER_SAT]);
  paymentOf(await session.next());
});

Deno.test("takeRefund() takes nothing of who was never paid, and no ecash of mints that are not listed", async () => {
  await using kit = await startKit({ mints: 2 });
  await using stack = new AsyncDisposableStack();
  const { alice: wallet } = await traded(kit, stack);
  await using alice = wallet;
  const token = await tokenOfBank(kit, 40n);
  await assert.rejects(alice.takeRefund({ peerId: "nobody", token }), /it was never paid/);
  const foreign = await tokenOfBank(kit, 41n, 1);
  await assert.rejects(alice.takeRefund({ peerId: SELLER, token: foreign }), /mint/);
  assert.deepEqual(await creditsOf(alice), [[63_000, 1_000, 0]]);
});
