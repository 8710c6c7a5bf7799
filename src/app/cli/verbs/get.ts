/** `get`: content from peers or the origin, to a file, a directory, stdout or only the store. */
import { SeedmintError } from "../../../core/errors.ts";
import type { GetParams, GetResult, PaymentChoice, PaymentShare } from "../../api/methods.ts";
import {
  formatBytes,
  formatDuration,
  formatPrice,
  formatRate,
  formatTable,
  printable,
} from "../../output/format.ts";
import type { Output } from "../../output/output.ts";
import { absolute, atMostOne, openNode, readVisibility, showEvent } from "../support.ts";
import type { VerbContext } from "../verb.ts";
import { amountFlag, formatSat } from "./wallet/amounts.ts";

/** With `--json`, progress lines come no closer together than this. */
const PROGRESS_LINE_MS = 500;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const params = readParams(context);
  const toStdout = context.flag("output") === "-";
  if (toStdout && out.json) {
    throw new SeedmintError("usage", "Cannot use --json with -o -: both would write to stdout");
  }
  await using node = await openNode(context, "network");
  let shownMs = -Infinity;
  const result = await node.call("get", params, {
    signal,
    onEvent: (event) => {
      showEvent(out, event);
      if (!out.json || event.event !== "progress") return;
      if (performance.now() - shownMs < PROGRESS_LINE_MS) return;
      shownMs = performance.now();
      out.object(event);
    },
  });
  out.endProgress();
  if (toStdout) {
    for await (const bytes of await node.readBlob(result.hash, { signal })) out.bytes(bytes);
  }
  if (out.json) out.object({ event: "done", ...result });
  else tell(out, result, toStdout);
  return 0;
}

function readParams(context: VerbContext): GetParams {
  const { values } = context.config;
  const output = context.flag("output");
  const origin = context.flag("origin");
  const sha256 = context.flag("sha256");
  if (origin === undefined && ["origin-first", "race"].includes(values.policy)) {
    const source = context.config.sources.policy;
    if (source === "--policy") {
      throw new SeedmintError("usage", `Cannot use --policy ${values.policy} without --origin URL`);
    }
  }
  return {
    target: context.operands[0]!,
    ...(output === undefined || output === "-" ? {} : { output: absolute(output) }),
    overwrite: context.has("force"),
    ...(origin === undefined ? {} : { origin: readOrigin(origin) }),
    ...readHeaders(context.flagAll("header")),
    ...(sha256 === undefined ? {} : { sha256 }),
    policy: values.policy,
    originDelayMs: values.originDelay,
    originFloorBytesPerSecond: values.originFloor,
    findTimeoutMs: values.findTimeout,
    peers: values.peer,
    pinned: context.has("pin"),
    ...readVisibility(context),
    as: context.has("raw") || output === "-" ? "blob" : "auto",
    payment: readPayment(context),
  };
}

/** What this line says of money; the rest is as the node's settings say. */
function readPayment(context: VerbContext): PaymentChoice {
  const { values, sources } = context.config;
  const shortcut = atMostOne(context, ["cheapest", "fastest"]) as
    | "cheapest"
    | "fastest"
    | undefined;
  if (shortcut !== undefined && sources.thrift === "--thrift") {
    throw new SeedmintError("usage", `Cannot use --thrift and --${shortcut} together`);
  }
  const budgetSat = amountFlag(context, "budget");
  if (budgetSat !== undefined && sources.pay === "--pay" && !values.pay) {
    throw new SeedmintError("usage", "Cannot use --budget and --no-pay together");
  }
  const thrift = shortcut ?? (sources.thrift === "default" ? undefined : values.thrift);
  return {
    ...(sources.pay === "default" ? {} : { pays: values.pay }),
    ...(thrift === undefined ? {} : { thrift }),
    ...(sources.priceMax === "default" ? {} : { priceMaxMsatPerMiB: values.priceMax }),
    ...(budgetSat === undefined ? {} : { budgetSat }),
  };
}

function readOrigin(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === "http:" || url?.protocol === "https:") return url.href;
  throw new SeedmintError("usage", `Cannot use --origin: an http:// or https:// URL wanted`);
}

function readHeaders(texts: readonly string[]): { headers?: Record<string, string> } {
  if (texts.length === 0) return {};
  return {
    headers: Object.fromEntries(texts.map((text) => {
      const match = /^([\w!#$%&'*+.^`|~-]+)\s*:\s*(.*)$/.exec(text);
      if (match !== null) return [match[1]!, match[2]!];
      throw new SeedmintError("usage", "Cannot use --header: NAME:VALUE wanted");
    })),
  };
}

/** What happened, on stderr when stdout carries the content. */
function tell(out: Output, result: GetResult, toStdout: boolean): void {
  for (const failure of result.failures) {
    out.note(`note: ${failure.id}: ${failure.message} (${failure.code})`);
  }
  if (result.originReason !== null) out.note(`note: the origin was asked: ${result.originReason}`);
  const fetched = result.sources.filter((source) => source.kind !== "store");
  const bytes = fetched.reduce((sum, source) => sum + source.bytes, 0);
  const rate = result.ms > 0 ? `, ${formatRate((bytes / result.ms) * 1000)}` : "";
  const peerCount = fetched.filter((source) => source.kind === "peer").length;
  const from = [
    ...(peerCount > 0 ? [peerCount === 1 ? "1 peer" : `${peerCount} peers`] : []),
    ...(fetched.some((source) => source.kind === "origin") ? ["the origin"] : []),
  ].join(" and ") || "the store";
  const text = `verified ${formatBytes(result.size)} in ${formatDuration(result.ms)} from ${from}${
    bytes > 0 ? rate : ""
  }`;
  const say = (line: string) => toStdout ? out.note(line) : out.line(line);
  say(text);
  if (result.payments.length > 0) describePayments(result.payments).forEach(say);
  if (toStdout) return;
  out.line(result.path ?? `stored; write it with: export ${result.hash} PATH`);
}

/** Whom the fetch paid, and in all. */
function describePayments(payments: readonly PaymentShare[]): string[] {
  const sum = (of: (one: PaymentShare) => number) =>
    payments.reduce((all, one) => all + of(one), 0);
  const feeSat = sum((one) => one.feeSat);
  const leftSat = Math.floor(sum((one) => one.paidSat * 1000 - one.usedMsat) / 1000);
  const fees = feeSat === 0 ? "" : ` and ${formatSat(feeSat)} of fees`;
  const left = leftSat <= 0 ? "" : `; ${formatSat(leftSat)} of it are credit for the next time`;
  return [
    `paid ${formatSat(sum((one) => one.paidSat))}${fees}${left}`,
    formatTable(
      [
        { title: "  SELLER" },
        { title: "PAID", alignRight: true },
        { title: "FEES", alignRight: true },
        { title: "PRICE", alignRight: true },
        { title: "MINT" },
      ],
      payments.map((one) => [
        `  ${one.peerId}`,
        formatSat(one.paidSat),
        formatSat(one.feeSat),
        formatPrice(one.priceMsatPerMiB),
        printable(one.mint),
      ]),
    ),
  ];
}
