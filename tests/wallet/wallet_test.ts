import assert from "node:assert/strict";
import { join } from "node:path";
import { newSeedWords } from "../../src/core/keys.ts";
import { systemRandom } from "../../src/host/system.ts";
import { LightningService } from "../../devnet/lightning/mod.ts";
import { startKit, type WalletKit } from "../support/wallet_kit.ts";
import { Wallet } from "../../wallet/mod.ts";
import type { WalletOptions } from "../../wallet/wallet_options.ts";

/** A wallet of its own words and folder over the kit's mints. */
async function open(
  kit: WalletKit,
  name: string,
  options: Partial<WalletOptions> = {},
): Promise<Wallet> {
  return await Wallet.open({
    directory: join(kit.directory, name),
    seedWords: newSeedWords(),
    clock: kit.clock,
    random: systemRandom,
    ...options,
  });
}

async function funded(kit: WalletKit, wallet: Wallet, amountSat: number, mint = 0): Promise<void> {
  const { operation, invoice } = await wallet.fund({ mint: kit.url(mint), amountSat });
  await kit.pay(invoice);
  const waiting = wallet.wait(operation.id);
  // The mint is asked every few seconds: time need not pass by itself.
  let isOver = false;
  const ended = waiting.finally(() => isOver = true);
  while (!isOver) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    kit.clock.jump(500);
  }
  const { status, reason } = await ended;
  assert.equal(status, "done", reason ?? "");
}

async function freeAt(wallet: Wallet, mint: string): Promise<number> {
  return (await wallet.balance()).mints.find((one) => one.mint === mint)?.freeSat ?? 0;
}

Deno.test("Wallet funds, sends, receives and books every sat, fees included", async () => {
  await using kit = await startKit({ feePpk: 100 });
  await using alice = await open(kit, "alice");
  await using bob = await open(kit, "bob");
  for (const wallet of [alice, bob]) await wallet.addMint({ url: kit.url(), trust: "trusted" });
  await funded(kit, alice, 1000);
  const prepared = await alice.prepareSend({ amountSat: 300 });
  assert.equal(prepared.state, "prepared");
  assert.ok(prepared.feeMaxSat !== null && prepared.feeMaxSat >= 1);
  await alice.confirm(prepared.id);
  const token = await alice.token(prepared.id);
  const { receivedSat, operation } = await bob.receive({ token });
  assert.equal(operation.status, "done");
  assert.equal(receivedSat, await freeAt(bob, kit.url()));
  assert.ok(receivedSat >= 298 && receivedSat < 300);
  assert.equal(await freeAt(alice, kit.url()), 700 - (await alice.operation(prepared.id)).feeSat);
  await assert.rejects(bob.receive({ token }), /Cannot receive the token/);
  assert.deepEqual([...await alice.audit(), ...await bob.audit()], []);
});

Deno.test("Wallet goes on by itself with what is open after it was closed", async () => {
  await using kit = await startKit();
  const options = { seedWords: newSeedWords() };
  let invoice: string;
  {
    await using alice = await open(kit, "alice", options);
    await alice.addMint({ url: kit.url(), trust: "trusted" });
    invoice = (await alice.fund({ amountSat: 100 })).invoice;
  }
  await kit.pay(invoice);
  await using alice = await open(kit, "alice", options);
  const [pending] = await alice.pending();
  assert.equal(pending!.kind, "fund");
  assert.equal((await alice.wait(pending!.id)).status, "done");
  assert.equal((await alice.balance()).totalSat, 100);
  assert.deepEqual(await alice.pending(), []);
});

Deno.test("Wallet prepares, shows the fee, and cancels without a trace", async () => {
  await using kit = await startKit({ mints: 2, feePpk: 100 });
  await using alice = await open(kit, "alice");
  for (const mint of [0, 1]) await alice.addMint({ url: kit.url(mint), trust: "trusted" });
  await funded(kit, alice, 1000);
  const { bolt11 } = await kit.lightning.createInvoice({
    amountMsat: 100_000n,
    payee: "somebody",
    expiryS: 600,
  });
  const prepared = [
    await alice.prepareSend({ amountSat: 100 }),
    await alice.preparePay({ invoice: bolt11 }),
    await alice.prepareSwap({ from: kit.url(0), to: kit.url(1), amountSat: 100 }),
  ];
  for (const operation of prepared) {
    assert.equal(operation.state, "prepared");
    assert.ok(operation.feeMaxSat !== null && operation.feeMaxSat > 0, operation.kind);
    assert.equal((await alice.cancel(operation.id)).status, "failed");
    await assert.rejects(alice.confirm(operation.id), /Cannot confirm/);
  }
  assert.equal((await alice.balance()).mints[0]!.reservedSat, 0);
  assert.equal((await alice.balance()).totalSat, 1000);
  assert.deepEqual(await alice.audit(), []);
});

