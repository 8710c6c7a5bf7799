/** What the cases of a suite share: the mint, our wallets, and invoices of nobody's. */
import assert from "node:assert/strict";
import { encodeInvoice, type LightningNetwork } from "../../../wallet/lightning/bolt11.ts";
import type { CrashPlan } from "./crash_child.ts";
import type { ForeignMint } from "./server.ts";
import type { Party } from "./party.ts";
import type { Suite } from "./suite.ts";

/** How long a killed child may take, in milliseconds. */
const CHILD_MS_MAX = 40_000;

/** One suite's world. */
export interface World {
  readonly suite: Suite;
  readonly mint: ForeignMint;
  /** Scratch. */
  readonly directory: string;
  /** Pays. */
  readonly alice: Party;
  /** Is paid. */
  readonly bob: Party;
}

/** An invoice of a Lightning node that no mint knows. */
export function outsideInvoice(
  amountSat: number,
  options: { readonly network?: LightningNetwork; readonly description?: string } = {},
): string {
  const hex = () => crypto.getRandomValues(new Uint8Array(32)).toHex();
  return encodeInvoice({
    network: options.network ?? "mainnet",
    amountMsat: BigInt(amountSat) * 1000n,
    paymentHash: hex(),
    paymentSecret: hex(),
    timestampS: Math.floor(Date.now() / 1000),
    description: options.description ?? "outside",
  }, new Uint8Array(32).fill(7));
}

/** Makes a token. */
export async function tokenOf(
  party: Party,
  request: {
    readonly mint: string;
    readonly amountSat: number;
    readonly lockTo?: string;
    readonly locktimeS?: number;
  },
): Promise<{ readonly id: string; readonly token: string; readonly feeSat: number }> {
  const prepared = await party.wallet.prepareSend(request);
  const sent = await party.wallet.confirm(prepared.id);
  assert.ok(
    sent.feeSat <= (prepared.feeMaxSat ?? Infinity),
    `the fee shown was ${prepared.feeMaxSat} sat, the one taken ${sent.feeSat} sat`,
  );
  const ready = sent.state === "token-ready" ? sent : await party.wallet.operation(sent.id);
  assert.equal(ready.state, "token-ready", ready.reason ?? "");
  return { id: sent.id, token: await party.wallet.token(sent.id), feeSat: ready.feeSat };
}

/** Pays an invoice and waits for the end. */
export async function pay(
  party: Party,
  request: { readonly mint: string; readonly invoice: string },
): ReturnType<Party["fund"]> {
  const prepared = await party.wallet.preparePay(request);
  await party.wallet.confirm(prepared.id);
  const ended = await party.wallet.wait(prepared.id);
  assert.equal(ended.status, "done", `${ended.state}: ${ended.reason}`);
  assert.ok(ended.feeSat <= (prepared.feeMaxSat ?? Infinity));
  return ended;
}

/** Runs a wallet in a process of its own until it kills itself at the point. */
export async function crash(plan: CrashPlan): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("crash_child.ts", import.meta.url).pathname, JSON.stringify(plan)],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const late = setTimeout(() => child.kill("SIGTERM"), CHILD_MS_MAX);
  const { signal, stderr } = await child.output();
  clearTimeout(late);
  const said = new TextDecoder().decode(stderr).slice(-2_000);
  assert.equal(signal, "SIGKILL", `the child did not pass ${plan.point}: ${said}`);
}

/** Drives what is open until nothing is, and says what became of each. */
export async function settle(party: Party): Promise<void> {
  for (let round = 0; round < 100; round++) {
    const open = (await party.wallet.pending()).filter(({ kind, state }) =>
      // A token that nobody redeemed yet stays open by right.
      !(kind === "send" && (state === "token-ready" || state === "delivered"))
    );
    const stuck = open.find(({ status }) => status === "attention");
    assert.equal(stuck, undefined, `${stuck?.kind} ${stuck?.state}: ${stuck?.reason}`);
    if (open.length === 0) return;
    // The wallet goes on by itself; what waits longer is hurried.
    await new Promise((resolve) => setTimeout(resolve, 500));
    if (round % 4 === 3) await party.wallet.resume({ id: open[0]!.id });
  }
  const left = (await party.wallet.pending()).map(({ kind, state, reason }) =>
    `${kind} ${state}: ${reason}`
  );
  assert.fail(`still open: ${left.join("; ")}`);
}

/** The wallets' books are sound, and together they hold what the mint owes. */
export async function assertBooks(world: World, others: readonly Party[] = []): Promise<void> {
  let heldSat = 0;
  for (const party of [world.alice, world.bob, ...others]) {
    await lookAtTokens(party);
    assert.deepEqual(await party.wallet.audit(), [], `the books of ${party.name}`);
    heldSat += await party.heldSat(world.mint.url);
  }
  const owedSat = world.mint.outstandingSat();
  assert.equal(heldSat, owedSat, `the wallets hold ${heldSat} sat, the mint owes ${owedSat} sat`);
}

/** Asks for the states of the tokens that were given away: those that somebody redeemed are not held. */
async function lookAtTokens(party: Party): Promise<void> {
  for (const { id, kind } of await party.wallet.pending()) {
    if (kind === "send") await party.wallet.resume({ id });
  }
}
