import assert from "node:assert/strict";
import { join } from "node:path";
import { newSeedWords } from "../../../src/core/keys.ts";
import { systemRandom } from "../../../src/host/system.ts";
import { publicKeyOf } from "../../../wallet/cashu.ts";
import { Wallet } from "../../../wallet/mod.ts";
import { beginSend, requestReclaim, tokenOf } from "../../../wallet/operations/send_plan.ts";
import type { WalletOptions } from "../../../wallet/wallet_options.ts";
import { startKit, type WalletKit } from "../../support/wallet_kit.ts";
import { payingWallet } from "../payments/payments_world.ts";

/** A wallet with 1000 sat at the first mint of the kit; all mints are trusted. */
async function rich(kit: WalletKit, options: Partial<WalletOptions> = {}): Promise<Wallet> {
  const wallet = await Wallet.open({
    directory: join(kit.directory, "rich"),
    seedWords: newSeedWords(),
    clock: kit.clock,
    random: systemRandom,
    ...options,
  });
  for (const index of kit.mints.keys()) {
    await wallet.addMint({ url: kit.url(index), trust: "trusted" });
  }
  const { operation, invoice } = await wallet.fund({ mint: kit.url(), amountSat: 1000 });
  await kit.pay(invoice);
  assert.equal((await wallet.wait(operation.id)).status, "done");
  return wallet;
}

Deno.test("a payment whose swap cost nothing counts against the budgets all the same", async () => {
  await using kit = await startKit({ mints: 2 });
  for (const mint of kit.mints) mint.admin.setFeeReserve({ percent: 0, minSat: 0 });
  await using wallet = await rich(kit, { budgets: { perDayMaxSat: 250n } });
  const pay = (paymentId: string) =>
    wallet.preparePayment({
      paymentId,
      acceptedMints: [kit.url(1)],
      priceSat: 150,
      subject: paymentId,
    });
  const first = await pay("first");
  assert.equal(first.status, "ready", JSON.stringify(first));
  const second = await pay("second");
  assert.equal(second.status, "declined", "150 of 250 sat are spent");
});

Deno.test("a payment that failed one way may go another", async () => {
  await using kit = await startKit({ mints: 3 });
  await using wallet = await rich(kit);
  kit.mints[1]!.admin.failNext("/v1/mint/quote/bolt11", 1, 400, { code: 20000, detail: "no" });
  const paid = await wallet.preparePayment({
    paymentId: "p",
    acceptedMints: [kit.url(1), kit.url(2)],
    priceSat: 50,
  });
  assert.equal(paid.status, "ready", JSON.stringify(paid));
});

Deno.test("one payment id is not used for another key or other mints", async () => {
  await using kit = await startKit({ mints: 2 });
  await using wallet = await rich(kit);
  const keyOf = (byte: number) => publicKeyOf(new Uint8Array(32).fill(byte));
  const request = { paymentId: "p", acceptedMints: [kit.url()], priceSat: 50, lockTo: keyOf(1) };
  assert.equal((await wallet.preparePayment(request)).status, "ready");
  assert.equal((await wallet.preparePayment(request)).status, "ready");
  for (const other of [{ lockTo: keyOf(2) }, { acceptedMints: [kit.url(1)] }]) {
    const outcome = await wallet.preparePayment({ ...request, ...other });
    assert.equal(outcome.status, "declined", JSON.stringify(outcome));
  }
});

Deno.test("a token that is being taken back is not given out", async () => {
  await using kit = await startKit();
  const alice = payingWallet(kit, "alice");
  await alice.fund(100n);
  const { id } = await beginSend(alice.context, { mint: kit.url(), amount: 40n });
  assert.equal((await alice.engine.drive(id)).state, "token-ready");
  await kit.mints[0]!.admin.offline(true);
  requestReclaim(alice.context, id);
  await alice.engine.drive(id);
  assert.throws(() => tokenOf(alice.context, id), /taken back/);
  await kit.mints[0]!.admin.offline(false);
  assert.equal((await alice.driveToEnd(id)).state, "reclaimed");
});
