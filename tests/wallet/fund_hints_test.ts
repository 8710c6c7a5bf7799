import assert from "node:assert/strict";
import { join } from "node:path";
import { newSeedWords } from "../../src/core/keys.ts";
import { systemRandom } from "../../src/host/system.ts";
import { openHintSocket } from "../../wallet/mint/quote_hints.ts";
import { Wallet } from "../../wallet/mod.ts";
import type { WalletOptions } from "../../wallet/wallet_options.ts";
import { startKit, type WalletKit } from "../support/wallet_kit.ts";

async function open(kit: WalletKit, options: Partial<WalletOptions> = {}) {
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

/** Milliseconds of real time until the operation ended, by the clock on the wall. */
async function msUntilDone(wallet: Wallet, id: string): Promise<number> {
  const startMs = performance.now();
  const signal = AbortSignal.timeout(10_000);
  assert.equal((await wallet.wait(id, { signal })).status, "done");
  return performance.now() - startMs;
}

Deno.test("Wallet notices at once that its invoice was paid where the mint gives hints", async () => {
  for (const resumes of [true, false]) {
    await using kit = await startKit();
    let socketCount = 0;
    await using wallet = await open(kit, {
      resumes,
      openHints: (url, options) => {
        socketCount++;
        return openHintSocket(url, options);
      },
    });
    const funds = [await wallet.fund({ amountSat: 21 }), await wallet.fund({ amountSat: 34 })];
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const { invoice } of funds) await kit.pay(invoice);
    for (const { operation } of funds) {
      const ms = await msUntilDone(wallet, operation.id);
      assert.ok(ms < 1500, `it took ${ms} ms, and the first look is about 1900 ms away`);
    }
    assert.equal(socketCount, 1);
    assert.equal((await wallet.balance()).totalSat, 55);
    assert.deepEqual(await wallet.audit(), []);
  }
});

Deno.test("Wallet watches invoices again that were open when it was closed", async () => {
  await using kit = await startKit();
  const options = { seedWords: newSeedWords() };
  let funded;
  {
    await using wallet = await open(kit, { ...options, openHints: null });
    funded = await wallet.fund({ amountSat: 21 });
    const { id } = funded.operation;
    // Looked at in vain some times, it is looked at less often.
    for (let times = 0; times < 6; times++) {
      kit.clock.jump(20_000);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    while ((await wallet.operation(id)).nextAtMs! - kit.clock.nowMs() < 5000) {
      kit.clock.jump(20_000);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  await using wallet = await open(kit, options);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await kit.pay(funded.invoice);
  const ms = await msUntilDone(wallet, funded.operation.id);
  assert.ok(ms < 4000, `it took ${ms} ms, and the next look was 5000 ms away`);
});

Deno.test("Wallet funds as ever without hints, whether they fail or are not offered", async () => {
  const cases = {
    "a broken socket": () => Promise.reject(new Error("no")),
    "no socket": null,
    "no support by the mint": () => assert.fail("no socket may be opened"),
  };
  for (const [name, openHints] of Object.entries(cases)) {
    await using kit = await startKit();
    if (name === "no support by the mint") kit.mints[0]!.admin.disableNuts([17]);
    await using wallet = await open(kit, { openHints });
    const { invoice, operation } = await wallet.fund({ amountSat: 21 });
    await kit.pay(invoice);
    const done = msUntilDone(wallet, operation.id);
    await new Promise((resolve) => setTimeout(resolve, 20));
    kit.clock.jump(3000);
    await done;
    assert.equal((await wallet.balance()).totalSat, 21);
  }
});

Deno.test("A hint that lies makes the wallet ask, and nothing else", async () => {
  await using kit = await startKit();
  const lies: ((text: string) => void)[] = [];
  const ended = Promise.withResolvers<void>();
  let sub = { subId: "", quote: "" };
  await using wallet = await open(kit, {
    openHints: () => {
      const lie = Promise.withResolvers<string | undefined>();
      lies.push(lie.resolve);
      let count = 0;
      return Promise.resolve({
        ended: ended.promise,
        receive: () => count++ === 0 ? lie.promise : ended.promise.then(() => undefined),
        send: (text) => {
          const { params } = JSON.parse(text);
          if (params.filters) sub = { subId: params.subId, quote: params.filters[0] };
        },
        close: () => {
          lie.resolve(undefined);
          ended.resolve();
        },
      });
    },
  });
  const { operation } = await wallet.fund({ amountSat: 21 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  const asked = () =>
    kit.mints[0]!.admin.requests().filter(({ path }) => path.includes("/mint/quote/bolt11/"))
      .length;
  const before = asked();
  const payload = { quote: sub.quote, state: "PAID" };
  lies[0]!(JSON.stringify({ method: "subscribe", params: { subId: sub.subId, payload } }));
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(asked(), before + 1);
  assert.equal((await wallet.operation(operation.id)).state, "awaiting-payment");
  assert.equal((await wallet.balance()).totalSat, 0);
});
