import assert from "node:assert/strict";
import { join } from "node:path";
import { newSeedWords } from "../../../src/core/keys.ts";
import { systemRandom } from "../../../src/host/system.ts";
import { publicKeyOf } from "../../../wallet/cashu.ts";
import { Wallet } from "../../../wallet/mod.ts";
import { encodeToken } from "../../../wallet/token.ts";
import { balanceReport } from "../../../wallet/wallet_views.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { newKeyset, ScriptedMint } from "../mint/scripted_mint.ts";
import { intakeOf, payingWallet, taken, tokenFrom } from "../payments/payments_world.ts";

/** What nutshell answers when anything goes wrong inside of it. */
const TROUBLE = { code: 0, detail: "database is locked" };

Deno.test("a token is not given up because its mint has trouble of its own", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(100n);
  const token = await tokenFrom(alice, 60n);
  const payment = taken(await intakeOf(bob).take({ payer: "peer", paymentId: "p", token }));
  kit.mints[0]!.admin.failNext("/v1/swap", 2, 400, TROUBLE);
  const redeemed = await bob.driveToEnd(payment.operationId!);
  assert.equal(redeemed.state, "redeemed", String(redeemed.reason));
  assert.equal(bob.free(), 60n);
});

Deno.test("a token that the user pasted can be received once its mint has recovered", async () => {
  await using kit = await startKit();
  const alice = payingWallet(kit, "alice");
  await alice.fund(100n);
  const token = await tokenFrom(alice, 60n);
  await using bob = await Wallet.open({
    directory: join(kit.directory, "bob"),
    seedWords: newSeedWords(),
    clock: kit.clock,
    random: systemRandom,
  });
  await bob.addMint({ url: kit.url(), trust: "trusted" });
  kit.mints[0]!.admin.failNext("/v1/swap", 1_000, 400, TROUBLE);
  await bob.receive({ token }).catch(() => {});
  const [pending] = await bob.pending();
  assert.equal(pending?.kind, "redeem");
  await kit.mints[0]!.admin.clearFaults();
  kit.clock.jump(120_000);
  assert.equal((await bob.wait(pending!.id)).status, "done");
  assert.equal((await bob.balance()).totalSat, 60);
});

Deno.test("made-up amounts neither break what the wallet tells nor hold up honest payments", async () => {
  await using kit = await startKit();
  // Stock mints have a key for each power of two up to 2^63.
  const keyset = newKeyset({ count: 64 });
  await using mint = new ScriptedMint([keyset]);
  const bob = payingWallet(kit, "bob");
  bob.store.transact((tx) => tx.putMint({ url: mint.url, trust: "accepted", addedMs: 0 }));
  const C = publicKeyOf(new Uint8Array(32).fill(7));
  const fake = (name: string, amounts: readonly bigint[]) =>
    encodeToken({
      mint: mint.url,
      unit: "sat",
      proofs: amounts.map((amount, index) => ({
        keysetId: keyset.id,
        amount,
        secret: `${name}-${index}`.padEnd(64, "0"),
        C,
      })),
    });
  const intake = intakeOf(bob, { unproven: "queue" });
  const most = 2n ** 52n;
  for (const [name, amounts] of [["a", [most]], ["b", [most]], ["c", [most, most]]] as const) {
    await intake.take({ payer: "cheat", paymentId: name, token: fake(name, amounts) });
  }
  balanceReport(bob.store);
  taken(await intake.take({ payer: "peer", paymentId: "p", token: fake("p", [64n]) }));
});

Deno.test("a token that was worth too little for one price may pay a lower one", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(100n);
  const token = await tokenFrom(alice, 60n);
  const intake = intakeOf(bob);
  const offer = { payer: "peer", paymentId: "p", token };
  assert.equal((await intake.take({ ...offer, price: 61n })).status, "refused");
  assert.equal((await intake.take({ ...offer, price: 60n })).status, "taken");
});

Deno.test("made-up tokens that wait to be redeemed leave room for payments that prove themselves", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  bob.store.transact((tx) => tx.putMint({ ...tx.mint(kit.url())!, exposureMaxSat: 100n }));
  await alice.fund(100n);
  const token = await tokenFrom(alice, 60n, { lockTo: bob.keys.payment.publicKey });
  const { id: keysetId } = await bob.context.mints.of(kit.url()).activeKeyset();
  const fake = encodeToken({
    mint: kit.url(),
    unit: "sat",
    proofs: [{
      keysetId,
      amount: 64n,
      secret: "made-up".padEnd(64, "0"),
      C: publicKeyOf(new Uint8Array(32).fill(7)),
    }],
  });
  const intake = intakeOf(bob, { unproven: "queue" });
  assert.equal(
    taken(await intake.take({ payer: "x", paymentId: "x", token: fake })).state,
    "queued",
  );
  const payment = taken(await intake.take({ payer: "peer", paymentId: "p", token }));
  assert.equal(payment.state, "credited");
});
