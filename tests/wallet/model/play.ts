/** Lets a schedule happen. */
import { isSeedmintError } from "../../../src/core/errors.ts";
import { beginFund } from "../../../wallet/operations/fund_plan.ts";
import { beginMelt } from "../../../wallet/operations/melt_plan.ts";
import type { Operation } from "../../../wallet/operations/operation.ts";
import {
  beginSend,
  markDelivered,
  requestReclaim,
  tokenOf,
} from "../../../wallet/operations/send_plan.ts";
import { beginSwap } from "../../../wallet/operations/swap_plan.ts";
import { hasToken } from "../../../wallet/planner/payment_work.ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";
import { decodeToken, encodeToken } from "../../../wallet/token.ts";
import { Crash } from "../../support/wallet_kit.ts";
import type { Event, MintFault } from "./schedule.ts";
import type { Actor, KnownToken, ModelWorld } from "./world.ts";

/** What came of an event: a note for whoever reads the replay. */
export type Note = string;

/** After this a wallet looks again at an invoice that was shown. */
const POLL_MS = 2_000;

/** Lets one event happen. Rejects only for what must never happen. */
export async function play(world: ModelWorld, event: Event): Promise<Note> {
  try {
    return await act(world, event);
  } catch (error) {
    if (error instanceof Crash) return "crashed";
    // A wallet that dies takes its drivers with it, whatever they were waiting for.
    if (world.actors.some(([, { wallet }]) => wallet.isDead)) return `died: ${error}`;
    if (isSeedmintError(error)) return `refused: ${error.code}: ${error.message}`;
    throw error;
  }
}

async function act(world: ModelWorld, event: Event): Promise<Note> {
  const { kit } = world;
  switch (event.do) {
    case "fund":
      return await fund(world, event);
    case "send":
      return await send(world, event);
    case "payment":
      return await payment(world, event);
    case "take":
      return await take(world, event);
    case "stranger":
      return await stranger(world, event);
    case "reclaim": {
      const { wallet } = await world.actor("alice");
      const token = pick(world, event.token);
      if (token === undefined) return "no token";
      requestReclaim(wallet.context, token.operationId);
      return said(await wallet.engine.drive(token.operationId));
    }
    case "melt": {
      const { wallet } = await world.actor("alice");
      const amountMsat = BigInt(event.sat) * 1000n;
      const { bolt11 } = await kit.lightning.createInvoice({ payee: "shop", amountMsat });
      const mint = world.url(event.mint);
      const feeMax = BigInt(event.feeMax);
      const { id } = await beginMelt(wallet.context, { mint, invoice: bolt11, feeMax });
      return said(await wallet.engine.drive(id));
    }
    case "swap": {
      const { wallet } = await world.actor("alice");
      const { id } = await beginSwap(wallet.context, {
        from: world.url(event.from),
        to: world.url(1 - event.from),
        amount: BigInt(event.sat),
        feeMax: BigInt(event.feeMax),
      });
      return said(await wallet.engine.drive(id));
    }
    case "crash": {
      const { wallet } = await world.actor(event.who);
      if (event.point === undefined) wallet.crashAfter(event.count);
      else wallet.crashAt(event.point, event.count);
      return "armed";
    }
    case "reopen":
      await world.reopen(event.who);
      return "reopened";
    case "proxy":
      world.proxies[event.mint]!.fault(event.rule);
      return "ordered";
    case "mint-fault":
      misbehave(world, event.mint, event.fault);
      return "ordered";
    case "lightning":
      kit.lightning.script({ action: event.action, ms: event.ms, match: { from: event.from } });
      world.hasLied ||= event.action === "lie";
      return "ordered";
    case "late-melt": {
      const { ms } = event;
      const match = { method: "POST", path: "/v1/melt/bolt11" };
      kit.lightning.script({ action: "fail", match: { from: event.mint === 0 ? "A" : "B" } });
      world.proxies[event.mint]!.fault({ action: "duplicate", ms, match });
      return "ordered";
    }
    case "settle":
      return `${settleHeld(world, event.isPaid)} payments`;
    case "rotate":
      kit.mints[event.mint]!.admin.rotateKeyset({ feePpk: event.feePpk });
      return "rotated";
    case "offline":
      world.proxies[event.mint]!.offline(event.isOffline);
      return "ordered";
    case "lightning-offline":
      kit.lightning.offline(event.isOffline);
      return "ordered";
    case "clock":
      kit.clock.jump(event.ms);
      await turn();
      return "moved";
    case "resume":
      return await resume(await world.actor(event.who), event.drivers);
  }
  event satisfies never;
}