Deno.test("Wallet pays an invoice, swaps between mints, and shows both in the history", async () => {
  await using kit = await startKit({ mints: 2 });
  await using alice = await open(kit, "alice");
  for (const mint of [0, 1]) await alice.addMint({ url: kit.url(mint), trust: "trusted" });
  await funded(kit, alice, 1000);
  const { bolt11, paymentHash } = await kit.lightning.createInvoice({
    amountMsat: 100_000n,
    payee: "somebody",
    expiryS: 600,
  });
  const pay = await alice.preparePay({ invoice: bolt11 });
  await alice.confirm(pay.id);
  assert.equal((await alice.wait(pay.id)).status, "done");
  assert.equal((await kit.lightning.invoice(paymentHash)).state, "paid");
  const swap = await alice.prepareSwap({ from: kit.url(0), to: kit.url(1), amountSat: 200 });
  await alice.confirm(swap.id);
  assert.equal((await alice.wait(swap.id)).status, "done");
  assert.equal(await freeAt(alice, kit.url(1)), 200);
  const history = await alice.history({ limit: 2 });
  assert.deepEqual(history.map((entry) => entry.kind), ["swap", "melt"]);
  const fees = history.reduce((sum, entry) => sum + entry.feeSat, 0);
  assert.equal((await alice.balance()).totalSat, 900 - fees);
  assert.deepEqual(await alice.audit(), []);
});

Deno.test("Wallet says how much is where, when it is too little", async () => {
  await using kit = await startKit({ mints: 2 });
  await using alice = await open(kit, "alice");
  await assert.rejects(alice.fund({ amountSat: 100 }), /no trusted mint.*mints add/s);
  await assert.rejects(alice.prepareSend({ amountSat: 100 }), /no mint is listed/);
  for (const mint of [0, 1]) await alice.addMint({ url: kit.url(mint), trust: "trusted" });
  await funded(kit, alice, 320);
  await assert.rejects(alice.prepareSend({ amountSat: 500 }), {
    code: "payment-required",
    message: `Cannot send 500 sat: 320 sat are free at ${kit.url(0)}; fund it`,
  });
  await assert.rejects(alice.prepareSend({ amountSat: 100, mint: kit.url(1) }), {
    message: `Cannot send 100 sat: 0 sat are free at ${kit.url(1)}; ` +
      `fund it or swap from ${kit.url(0)} (320 sat)`,
  });
  for (const amountSat of [0, -1, 1.5, NaN, 2 ** 60]) {
    await assert.rejects(alice.prepareSend({ amountSat }), RangeError);
  }
});

Deno.test("Wallet funds the home mint when nobody names one", async () => {
  await using kit = await startKit({ mints: 2 });
  await using alice = await open(kit, "alice", { homeMint: `${kit.url(1)}/` });
  await using bob = await open(kit, "bob");
  for (const wallet of [alice, bob]) {
    await wallet.addMint({ url: kit.url(0), trust: "trusted" });
    await wallet.addMint({ url: kit.url(1), trust: "trusted" });
  }
  assert.equal((await alice.fund({ amountSat: 1 })).operation.mint, kit.url(1));
  assert.equal((await bob.fund({ amountSat: 1 })).operation.mint, kit.url(0));
  const seedWords = newSeedWords();
  await assert.rejects(open(kit, "carol", { homeMint: "no address", seedWords }), SyntaxError);
  await using _carol = await open(kit, "carol", { seedWords });
});

