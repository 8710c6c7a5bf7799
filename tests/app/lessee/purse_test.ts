/** The lessee's purse over a real wallet and development mints. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { newSeedWords } from "../../../src/core/keys.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { systemRandom } from "../../../src/host/system.ts";
import { type Agreement, WalletPurse } from "../../../src/app/lifecycle/lessee/purse.ts";
import { callsOf } from "../../../src/app/wallet_policy.ts";
import { walletKeysOf } from "../../../wallet/keys.ts";
import { Wallet } from "../../../wallet/mod.ts";
import type { WalletOptions } from "../../../wallet/wallet_options.ts";
import { startKit, type WalletKit } from "../../support/wallet_kit.ts";

const AGREED: Agreement = { status: "agreed", isConfirmed: false };
const PAYEE = "ab".repeat(32);
const { signal } = new AbortController();

interface Party {
  readonly wallet: Wallet;
  readonly purse: WalletPurse;
  readonly key: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Somebody with a purse; money is at the first mint. */
async function party(
  kit: WalletKit,
  name: string,
  options: {
    readonly sat?: number;
    readonly mints?: readonly number[];
    readonly agreement?: Agreement;
    readonly budgets?: WalletOptions["budgets"];
  } = {},
): Promise<Party> {
  const { sat = 0, mints = [...kit.mints.keys()], agreement = AGREED, budgets } = options;
  const seedWords = newSeedWords();
  const wallet = await Wallet.open({
    directory: join(kit.directory, name),
    seedWords,
    clock: kit.clock,
    random: systemRandom,
    ...(budgets === undefined ? {} : { budgets }),
  });
  for (const index of mints) await wallet.addMint({ url: kit.url(index), trust: "trusted" });
  if (sat > 0) {
    const { operation, invoice } = await wallet.fund({ mint: kit.url(), amountSat: sat });
    await kit.pay(invoice);
    assert.equal((await wallet.wait(operation.id)).status, "done");
  }
  const purse = new WalletPurse({
    wallet: {
      open: () => Promise.resolve(wallet),
      isWanted: () => Promise.resolve(true),
      call: callsOf(wallet, { paymentFeeMax: { baseSat: 20, ppm: 20_000 } }),
    },
    refundKey: walletKeysOf(seedWords).payment.publicKey,
    agree: () => agreement,
  });
  return {
    wallet,
    purse,
    key: wallet.paymentKey,
    [Symbol.asyncDispose]: () => wallet[Symbol.asyncDispose](),
  };
}

async function balance(wallet: Wallet): Promise<number> {
  return (await wallet.balance()).totalSat;
}

Deno.test("a purse pays once for one id, locked to the provider, from another mint when it must", async () => {
  await using kit = await startKit({ mints: 2 });
  await using lessee = await party(kit, "lessee", { sat: 500 });
  await using provider = await party(kit, "provider", { mints: [1] });
  assert.equal(lessee.purse.refundKey, lessee.wallet.paymentKey);
  const locktimeS = Math.floor(kit.clock.nowMs() / 1000) + 3600;
  const request = {
    ...{ id: "rent-1", mints: [kit.url(1)], amountSat: 100 },
    ...{ lockTo: provider.key, locktimeS, payee: PAYEE },
  };
  const paid = await lessee.purse.pay(request, { signal });
  assert.ok(paid.status === "ready", JSON.stringify(paid));
  assert.equal(paid.mint, kit.url(1));
  const before = await balance(lessee.wallet);
  assert.equal(before, 500 - 100 - paid.feeSat, "what it says that it cost");
  const again = await lessee.purse.pay(request, { signal });
  assert.ok(again.status === "ready");
  assert.equal(again.token, paid.token);
  assert.equal(await balance(lessee.wallet), before);
  // Nobody else can have it; the provider nets the amount whatever its mint takes.
  await assert.rejects(lessee.purse.receive(paid.token, { signal }), /Cannot receive/);
  assert.ok(await provider.purse.receive(paid.token, { signal }) >= 100);
  assert.deepEqual(await lessee.purse.reclaim("rent-1"), { status: "spent" });
});

Deno.test("what nobody agreed to is not paid, nor what there is no money or no wallet for", async () => {
  await using kit = await startKit();
  const request = { id: "x", mints: [kit.url()], amountSat: 100, payee: PAYEE };
  await using refusing = await party(kit, "refusing", {
    sat: 200,
    agreement: { status: "declined", reason: "above the budget" },
  });
  assert.deepEqual(await refusing.purse.pay(request, { signal }), {
    status: "declined",
    reason: "above the budget",
  });
  assert.equal((await refusing.wallet.pending()).length, 0);
  await using poor = await party(kit, "poor");
  const declined = await poor.purse.pay(request, { signal });
  assert.ok(declined.status === "declined" && /sat|ecash/.test(declined.reason), declined.status);
  const none = new WalletPurse({
    wallet: {
      open: () => Promise.reject(new Error("never")),
      isWanted: () => Promise.resolve(false),
      call: () => Promise.reject(new Error("never")),
    },
    refundKey: "02",
    agree: () => AGREED,
  });
  const outcome = await none.pay(request, { signal });
  assert.ok(outcome.status === "declined" && /no wallet; name a mint/.test(outcome.reason));
});