async function fund(world: ModelWorld, event: Extract<Event, { do: "fund" }>): Promise<Note> {
  const { wallet } = await world.actor(event.who);
  const mint = world.url(event.mint);
  const { id } = await beginFund(wallet.context, { mint, amount: BigInt(event.sat) });
  await wallet.engine.drive(id);
  const [quote] = wallet.store.quotes(id);
  if (quote === undefined) return "no invoice";
  if (!event.isPaid) return "not paid";
  await world.kit.pay(quote.request);
  // The mint hears of it a moment later.
  await turn();
  world.kit.clock.jump(POLL_MS);
  return said(await wallet.engine.drive(id));
}

async function send(world: ModelWorld, event: Extract<Event, { do: "send" }>): Promise<Note> {
  const { wallet } = await world.actor("alice");
  const publicKey = (await world.actor("bob")).wallet.keys.payment.publicKey;
  const { id } = await beginSend(wallet.context, {
    mint: world.url(event.mint),
    amount: BigInt(event.sat),
    ...event.isLocked ? { lock: { publicKey } } : {},
  });
  return said(await wallet.engine.drive(id));
}

async function payment(
  world: ModelWorld,
  event: Extract<Event, { do: "payment" }>,
): Promise<Note> {
  const { payments } = await world.actor("alice");
  const lockTo = (await world.actor("bob")).wallet.keys.payment.publicKey;
  const paymentId = `payment ${event.number} ${event.sat}`;
  const request = {
    paymentId,
    acceptedMints: event.accepts.map((mint) => world.url(mint)),
    priceSat: event.sat,
    budgetSat: budgetOf(event.sat),
    lockTo,
  };
  const first = await payments.prepare(request);
  if (first.status === "declined") return `declined: ${first.reason}`;
  const again = await payments.prepare(request);
  if (again.status === "ready" && again.token !== first.token) {
    throw new Error("One payment has two tokens");
  }
  if (first.costSat > budgetOf(event.sat)) throw new Error("A payment costs more than its budget");
  return "ready";
}

/** Most that a payment may cost with all fees. */
export function budgetOf(sat: number): number {
  return sat + 40;
}

async function take(world: ModelWorld, event: Extract<Event, { do: "take" }>): Promise<Note> {
  const { intake, wallet } = await world.actor("bob");
  const token = pick(world, event.token);
  if (token === undefined) return "no token";
  const paymentId = digestName(token) + (event.isAgain ? " again" : "");
  const outcome = await intake.take({ payer: "alice", paymentId, token: token.text });
  if (outcome.status !== "taken") {
    return outcome.status === "refused" ? `refused: ${outcome.code}` : "conflict";
  }
  return said(await wallet.engine.drive(outcome.payment.operationId!));
}

async function stranger(
  world: ModelWorld,
  event: Extract<Event, { do: "stranger" }>,
): Promise<Note> {
  const token = pick(world, event.token);
  if (token === undefined || token.isLocked) return "no token";
  const index = world.proxies.findIndex(({ url }) => token.mint === url);
  // A stranger is not who the proxies are there to trouble.
  const mint = world.kit.mints[index]!;
  const ids = mint.admin.books().keysets.map(({ id }) => id);
  const direct = encodeToken({ ...decodeToken(token.text, ids), mint: parseMintUrl(mint.url) });
  const worth = await world.kit.redeem(direct).catch(() => undefined);
  if (typeof worth !== "bigint") return "not redeemed";
  world.strangerSat[index]! += worth;
  return `redeemed ${worth}`;
}

