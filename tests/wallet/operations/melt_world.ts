/** What the tests of melts and swaps share. */
import assert from "node:assert/strict";
import type { Operation } from "../../../wallet/operations/operation.ts";
import { beginMelt, meltSaga } from "../../../wallet/operations/melt.ts";
import type { MeltPlan } from "../../../wallet/operations/melt_plan.ts";
import { swapSaga } from "../../../wallet/operations/swap.ts";
import {
  startKit,
  type TestWallet,
  type WalletKit,
  type WalletOptions,
} from "../../support/wallet_kit.ts";

export type { TestWallet, WalletKit };

/** The sagas that the kit does not know by itself. */
export const SAGAS = [meltSaga, swapSaga] as const;

/** A wallet with the sagas of melts and swaps. */
export function walletOf(kit: WalletKit, options: WalletOptions = {}): TestWallet {
  return kit.wallet("alice", { ...options, sagas: SAGAS });
}

/** A kit and a wallet with `sat` at its first mint. */
export async function fundedKit(
  options: {
    readonly sat?: bigint;
    readonly mints?: number;
    readonly feePpk?: number;
    readonly wallet?: WalletOptions;
    /** Before the wallet asks anybody. */
    readonly prepare?: (kit: WalletKit) => void;
  } = {},
): Promise<{ readonly kit: WalletKit; readonly alice: TestWallet } & AsyncDisposable> {
  const { sat = 1000n, mints = 1, feePpk = 0 } = options;
  const kit = await startKit({ mints, feePpk });
  options.prepare?.(kit);
  const alice = walletOf(kit, options.wallet);
  const funded = await alice.fund(sat);
  assert.equal(funded.status, "done");
  for (const mint of kit.mints) mint.admin.clearRequests();
  return { kit, alice, [Symbol.asyncDispose]: () => kit[Symbol.asyncDispose]() };
}

/** An invoice of a shop, and its payment hash. */
export async function shopInvoice(
  kit: WalletKit,
  sat: bigint,
): Promise<{ readonly bolt11: string; readonly paymentHash: string }> {
  return await kit.lightning.createInvoice({ payee: "shop", amountMsat: sat * 1000n });
}

/** What the shop was paid, in sat. */
export function shopSat(kit: WalletKit): bigint {
  const node = kit.lightning.books().nodes.find((one) => one.node === "shop");
  return (node?.inMsat ?? 0n) / 1000n;
}

/** Payments that succeeded from the node of a mint. */
export function paidBy(kit: WalletKit, name = "A"): number {
  return kit.lightning.payments()
    .filter((one) => one.from === name && one.state === "succeeded").length;
}

/**
 * Nothing is lost or made: what each mint owes is what the wallet holds there, no proof is reserved,
 * no output of an operation that ended is undecided, and every ledger agrees.
 */
export function assertConserved(kit: WalletKit, wallet: TestWallet): void {
  assert.deepEqual(wallet.troubles(), []);
  for (const { id } of wallet.store.operations({ status: ["done", "failed"] })) {
    const planned = wallet.store.outputs(id).filter(({ state }) => state === "planned");
    assert.equal(planned.length, 0, "what was planned is signed or void");
  }
  for (const [index, mint] of kit.mints.entries()) {
    const held = wallet.store.balances().find((one) => one.mint === kit.url(index));
    assert.equal(held?.reserved ?? 0n, 0n, `nothing is reserved at mint ${index}`);
    const { outstanding, pending } = mint.admin.books();
    assert.equal(pending, 0n, `nothing is pending at mint ${index}`);
    assert.equal(held?.free ?? 0n, outstanding, `mint ${index} owes what the wallet holds`);
  }
}

/** How often a mint was asked to melt. */
export function meltPosts(kit: WalletKit, index = 0): number {
  return kit.mints[index]!.admin.requests("/v1/melt/bolt11").length;
}

/** Something that happens to an operation while it is driven. */
export interface Scenario {
  readonly name: string;
  /** One coin of this many sat is in the wallet at first. */
  readonly sat: bigint;
  /** Before the operation begins. */
  readonly prepare?: (kit: WalletKit) => void;
  /** Between two drives. */
  readonly between?: (kit: WalletKit, operation: Operation) => void;
  /** How it ends when nothing crashes. */
  readonly ends: "done" | "failed";
}

/** Drives an operation to its end, with what happens in between. */
export async function play(
  scenario: Pick<Scenario, "between">,
  wallet: TestWallet,
  id: string,
): Promise<Operation> {
  let operation = await wallet.engine.drive(id);
  for (let count = 0; operation.status === "open" && count < 60; count++) {
    scenario.between?.(wallet.kit, operation);
    const waitMs = (operation.nextAtMs ?? 0) - wallet.kit.clock.nowMs();
    if (waitMs > 0) wallet.kit.clock.jump(waitMs + 1);
    await new Promise((resolve) => setTimeout(resolve, 2));
    operation = await wallet.engine.drive(id);
  }
  return operation;
}

/** The fault points that a scenario passes when nothing crashes, in order, each once. */
export async function pointsOf(
  scenario: Scenario,
  options: {
    readonly mints: number;
    readonly begin: (wallet: TestWallet) => Promise<Operation>;
  },
): Promise<readonly string[]> {
  await using world = await fundedKit({ sat: scenario.sat, mints: options.mints });
  scenario.prepare?.(world.kit);
  const begun = await options.begin(world.alice);
  world.alice.points.length = 0;
  const ended = await play(scenario, world.alice, begun.id);
  assert.equal(ended.status, scenario.ends, `${scenario.name}: ${ended.state} ${ended.reason}`);
  assertConserved(world.kit, world.alice);
  return [...new Set(world.alice.points)];
}

/** What the shop asks. */
export const AMOUNT = 100n;

/** A melt that pays the shop. */
export async function begin(
  { context, kit }: TestWallet,
  options: { readonly feeMax?: bigint; readonly holdMs?: number } = {},
): Promise<Operation<MeltPlan>> {
  const { bolt11 } = await shopInvoice(kit, AMOUNT);
  return await beginMelt(context, { mint: kit.url(), invoice: bolt11, ...options });
}

/** The shop was paid once, and every sat is where it belongs. */
export function assertPaid(
  kit: WalletKit,
  alice: TestWallet,
  ended: Operation,
  start = 1000n,
): void {
  assert.equal(ended.status, "done", `${ended.state}: ${ended.reason}`);
  assert.equal(paidBy(kit), 1);
  assert.equal(shopSat(kit), AMOUNT);
  assert.equal(alice.free(), start - AMOUNT - ended.fee);
  assertConserved(kit, alice);
}

/** Nobody was paid, and all but a fee is back. */
export function assertTakenBack(
  kit: WalletKit,
  alice: TestWallet,
  ended: Operation,
  start = 1000n,
): void {
  assert.equal(ended.status, "failed", `${ended.state}: ${ended.reason}`);
  assert.equal(paidBy(kit), 0);
  assert.equal(alice.free(), start - ended.fee);
  assertConserved(kit, alice);
}
