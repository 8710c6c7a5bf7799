import assert from "node:assert/strict";
import fc from "fast-check";
import { FAULT_POINTS as MELT_POINTS } from "../../../wallet/operations/melt.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import { beginSwap, FAULT_POINTS as SWAP_POINTS } from "../../../wallet/operations/swap.ts";
import {
  AMOUNT,
  assertConserved,
  begin,
  fundedKit,
  paidBy,
  shopSat,
  type TestWallet,
  type WalletKit,
} from "./melt_world.ts";

/** What may go wrong, each with what makes it go wrong. */
const TROUBLES: Readonly<Record<string, (kit: WalletKit) => void>> = {
  "the source lies after paying": ({ mints }) => mints[0]!.admin.lieAfterPaying(),
  "the source tells old states": ({ mints }) => mints[0]!.admin.staleQuotes(4),
  "the destination tells old states": ({ mints }) => mints[1]!.admin.staleQuotes(4),
  "the source holds the payment": ({ mints }) => mints[0]!.admin.pendingForever(),
  "the source rotates": ({ mints }) => void mints[0]!.admin.rotateKeyset({ feePpk: 100 }),
  "the destination rotates": ({ mints }) => void mints[1]!.admin.rotateKeyset({ feePpk: 500 }),
  "the source permutes": ({ mints }) => mints[0]!.admin.permuteSignatures(),
  "the destination permutes": ({ mints }) => mints[1]!.admin.permuteSignatures(),
  "the source drops a signature": ({ mints }) => mints[0]!.admin.dropSignature(),
  "the destination drops a signature": ({ mints }) => mints[1]!.admin.dropSignature(),
  "a swap is answered with an error after its effect": ({ mints }) =>
    mints[0]!.admin.failNext("/v1/swap", 2, 500, { isAfter: true }),
  "a melt is answered with an error after its effect": ({ mints }) =>
    mints[0]!.admin.failNext("/v1/melt/bolt11", 1, 502, { isAfter: true }),
  "a melt is not looked at": ({ mints }) =>
    mints[0]!.admin.failNext("/v1/melt/bolt11", 7, 429, { retryAfterS: 2 }),
  "a melt is refused for its blanks": ({ mints }) =>
    mints[0]!.admin.failNext("/v1/melt/bolt11", 1, 400, { code: 12002, detail: "inactive" }),
  "a melt is refused as paid": ({ mints }) =>
    mints[0]!.admin.failNext("/v1/melt/bolt11", 1, 400, { code: 20006, detail: "paid" }),
  "issuing is answered with an error after its effect": ({ mints }) =>
    mints[1]!.admin.failNext("/v1/mint/bolt11", 2, 500, { isAfter: true }),
  "restores fail": ({ mints }) => {
    for (const { admin } of mints) admin.failNext("/v1/restore", 2, 500);
  },
  "nothing is cached": ({ mints }) => {
    for (const { admin } of mints) admin.change({ cacheTtlS: 0 });
  },
  "change is of the newest keyset": ({ mints }) =>
    mints[0]!.admin.change({ changeKeyset: "active", zeroChange: true }),
  "Lightning fails": ({ lightning }) => lightning.script({ action: "fail" }),
  "Lightning is slow": ({ lightning }) => lightning.script({ action: "delay", ms: 1500 }),
  "Lightning is slow and fails": ({ lightning }) =>
    lightning.script({ action: "pretend", ms: 1500 }),
  "the payee hears late": ({ lightning }) => lightning.script({ action: "notify-late", ms: 1500 }),
  "the payee hears nothing": ({ lightning }) => lightning.script({ action: "notify-never" }),
};

/** Drives taken before all troubles are over. */
const ROUGH_DRIVES = 25;