/** Tokens that Alice has made and can still hand over. */
function pick(world: ModelWorld, index: number): (KnownToken & { mint: string }) | undefined {
  const { store } = world.actors.find(([who]) => who === "alice")![1].wallet;
  const { context } = world.actors.find(([who]) => who === "alice")![1].wallet;
  const sends = store.operations({ kind: "send" }).filter((one) =>
    hasToken(one) && store.proofs({ operationId: one.id, state: "outgoing" }).length > 0
  );
  const found = sends[index % Math.max(1, sends.length)];
  if (found === undefined) return undefined;
  const isLocked = (found.plan as { lock?: unknown }).lock !== undefined;
  const text = tokenOf(context, found.id);
  markDelivered(context, found.id);
  const token = { operationId: found.id, text, isLocked };
  if (!world.tokens.some((one) => one.operationId === found.id)) world.tokens.push(token);
  return { ...token, mint: found.mint };
}

function digestName({ operationId }: KnownToken): string {
  return operationId.slice(0, 16);
}

async function resume({ wallet }: Actor, drivers: number): Promise<Note> {
  const { engine, store, kit } = wallet;
  const dueMs = store.nextDueMs();
  if (dueMs !== undefined && dueMs > kit.clock.nowMs()) {
    kit.clock.jump(Math.min(dueMs - kit.clock.nowMs() + 1, 600_000));
  }
  const open = store.operations({ status: "open" });
  const work = Array.from(
    { length: drivers },
    (_, index) =>
      index % 2 === 0
        ? engine.driveDue()
        : Promise.all(open.slice(0, 4).map(({ id }) => engine.drive(id))),
  );
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return `${open.length} open`;
}

/** Lets held payments through, or not. Returns how many. */
export function settleHeld({ kit: { lightning } }: ModelWorld, isPaid: boolean): number {
  let count = 0;
  for (const { paymentHash, state, isDelivered } of lightning.payments()) {
    if (state === "pending") {
      count += isPaid ? lightning.settle(paymentHash) : lightning.fail(paymentHash);
    } else if (state === "succeeded" && !isDelivered) {
      count += lightning.settle(paymentHash);
    }
  }
  return count;
}

function misbehave({ kit }: ModelWorld, index: number, fault: MintFault): void {
  const { admin } = kit.mints[index]!;
  switch (fault) {
    case "lie-after-paying":
      return admin.lieAfterPaying();
    case "stale-quotes":
      return admin.staleQuotes(3);
    case "pending-forever":
      return admin.pendingForever();
    case "late-change":
      admin.setFeeReserve({ minSat: 20 });
      admin.alterAnswers("/v1/melt/bolt11", { change: [] });
      return admin.alterAnswers("/v1/melt/quote/bolt11", { change: [] });
    case "cache-pending":
      return admin.change({ cachePending: true });
    case "zero-change":
      return admin.change({ zeroChange: true });
    case "active-change":
      return admin.change({ changeKeyset: "active" });
    case "high-reserve":
      return admin.setFeeReserve({ minSat: 15 });
    case "fail-before":
      return admin.failNext("/v1/swap", 1, 500);
    case "fail-after":
      return admin.failNext("/v1/mint/bolt11", 1, 500, { isAfter: true });
    case "forget-answers":
      return admin.clearCache();
    case "rate-limit":
      return admin.rateLimit({ perMinute: 30 });
  }
  fault satisfies never;
}

function said(operation: Operation): Note {
  const reason = operation.reason === undefined ? "" : `: ${operation.reason}`;
  return `${operation.kind} ${operation.state} ${operation.status}${reason}`;
}

/** Lets what is ready happen. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2));
}
