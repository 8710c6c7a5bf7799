import assert from "node:assert/strict";
import { join } from "node:path";
import { newSeedWords } from "../../src/core/keys.ts";
import { systemRandom } from "../../src/host/system.ts";
import { Wallet } from "../../wallet/mod.ts";
import type { WalletOptions } from "../../wallet/wallet_options.ts";
import { startKit, type WalletKit } from "../support/wallet_kit.ts";

async function open(kit: WalletKit, options: Partial<WalletOptions> = {}): Promise<Wallet> {
  const wallet = await Wallet.open({
    directory: join(kit.directory, "alice"),
    seedWords: newSeedWords(),
    clock: kit.clock,
    random: systemRandom,
    ...options,
  });
  await wallet.addMint({ url: kit.url(), trust: "trusted" });
  return wallet;
}

async function fund(kit: WalletKit, wallet: Wallet, amountSat: number): Promise<void> {
  const { operation, invoice } = await wallet.fund({ amountSat });
  await kit.pay(invoice);
  const signal = AbortSignal.timeout(10_000);
  assert.equal((await wallet.wait(operation.id, { signal })).status, "done");
}

Deno.test("Wallet.restore replaces what it holds only when told so, and keeps a copy of it", async () => {
  await using kit = await startKit();
  await using wallet = await open(kit);
  const path = join(kit.directory, "file");
  await fund(kit, wallet, 100);
  await wallet.backup(path);
  await fund(kit, wallet, 50);
  const pending = await wallet.fund({ amountSat: 21 });
  await assert.rejects(wallet.restore({ path }), { code: "denied" });
  await assert.rejects(wallet.restore({ replace: true }), { code: "usage" });
  assert.equal((await wallet.balance()).totalSat, 150);
  const { foundSat, operations, replacedPath } = await wallet.restore({ path, replace: true });
  assert.deepEqual(operations.map(({ status }) => status), ["done"]);
  assert.equal(foundSat, 50, "what came after the backup is found by the words");
  assert.equal((await wallet.balance()).totalSat, 150);
  await assert.rejects(wallet.operation(pending.operation.id), { code: "not-found" });
  assert.ok((await Deno.stat(replacedPath!)).size > 0);
  assert.equal((await Deno.stat(replacedPath!)).mode! & 0o077, 0, "others may not read it");
  await wallet.cancel((await wallet.prepareSend({ amountSat: 120 })).id);
  assert.deepEqual(await wallet.audit(), []);
});

Deno.test("Wallet.restore replaces a wallet while its operations are being driven", async () => {
  await using kit = await startKit();
  let isHeld = false;
  const gate = Promise.withResolvers<void>();
  await using wallet = await open(kit, {
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (isHeld && String(input).endsWith("/v1/swap")) await gate.promise;
      return response;
    },
  });
  const path = join(kit.directory, "file");
  await fund(kit, wallet, 100);
  await wallet.backup(path);
  const send = await wallet.prepareSend({ amountSat: 33 });
  isHeld = true;
  const confirmed = wallet.confirm(send.id).then(() => "done", (error) => error.code);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const restored = wallet.restore({ path, replace: true });
  await new Promise((resolve) => setTimeout(resolve, 200));
  gate.resolve();
  assert.equal(await confirmed, "not-found");
  const { operations } = await restored;
  assert.deepEqual(operations.map(({ status }) => status), ["done"]);
  const { totalSat } = await wallet.balance();
  assert.equal(totalSat, 100, "the token that was never given out is found by the words, too");
  assert.deepEqual(await wallet.audit(), []);
});

Deno.test("Wallet.preimage is the proof of payment of a melt, and of nothing else", async () => {
  await using kit = await startKit();
  await using wallet = await open(kit);
  await fund(kit, wallet, 100);
  const { bolt11, paymentHash } = await kit.lightning.createInvoice({
    amountMsat: 21_000n,
    payee: "somebody",
    expiryS: 600,
  });
  const { id } = await wallet.preparePay({ invoice: bolt11 });
  await assert.rejects(wallet.preimage(id), { code: "not-found", message: /not paid/ });
  await wallet.confirm(id);
  await wallet.wait(id);
  const preimage = Uint8Array.fromHex(await wallet.preimage(id));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", preimage));
  assert.equal(hash.toHex(), paymentHash);
  const [funded] = (await wallet.history()).filter(({ kind }) => kind === "fund");
  await assert.rejects(wallet.preimage(funded!.id), { code: "not-found", message: /no payment/ });
  await assert.rejects(wallet.preimage("00".repeat(16)), { code: "not-found" });
});