Deno.test("Wallet lists a mint after asking it, and lets none go while money is there", async () => {
  await using kit = await startKit({ mints: 2 });
  await using alice = await open(kit, "alice");
  await assert.rejects(
    alice.addMint({ url: "http://mint.example", trust: "trusted" }),
    SyntaxError,
  );
  await assert.rejects(
    alice.addMint({ url: "https://10.0.0.1", trust: "trusted" }),
    /private network/,
  );
  await assert.rejects(alice.addMint({ url: "http://127.0.0.1:9", trust: "trusted" }), {
    code: "unavailable",
  });
  assert.deepEqual(await alice.mints(), []);
  kit.mints[1]!.admin.disableNuts([12]);
  await assert.rejects(alice.addMint({ url: kit.url(1), trust: "trusted" }), /NUT-12/);
  const added = await alice.addMint({ url: kit.url(1), trust: "accepted", exposureMaxSat: 500 });
  assert.deepEqual([added.trust, added.exposureMaxSat, added.online], ["accepted", 500, true]);
  await assert.rejects(alice.fund({ mint: kit.url(1), amountSat: 100 }), /not trusted to hold/);
  const view = await alice.addMint({ url: kit.url(0), trust: "trusted" });
  assert.ok(view.name !== null && view.nuts.includes(11));
  await funded(kit, alice, 100);
  await assert.rejects(alice.removeMint({ url: kit.url(0) }), /100 sat .*swap or withdraw/);
  await alice.removeMint({ url: kit.url(1) });
  assert.deepEqual((await alice.mints()).map((mint) => mint.url), [kit.url(0)]);
  await alice.removeMint({ url: kit.url(0), force: true });
  assert.equal((await alice.balance()).totalSat, 100);
  await alice.addMint({ url: kit.url(0), trust: "trusted", exposureMaxSat: 150 });
  await assert.rejects(alice.fund({ amountSat: 100 }), /200 sat of at most 150/);
});

Deno.test("Wallet takes payments of peers and says what becomes of them", async () => {
  await using kit = await startKit();
  const told: string[] = [];
  await using alice = await open(kit, "alice");
  await using bob = await open(kit, "bob", {
    onPayment: (receipt) => told.push(`${receipt.paymentId} ${receipt.state} ${receipt.creditSat}`),
    intake: { batch: { proofsMin: 100, idleMs: 1, lingerMs: 1 } },
  });
  for (const wallet of [alice, bob]) await wallet.addMint({ url: kit.url(), trust: "trusted" });
  await funded(kit, alice, 500);
  const request = { acceptedMints: [kit.url()], priceSat: 64 };
  const locked = await alice.preparePayment({ ...request, lockTo: bob.paymentKey });
  const open_ = await alice.preparePayment(request);
  assert.ok(locked.status === "ready" && open_.status === "ready");
  const first = await bob.takePayment({ payer: "alice", paymentId: "1", token: locked.token });
  assert.ok(first.status === "taken");
  assert.deepEqual([first.receipt.state, first.receipt.creditSat], ["credited", 64]);
  const second = await bob.takePayment({ payer: "alice", paymentId: "2", token: open_.token });
  assert.ok(second.status === "taken");
  assert.deepEqual([second.receipt.state, second.receipt.creditSat], ["queued", 0]);
  await bob.wait(first.receipt.operationId!);
  await bob.wait(second.receipt.operationId!);
  assert.equal(bob.paymentReceipt("alice", "2")!.creditSat, 64);
  assert.equal(bob.paymentReceipt("alice", "3"), undefined);
  assert.deepEqual(told.sort(), ["1 redeemed 64", "2 redeemed 64"]);
  assert.equal(await freeAt(bob, kit.url()), 128);
});

Deno.test("Wallet sweeps what an accepted mint paid into the trusted one", async () => {
  await using kit = await startKit({ mints: 2 });
  await using alice = await open(kit, "alice");
  await using bob = await open(kit, "bob");
  await alice.addMint({ url: kit.url(1), trust: "trusted" });
  await bob.addMint({ url: kit.url(0), trust: "trusted" });
  await bob.addMint({ url: kit.url(1), trust: "accepted" });
  await funded(kit, alice, 1000, 1);
  const send = await alice.prepareSend({ amountSat: 600 });
  await alice.confirm(send.id);
  await bob.receive({ token: await alice.token(send.id) });
  for (let round = 0; round < 200 && await freeAt(bob, kit.url(0)) === 0; round++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    kit.clock.jump(500);
  }
  const swept = await freeAt(bob, kit.url(0));
  assert.ok(swept >= 550, `${swept} sat were swept`);
  for (const { id } of await bob.pending()) await bob.wait(id);
  assert.ok(await freeAt(bob, kit.url(1)) < 50);
  assert.deepEqual(await bob.audit(), []);
});

