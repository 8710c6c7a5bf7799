/**
 * A wallet in a process of its own that can be killed. It reads one command a line on stdin and answers
 * each with one line on stdout; what a node would log goes to stderr. `FAULT=<point>:<n>` (or the
 * command `arm`) makes the process SIGKILL itself when it passes the fault point for the `n`th time.
 */
import { systemRandom } from "../../src/host/system.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { BuyingSession } from "../../wallet/buying/buying_api.ts";
import { DEADLINES } from "../../wallet/mint/limits.ts";
import { Wallet } from "../../wallet/wallet.ts";
import type { PaymentRequest } from "../../wallet/wallet_api.ts";
import { FastClock } from "./fast_clock.ts";
import type { Command, DueReply, Opening, Settled, WalletReport } from "./wallet_process.ts";

/** How long `settle` waits at most, in real milliseconds. */
const SETTLE_MS_MAX = 60_000;

/** A token that was given is looked at so long before its next look is due. */
const SOON_MS = 5_000;

const encoder = new TextEncoder();
let fault = parseFault(Deno.env.get("FAULT"));
let wallet: Wallet | undefined;
let clock: FastClock | undefined;
let session: BuyingSession | undefined;

function parseFault(text: string | undefined): { point: string; left: number } | undefined {
  if (text === undefined || text === "") return undefined;
  const at = text.lastIndexOf(":");
  return { point: text.slice(0, at), left: Number(text.slice(at + 1)) };
}

function pass(point: string): void {
  if (fault?.point !== point || --fault.left > 0) return;
  Deno.kill(Deno.pid, "SIGKILL");
  for (;;) {
    // The signal is on its way: nothing more may happen.
  }
}

function log(line: unknown): void {
  Deno.stderr.writeSync(encoder.encode(`${JSON.stringify(line)}\n`));
}

async function open(opening: Opening): Promise<null> {
  const { directory, seedWords, nowMs, rate } = opening;
  clock = new FastClock(nowMs, rate);
  wallet = await Wallet.open({
    directory,
    seedWords,
    clock,
    random: systemRandom,
    holdMs: 60_000,
    prepareMs: 600_000,
    intake: { batch: { proofsMin: 1, idleMs: 0, lingerMs: 0 } },
    resumes: opening.resumes ?? true,
    // A busy machine is as slow as ever: what waits for it waits in real time.
    deadlines: {
      askMs: DEADLINES.askMs * rate,
      postMs: DEADLINES.postMs * rate,
      meltMs: DEADLINES.meltMs * rate,
    },
    onEvent: (event) => log({ ...event }),
    onPayment: (receipt) => log({ event: "payment", ...receipt }),
    fault: pass,
  });
  return null;
}

async function answer(command: Command): Promise<unknown> {
  if (command.do === "open") return await open(command);
  if (command.do === "arm") {
    fault = parseFault(command.fault);
    return null;
  }
  const open_ = wallet!;
  switch (command.do) {
    case "add-mint":
      return await open_.addMint({ url: command.url, trust: command.trust ?? "trusted" });
    case "fund":
      return await open_.fund({ mint: command.mint, amountSat: command.amountSat });
    case "payment":
      return await open_.preparePayment({ confirmed: true, ...command.request as PaymentRequest });
    case "take":
      return await open_.takePayment(command.offer);
    case "pay":
      return await open_.confirm((await open_.preparePay(command.request)).id);
    case "swap":
      return await open_.confirm((await open_.prepareSwap(command.request)).id);
    case "buy": {
      const buyer = open_.buyer({ priceMaxMsatPerMiB: 1_000_000, confirmed: true });
      const answer = await buyer.open(command.request);
      if (answer.status === "declined") return { due: "declined", reason: answer.reason };
      session = answer.session;
      return await next(session);
    }
    case "next":
      return await next(session!);
    case "verified":
      return session!.verified(command.bytes) ?? null;
    case "answered":
      return session!.answered(Uint8Array.fromHex(command.id), command.answer) ?? null;
    case "reclaim":
      return await open_.reclaim(command.id);
    case "settle":
      return await settle(open_);
    case "report":
      return await report(open_);
  }
  command satisfies never;
}

async function next(session_: BuyingSession): Promise<DueReply> {
  const due = await session_.next();
  if (due.due !== "pay") return due;
  return { due: "pay", id: due.payment.id.toHex(), token: due.payment.token! };
}

/** Waits until nothing goes on by itself any more. */
async function settle(open_: Wallet): Promise<Settled> {
  const deadlineMs = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const open = await open_.pending();
    const moving = open.filter((operation) => {
      if (operation.status !== "open") return false;
      const isGiven = ["token-ready", "delivered", "ready"].includes(operation.state);
      const dueMs = operation.nextAtMs ?? Infinity;
      return !isGiven || dueMs < clock!.nowMs() + SOON_MS;
    });
    const isLate = performance.now() > deadlineMs;
    if (moving.length === 0 || isLate) return { open, unsettled: moving };
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function report(open_: Wallet): Promise<WalletReport> {
  return {
    balance: await open_.balance(),
    audit: await open_.audit(),
    history: await open_.history({ limit: 1000 }),
  };
}

function errorOf(error: unknown): { code: string; message: string } {
  const code = error instanceof SeedmintError ? error.code : "unexpected";
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  log({ event: "error", code, message, stack: error instanceof Error ? error.stack : "" });
  return { code, message };
}

let rest = "";
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop()!;
  for (const line of lines) {
    const reply = await Promise.try(answer, JSON.parse(line) as Command).then(
      (value) => ({ value }),
      (error) => ({ error: errorOf(error) }),
    );
    Deno.stdout.writeSync(encoder.encode(`${JSON.stringify(reply)}\n`));
  }
}
await wallet?.[Symbol.asyncDispose]();
