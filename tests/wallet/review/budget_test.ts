import assert from "node:assert/strict";
import { join } from "node:path";
import { newSeedWords } from "../../../src/core/keys.ts";
import { systemRandom } from "../../../src/host/system.ts";
import { Wallet } from "../../../wallet/mod.ts";
import { startKit } from "../../support/wallet_kit.ts";

Deno.test("payments that are prepared at once stay within a budget together", async () => {
  await using kit = await startKit({ feePpk: 100 });
  await using wallet = await Wallet.open({
    directory: join(kit.directory, "payer"),
    seedWords: newSeedWords(),
    clock: kit.clock,
    random: systemRandom,
    budgets: { perDayMaxSat: 200n },
  });
  await wallet.addMint({ url: kit.url(), trust: "trusted" });
  const { operation, invoice } = await wallet.fund({ mint: kit.url(), amountSat: 1000 });
  await kit.pay(invoice);
  await wallet.wait(operation.id);
  const pay = (paymentId: string) =>
    wallet.preparePayment({ paymentId, acceptedMints: [kit.url()], priceSat: 60 });
  const outcomes = await Promise.all(
    ["a", "b", "c", "d", "e", "a", "b"].map((paymentId) => pay(paymentId)),
  );
  const ready = outcomes.filter((outcome) => outcome.status === "ready");
  const tokens = new Map(ready.map((outcome) => [outcome.token, outcome.costSat]));
  const spent = [...tokens.values()].reduce((sum, cost) => sum + cost, 0);
  assert.ok(tokens.size === 3 && spent <= 200, `${tokens.size} tokens cost ${spent} sat`);
  assert.deepEqual(await wallet.audit(), []);
});
