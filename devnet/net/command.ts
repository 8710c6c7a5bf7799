/** The verb `devnet`: a network of its own on this machine, and a wallet outside of it to pay with. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import { Money } from "../../src/core/money.ts";
import { decodeInvoice } from "../../wallet/lightning/bolt11.ts";
import { LightningAdmin, type PaymentStatus } from "../lightning/mod.ts";
import { systemClock } from "../../src/host/system.ts";
import { HELP, readyText } from "./help.ts";
import { checkPermissions, type DevnetAddresses, runDevnet } from "./network.ts";
import { readPlan } from "./plan.ts";

/** Name of the Lightning node that is nobody's wallet. */
const OUTSIDE = "outside";

/** Most that `pay` gives for routing: a hundredth, and ten sat. */
const FEE_PARTS = 100n;
const FEE_MSAT_MIN = 10_000n;

/** How long `pay` waits for a payment that is pending, in steps. */
const PENDING_MS_MAX = 30_000;
const PENDING_STEP_MS = 250;

/** Where the verb's words go. */
export interface DevnetIo {
  readonly json: boolean;
  /** A line for people, on stdout. */
  readonly line: (text: string) => void;
  /** A line of JSON, on stdout. */
  readonly object: (value: object) => void;
  /** A line on stderr. */
  readonly error: (text: string) => void;
}

