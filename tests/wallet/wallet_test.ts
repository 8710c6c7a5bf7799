import assert from "node:assert/strict";
import { join } from "node:path";
import { newSeedWords } from "../../src/core/keys.ts";
import { devnetRandom } from "../../devnet/system.ts";
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
    random: devnetRandom,
    ...options,
  });
}

async function funded(kit: WalletKit, wallet: Wallet, amountSat: number, mint = 0): Promise<void> {
  const { operation, invoice } = await wallet.fund({ mint: kit.url(mint), amountSat });
  await kit.pay(invoice);
  const ended = await wallet.wait(operation.id);
  assert.equal(ended.status, "done", ended.reason ?? "");
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
