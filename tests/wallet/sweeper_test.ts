import assert from "node:assert/strict";
import { join } from "node:path";
import { LightningService } from "../../devnet/lightning/mod.ts";
import { newSeedWords } from "../../src/core/keys.ts";
import { systemRandom } from "../../src/host/system.ts";
import { Wallet } from "../../wallet/mod.ts";
import { tokenMetadata } from "../../wallet/token.ts";
import type { WalletOptions } from "../../wallet/wallet_options.ts";
import { startKit, type WalletKit } from "../support/wallet_kit.ts";
import { payingWallet, tokenFrom } from "./payments/payments_world.ts";

const signal = new AbortController().signal;

/** A wallet that accepts mint 0 and trusts mint 1, and sweeps when it is asked to. */
async function openWallet(kit: WalletKit, options: Partial<WalletOptions>): Promise<Wallet> {
  const wallet = await Wallet.open({
    directory: join(kit.directory, "lender"),
    seedWords: newSeedWords(),
    clock: kit.clock,
    random: systemRandom,
    resumes: false,
    ...options,
  });
  await wallet.addMint({ url: kit.url(0), trust: "accepted" });
  await wallet.addMint({ url: kit.url(1), trust: "trusted" });
  return wallet;
}

/** A till of the wallet that was paid at the accepted mint. */
async function paidTill(kit: WalletKit, wallet: Wallet, amount: bigint) {
  const buyer = payingWallet(kit, "buyer");
  await buyer.fund(amount);
  const till = wallet.till();
  const token = await tokenFrom(buyer, amount, { lockTo: till.paymentKey });
  const redeemed = await till.redeem({ id: "paid", token }, { signal });
  assert.equal(redeemed.status, "redeemed");
  return till;
}

/** Sweeps until there is nothing to sweep any more. */
async function sweepAll(wallet: Wallet): Promise<void> {
  for (let count = -1; count < (await wallet.history()).length;) {
    count = (await wallet.history()).length;
    await wallet.resume();
    const sweeps = (await wallet.pending()).filter(({ kind }) => kind !== "send");
    for (const { id } of sweeps) await wallet.wait(id);
  }
}

async function freeAt(wallet: Wallet, mint: string): Promise<number> {
  return (await wallet.balance()).mints.find((one) => one.mint === mint)?.freeSat ?? 0;
}

Deno.test("Sweeper leaves what is held back at its mint, which pays it back there", async () => {
  await using kit = await startKit({ mints: 2 });
  await using service = LightningService.start({ lightning: kit.lightning });
  const held = new Map([[kit.url() as string, 3_000]]);
  await using wallet = await openWallet(kit, {
    heldBack: () => Promise.resolve(held),
    autoSweep: { aboveSat: 500, to: `savings@${new URL(service.url).host}` },
    allowPrivate: true,
  });
  const till = await paidTill(kit, wallet, 5_000n);
  await sweepAll(wallet);
  const kinds = new Set((await wallet.history()).map(({ kind }) => kind));
  assert.deepEqual([...kinds].sort(), ["melt", "redeem", "swap"], "what is spare was moved");
  const kept = await freeAt(wallet, kit.url());
  assert.ok(kept >= 3_000 && kept < 4_500, `${kept} sat are kept`);
  assert.ok(await freeAt(wallet, kit.url(1)) < 1_000);
  const plan = await wallet.plan({ acceptedMints: [kit.url()], amountSat: kept - 2_000 });
  assert.equal(plan.kind, "insufficient", "it pays for nothing, either");
  const request = { id: "lease:1", amountSat: 3_000, mint: kit.url() };
  const refunded = await till.refund(request, { signal });
  assert.equal(refunded.status === "refunded" && refunded.amountSat, 3_000);
  assert.equal(refunded.status === "refunded" && tokenMetadata(refunded.token).mint, kit.url());
  held.clear();
  await sweepAll(wallet);
  assert.ok(await freeAt(wallet, kit.url()) < 100, "nobody is owed anything any more");
  assert.deepEqual(await wallet.audit(), []);
});

Deno.test("Sweeper moves nothing while it cannot learn what is held back", async () => {
  await using kit = await startKit({ mints: 2 });
  await using wallet = await openWallet(kit, {
    heldBack: () => Promise.reject(new Error("the journal cannot be read")),
  });
  await paidTill(kit, wallet, 2_000n);
  await sweepAll(wallet);
  assert.equal(await freeAt(wallet, kit.url()), 2_000);
});