Deno.test("the wallet's own budgets hold unless a person agreed", async () => {
  await using kit = await startKit();
  const budgets = { perDayMaxSat: 50n };
  const request = { id: "x", mints: [kit.url()], amountSat: 100, payee: PAYEE };
  await using careful = await party(kit, "careful", { sat: 200, budgets });
  assert.equal((await careful.purse.pay(request, { signal })).status, "declined");
  const agreement: Agreement = { status: "agreed", isConfirmed: true };
  await using asked = await party(kit, "asked", { sat: 200, budgets, agreement });
  assert.equal((await asked.purse.pay(request, { signal })).status, "ready");
});

Deno.test("a refund comes in once, however often it is handed in", async () => {
  await using kit = await startKit();
  await using provider = await party(kit, "provider", { sat: 300 });
  await using lessee = await party(kit, "lessee");
  const refund = await provider.purse.pay(
    { id: "back", mints: [kit.url()], amountSat: 64, lockTo: lessee.key, payee: PAYEE },
    { signal },
  );
  assert.ok(refund.status === "ready");
  const arrived = await lessee.purse.receive(refund.token, { signal });
  assert.ok(arrived >= 64);
  assert.equal(await lessee.purse.receive(` ${refund.token}\n`, { signal }), arrived);
  assert.equal(await balance(lessee.wallet), arrived);
});

Deno.test("a refund in ecash of two mints comes in whole, also when one of them was away at first", async () => {
  await using kit = await startKit({ mints: 2 });
  await using provider = await party(kit, "provider", { sat: 300 });
  await using lessee = await party(kit, "lessee");
  const tokens: string[] = [];
  for (const index of [0, 1]) {
    const part = await provider.purse.pay({
      ...{ id: `part ${index}`, mints: [kit.url(index)], amountSat: 32 * (1 + index) },
      ...{ lockTo: lessee.key, payee: PAYEE },
    }, { signal });
    assert.ok(part.status === "ready");
    tokens.push(part.token);
  }
  const refund = tokens.join(" ");
  await kit.mints[1]!.admin.offline(true);
  const isPassing = (error: unknown) => isSeedmintError(error) && error.code !== "denied";
  await assert.rejects(lessee.purse.receive(refund, { signal }), isPassing);
  await kit.mints[1]!.admin.offline(false);
  assert.equal(await lessee.purse.receive(refund, { signal }), 96);
  assert.equal(await lessee.purse.receive(refund, { signal }), 96);
  assert.equal(await balance(lessee.wallet), 96);
  const half = `cashuBnonsense ${tokens[0]}`;
  assert.equal(await lessee.purse.receive(half, { signal }), 32, "what is worth something counts");
});

Deno.test("a refund that is worth nothing is told from one that has to wait", async () => {
  await using kit = await startKit({ mints: 2 });
  await using provider = await party(kit, "provider", { sat: 300 });
  await using lessee = await party(kit, "lessee", { mints: [1] });
  const codeOf = async (token: string) => {
    try {
      await lessee.purse.receive(token, { signal });
    } catch (error) {
      return isSeedmintError(error) ? error.code : String(error);
    }
    return "received";
  };
  assert.equal(await codeOf("cashuBnonsense"), "denied");
  const token = async (id: string, lockTo?: string) => {
    const paid = await provider.purse.pay({
      ...{ id, mints: [kit.url()], amountSat: 32, payee: PAYEE },
      ...(lockTo === undefined ? {} : { lockTo }),
    }, { signal });
    assert.ok(paid.status === "ready");
    return paid.token;
  };
  const open = await token("open");
  assert.equal(await codeOf(open), "unavailable", "its mint is not listed yet");
  await lessee.wallet.addMint({ url: kit.url(), trust: "trusted" });
  assert.equal(await codeOf(await token("foreign", provider.key)), "denied");
  const spent = await token("spent");
  await provider.purse.reclaim("spent");
  assert.equal(await codeOf(spent), "denied");
  await kit.mints[0]!.admin.offline(true);
  assert.notEqual(await codeOf(open), "denied", "a mint that is away says nothing of a token");
  await kit.mints[0]!.admin.offline(false);
  assert.equal(await codeOf(open), "received");
});

Deno.test("reclaim() takes back at once what is not locked, and after its lock what is", async () => {
  await using kit = await startKit();
  await using lessee = await party(kit, "lessee", { sat: 500 });
  await using provider = await party(kit, "provider");
  const common = { mints: [kit.url()], amountSat: 100, payee: PAYEE };
  assert.deepEqual(await lessee.purse.reclaim("never"), { status: "nothing" });
  const open = await lessee.purse.pay({ ...common, id: "open" }, { signal });
  assert.ok(open.status === "ready");
  const back = await lessee.purse.reclaim("open");
  assert.ok(back.status === "returned" && back.amountSat > 90, JSON.stringify(back));
  assert.deepEqual(await lessee.purse.reclaim("open"), back, "asked again it says the same");
  const held = await balance(lessee.wallet);
  const locktimeS = Math.floor(kit.clock.nowMs() / 1000) + 600;
  const lock = { lockTo: provider.key, locktimeS };
  const locked = await lessee.purse.pay({ ...common, ...lock, id: "locked" }, { signal });
  assert.ok(locked.status === "ready");
  const waiting = await lessee.purse.reclaim("locked");
  assert.ok(waiting.status === "waiting" && waiting.retryMs > 0 && waiting.retryMs <= 3_600_000);
  kit.clock.jump(3 * 3_600_000);
  const returned = await lessee.purse.reclaim("locked");
  assert.ok(returned.status === "returned", JSON.stringify(returned));
  assert.ok(await balance(lessee.wallet) > held - 10);
  assert.deepEqual(await lessee.wallet.audit(), []);
});