const weather = fc.record({
  kind: fc.constantFrom("melt" as const, "swap" as const),
  sat: fc.constantFrom(1000n, 512n, 777n),
  feePpk: fc.constantFrom(0, 100, 900),
  troubles: fc.array(
    fc.record({
      what: fc.constantFrom(...Object.keys(TROUBLES)),
      afterDrives: fc.constantFrom(0, 0, 0, 1, 2, 4),
    }),
    { maxLength: 4 },
  ),
  crashes: fc.array(fc.nat(1000), { maxLength: 2 }),
});

type Weather = typeof weather extends fc.Arbitrary<infer Value> ? Value : never;

Deno.test("melts and swaps keep every sat and pay once or not at all, in any weather", async () => {
  await fc.assert(fc.asyncProperty(weather, live), {
    numRuns: Number(Deno.env.get("WEATHER_RUNS") ?? 12),
  });
});

async function live(weather: Weather): Promise<void> {
  await using world = await fundedKit({ sat: weather.sat, mints: 2, feePpk: weather.feePpk });
  const { kit } = world;
  const start = world.alice.free();
  const begun = await beginAny(world.alice, weather.kind);
  const { wallet, operation } = await endure(weather, world.alice, begun.id);
  // A shop that was paid without hearing of it hears of it now.
  await calm(kit);
  const isDone = operation.status === "done";
  assert.ok(isDone || operation.status === "failed", `${operation.state}: ${operation.reason}`);
  assert.equal(paidBy(kit), isDone ? 1 : 0);
  const arrived = isDone ? AMOUNT : 0n;
  const isSwap = weather.kind === "swap";
  assert.equal(wallet.free(kit.url(1)), isSwap ? arrived : 0n);
  assert.equal(shopSat(kit), isSwap ? 0n : arrived);
  assert.equal(wallet.free(kit.url(0)), start - arrived - operation.fee);
  assertConserved(kit, wallet);
}

async function beginAny(wallet: TestWallet, kind: Weather["kind"]): Promise<Operation> {
  const { kit, context } = wallet;
  if (kind === "melt") return await begin(wallet);
  return await beginSwap(context, { from: kit.url(0), to: kit.url(1), amount: AMOUNT });
}

/** Drives through troubles and crashes, then through calm, until the operation has ended. */
async function endure(
  weather: Weather,
  first: TestWallet,
  id: string,
): Promise<{ readonly wallet: TestWallet; readonly operation: Operation }> {
  const { kit } = first;
  const points = weather.kind === "melt" ? MELT_POINTS : SWAP_POINTS;
  const crashes = weather.crashes.map((number) => points[number % points.length]!);
  let wallet = first;
  const arm = () => {
    const point = crashes.shift();
    if (point !== undefined) wallet.crashAt(point);
  };
  arm();
  for (let drives = 0; drives < 4 * ROUGH_DRIVES; drives++) {
    for (const { what, afterDrives } of weather.troubles) {
      if (afterDrives === drives) TROUBLES[what]!(kit);
    }
    if (drives === ROUGH_DRIVES) await calm(kit);
    const operation = await driven(wallet, id);
    if (wallet.isDead) {
      wallet = await wallet.reopen();
      arm();
    } else if (operation !== undefined && operation.status !== "open") {
      return { wallet, operation };
    }
    const waitMs = (operation?.nextAtMs ?? 0) - kit.clock.nowMs();
    if (waitMs > 0) kit.clock.jump(waitMs + 1);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return { wallet, operation: wallet.store.operation(id)! };
}

/** A person looks at what wants attention as soon as it does. */
async function driven(wallet: TestWallet, id: string): Promise<Operation | undefined> {
  try {
    const operation = await wallet.engine.drive(id);
    if (operation.status !== "attention") return operation;
    await calm(wallet.kit);
    return await wallet.engine.resume(id);
  } catch (error) {
    if (!wallet.isDead) throw error;
    return undefined;
  }
}

async function calm(kit: WalletKit): Promise<void> {
  for (const mint of kit.mints) await mint.admin.clearFaults();
  kit.lightning.clearScripts();
  for (const { paymentHash } of kit.lightning.payments()) kit.lightning.settle(paymentHash);
}