Deno.test("Wallet that does not go on by itself begins nothing by itself, and sweeps when asked", async () => {
  await using kit = await startKit({ mints: 2 });
  await using alice = await open(kit, "alice");
  await using bob = await open(kit, "bob", { resumes: false });
  await alice.addMint({ url: kit.url(1), trust: "trusted" });
  await bob.addMint({ url: kit.url(0), trust: "trusted" });
  await bob.addMint({ url: kit.url(1), trust: "accepted" });
  await funded(kit, alice, 1000, 1);
  const send = await alice.prepareSend({ amountSat: 600 });
  await alice.confirm(send.id);
  await bob.receive({ token: await alice.token(send.id) });
  assert.deepEqual(await bob.pending(), []);
  await bob.resume();
  const [sweep] = await bob.history();
  assert.equal(sweep!.kind, "swap");
  assert.equal((await bob.wait(sweep!.id)).status, "done");
  assert.ok(await freeAt(bob, kit.url(0)) >= 550);
});

Deno.test("Wallet finds everything again from the words alone, and more from a backup", async () => {
  await using kit = await startKit();
  const seedWords = newSeedWords();
  const path = join(kit.directory, "wallet.backup");
  {
    await using alice = await open(kit, "alice", { seedWords });
    await alice.addMint({ url: kit.url(), trust: "trusted" });
    await funded(kit, alice, 777);
    const send = await alice.prepareSend({ amountSat: 77 });
    await alice.confirm(send.id);
    assert.ok((await alice.backup(path)).bytes > 0);
  }
  await using words = await open(kit, "words", { seedWords });
  await words.addMint({ url: kit.url(), trust: "trusted" });
  const found = await words.restore({});
  assert.equal(found.operations.length, 1);
  for (const operation of found.operations) await words.wait(operation.id);
  assert.equal(found.foundSat, 777);
  await using file = await open(kit, "file", { seedWords, resumes: false });
  const restored = await file.restore({ path });
  for (const operation of restored.operations) await file.wait(operation.id);
  const balance = await file.balance();
  assert.deepEqual([balance.mints[0]!.freeSat, balance.mints[0]!.outgoingSat], [700, 77]);
  assert.deepEqual([...await words.audit(), ...await file.audit()], []);
});

Deno.test("Wallet takes a token back that nobody redeemed, and says so when it is too late", async () => {
  await using kit = await startKit();
  await using alice = await open(kit, "alice");
  await using bob = await open(kit, "bob");
  for (const wallet of [alice, bob]) await wallet.addMint({ url: kit.url(), trust: "trusted" });
  await funded(kit, alice, 200);
  const send = await alice.prepareSend({ amountSat: 50 });
  await alice.confirm(send.id);
  const token = await alice.token(send.id);
  await assert.rejects(alice.receive({ token }), /our own token/);
  assert.equal((await alice.reclaim(send.id)).state, "reclaimed");
  await assert.rejects(bob.receive({ token }), /Cannot receive the token: it was spent elsewhere/);
  const locked = await alice.prepareSend({ amountSat: 50, lockTo: bob.paymentKey });
  await alice.confirm(locked.id);
  await assert.rejects(alice.reclaim(locked.id), /locked to its receiver until/);
  assert.equal((await alice.balance()).totalSat, 150);
});

Deno.test("Wallet withdraws to a Lightning address, and by itself what is above a threshold", async () => {
  await using kit = await startKit();
  await using service = LightningService.start({ lightning: kit.lightning });
  const address = `savings@${new URL(service.url).host}`;
  await using alice = await open(kit, "alice");
  await alice.addMint({ url: kit.url(), trust: "trusted" });
  await funded(kit, alice, 1000);
  await assert.rejects(
    alice.prepareWithdraw({ to: `wrong-amount-x@${new URL(service.url).host}`, amountSat: 100 }),
  );
  const withdrawal = await alice.prepareWithdraw({ to: address, amountSat: 100 });
  await alice.confirm(withdrawal.id);
  const ended = await alice.wait(withdrawal.id);
  assert.equal(ended.status, "done");
  assert.equal((await alice.balance()).totalSat, 900 - ended.feeSat);
  await using rich = await open(kit, "rich", { autoSweep: { aboveSat: 400, to: address } });
  await rich.addMint({ url: kit.url(), trust: "trusted" });
  await funded(kit, rich, 1000);
  for (let round = 0; round < 200 && (await rich.balance()).totalSat > 420; round++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    kit.clock.jump(500);
  }
  const { totalSat } = await rich.balance();
  assert.ok(totalSat <= 400 && totalSat > 350, `${totalSat} sat are left`);
  const [sweep] = await rich.history({ limit: 1 });
  assert.deepEqual([sweep!.kind, sweep!.amountSat], ["melt", 600]);
  assert.deepEqual([...await alice.audit(), ...await rich.audit()], []);
});