const OPTIONS = {
  data: { type: "string" },
  mints: { type: "string" },
  port: { type: "string" },
  "fee-ppk": { type: "string" },
  memo: { type: "string" },
  faults: { type: "boolean", default: false },
  wait: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

interface Call {
  readonly values: Values;
  readonly operands: readonly string[];
  readonly directory: string;
  readonly io: DevnetIo;
  readonly signal: AbortSignal;
}

/**
 * Runs `devnet ARGS`.
 *
 * @param args Without the word `devnet`.
 * @returns The exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
 */
export async function devnet(
  args: readonly string[],
  io: DevnetIo,
  signal: AbortSignal,
): Promise<number> {
  try {
    const { values, positionals } = parse(args);
    if (values.help || positionals[0] === "help") {
      io.line(HELP);
      return 0;
    }
    const [verb = "start", ...operands] = positionals;
    const directory = values.data ?? defaultDirectory();
    return await verbOf(verb, operands)({ values, operands, directory, io, signal });
  } catch (error) {
    if (signal.aborted) return 130;
    const code = isSeedmintError(error)
      ? error.code
      : error instanceof SyntaxError || error instanceof RangeError
      ? "usage"
      : "internal";
    if (io.json) io.object({ event: "error", code, message: messageOf(error) });
    else io.error(`error: ${messageOf(error)}`);
    return code === "usage" ? 2 : 1;
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new SeedmintError("usage", `${messageOf(error)} (see devnet --help)`);
  }
}

function verbOf(verb: string, operands: readonly string[]): (call: Call) => Promise<number> {
  const verbs: Readonly<Record<string, readonly [run: typeof start, min: number, max: number]>> = {
    start: [start, 0, 0],
    pay: [pay, 1, 2],
    invoice: [invoice, 1, 1],
    books: [books, 0, 0],
  };
  const [run, min, max] = Object.hasOwn(verbs, verb) ? verbs[verb]! : [undefined, 0, 0];
  if (run === undefined || operands.length < min || operands.length > max) {
    throw new SeedmintError(
      "usage",
      `Cannot do "devnet ${[verb, ...operands].join(" ").slice(0, 60)}": see devnet --help`,
    );
  }
  return run;
}

async function start({ values, directory, io, signal }: Call): Promise<number> {
  await checkPermissions();
  const number = (name: "mints" | "port" | "fee-ppk") => {
    const text = values[name];
    if (text === undefined || /^\d{1,5}$/.test(text)) return text && Number(text);
    throw new SeedmintError("usage", `Cannot use --${name} ${text}: a whole number wanted`);
  };
  const [mints, port, feePpk] = [number("mints"), number("port"), number("fee-ppk")];
  await runDevnet({
    directory,
    ...(typeof mints === "number" ? { mints } : {}),
    ...(typeof port === "number" ? { port } : {}),
    ...(typeof feePpk === "number" ? { feePpk } : {}),
    faults: values.faults ?? false,
    clock: systemClock,
    signal,
  }, {
    ready: (network: DevnetAddresses) =>
      io.json ? io.object({ event: "ready", ...network }) : io.line(readyText(network)),
    restarted: (part) =>
      io.json
        ? io.object({ event: "restarted", ...part })
        : io.line(`${part.name} died (${part.why}) and was started again`),
  });
  return 0;
}

/** Pays an invoice as somebody with a wallet elsewhere would. */
async function pay({ operands, directory, io, signal }: Call): Promise<number> {
  const lightning = await lightningOf(directory);
  const bolt11 = operands[0]!.trim().replace(/^lightning:/i, "");
  const read = decodeInvoice(bolt11);
  const own = operands[1] === undefined
    ? undefined
    : Money.parse(operands[1]).ceilTo("msat").amount;
  const amountMsat = read.amountMsat ?? own;
  if (amountMsat === undefined) {
    throw new SeedmintError("usage", "This invoice leaves the amount to you: add it, in sat");
  }
  const maxFeeMsat = amountMsat / FEE_PARTS + FEE_MSAT_MIN;
  let status: PaymentStatus | undefined = await lightning.pay(
    { bolt11, from: OUTSIDE, maxFeeMsat, amountMsat },
    { signal },
  );
  const deadlineMs = systemClock.monotonicMs() + PENDING_MS_MAX;
  while (status?.state === "pending" && systemClock.monotonicMs() < deadlineMs) {
    await systemClock.sleep(PENDING_STEP_MS, { signal });
    status = await lightning.payment(read.paymentHash, OUTSIDE, { signal });
  }
  const { state = "failed", feeMsat = 0n, reason } = status ?? {};
  if (io.json) {
    io.object({
      event: "paid",
      state,
      amountMsat: Number(amountMsat),
      feeMsat: Number(feeMsat),
      ...(reason === undefined ? {} : { reason }),
    });
  } else if (state === "succeeded") {
    io.line(`paid ${sat(amountMsat)} and ${sat(feeMsat)} for routing`);
  } else {
    io.error(
      `error: the payment ${state === "pending" ? "is pending still" : `failed: ${reason}`}`,
    );
  }
  return state === "succeeded" ? 0 : 1;
}

/** Makes an invoice for a wallet to pay. */
async function invoice({ values, operands, directory, io, signal }: Call): Promise<number> {
  const lightning = await lightningOf(directory);
  const amountMsat = Money.parse(operands[0]!).ceilTo("msat").amount;
  const memo = values.memo ?? "A bill of the development network";
  const { bolt11, paymentHash, expiresAtMs } = await lightning.createInvoice(
    { payee: OUTSIDE, amountMsat, memo },
    { signal },
  );
  if (io.json) io.object({ event: "invoice", invoice: bolt11, paymentHash, expiresAtMs });
  else io.line(bolt11);
  if (values.wait !== true) return 0;
  for (;;) {
    const { state } = await lightning.invoice(paymentHash, { waitMs: 20_000, signal });
    if (state === "open" || state === "held") continue;
    if (io.json) io.object({ event: state, paymentHash });
    else io.line(state === "paid" ? `paid: ${sat(amountMsat)}` : `not paid: ${state}`);
    return state === "paid" ? 0 : 1;
  }
}

/** Shows what every Lightning node got and gave. */
async function books({ directory, io, signal }: Call): Promise<number> {
  const lightning = await lightningOf(directory);
  const { nodes, isBalanced, undeliveredMsat } = await lightning.books({ signal });
  if (io.json) {
    const numbers = nodes.map(({ node, inMsat, outMsat, feesMsat }) => ({
      node,
      ...{ inMsat: Number(inMsat), outMsat: Number(outMsat), feesMsat: Number(feesMsat) },
    }));
    io.object({
      event: "books",
      nodes: numbers,
      undeliveredMsat: Number(undeliveredMsat),
      isBalanced,
    });
  } else {
    for (const { node, inMsat, outMsat, feesMsat } of nodes) {
      io.line(`${node}: got ${sat(inMsat)}, gave ${sat(outMsat)} and ${sat(feesMsat)} for routing`);
    }
    if (undeliveredMsat > 0n) io.line(`paid, but the payee does not know: ${sat(undeliveredMsat)}`);
    io.line(isBalanced ? "the books balance" : "THE BOOKS DO NOT BALANCE");
  }
  return isBalanced ? 0 : 1;
}

async function lightningOf(directory: string): Promise<LightningAdmin> {
  const plan = await readPlan(directory);
  if (plan !== undefined) return new LightningAdmin(`http://127.0.0.1:${plan.lightningPort}`);
  throw new SeedmintError(
    "not-found",
    `There is no development network in ${directory}: start one with "devnet", or say where it is with --data`,
  );
}

function defaultDirectory(): string {
  const data = Deno.env.get("XDG_DATA_HOME");
  if (data) return join(data, "seedmint-devnet");
  const home = Deno.env.get("HOME");
  if (home) return join(home, ".local", "share", "seedmint-devnet");
  throw new SeedmintError("usage", "Cannot choose a folder without HOME: say one with --data DIR");
}

/** `21 sat`, or `21.5 sat` where it is not whole. */
function sat(msat: bigint): string {
  const rest = msat % 1000n;
  const fraction = rest === 0n ? "" : `.${String(rest).padStart(3, "0").replace(/0+$/, "")}`;
  return `${msat / 1000n}${fraction} sat`;
}
