/** `wallet history` and `wallet pending`: operations, those that ended and those that have not. */
import { SeedmintError } from "../../../../core/errors.ts";
import type { OperationView } from "../../../../../wallet/wallet_api.ts";
import { formatTable, printable } from "../../../output/format.ts";
import type { VerbContext } from "../../verb.ts";
import { formatSat } from "./amounts.ts";
import { describeNext } from "./describe.ts";
import { assertId } from "./steer.ts";

const HISTORY_COUNT = 20;
const HISTORY_COUNT_MAX = 1000;

/** Runs either verb. */
export async function run(context: VerbContext): Promise<number> {
  return await (context.verb.name === "wallet pending" ? pending(context) : history(context));
}

async function history(context: VerbContext): Promise<number> {
  const { out } = context;
  const limit = readLimit(context.flag("limit"));
  const before = context.flag("before");
  if (before !== undefined) assertId(before);
  await using opened = await context.openWallet();
  const entries = await opened.wallet.history({
    limit,
    ...(before === undefined ? {} : { before }),
  });
  if (out.json) { for (const entry of entries) out.object(entry); }
  else if (entries.length === 0) out.note("note: nothing was done yet");
  else {
    out.line(formatTable(
      [...COLUMNS.slice(0, 4), { title: "FEE", alignRight: true as const }, ...COLUMNS.slice(4)],
      entries.map((entry) => {
        const cells = cellsOf(entry);
        return [...cells.slice(0, 4), formatSat(entry.feeSat), ...cells.slice(4)];
      }),
    ));
  }
  return 0;
}

async function pending(context: VerbContext): Promise<number> {
  const { out } = context;
  await using opened = await context.openWallet();
  const operations = await opened.wallet.pending();
  if (out.json) { for (const operation of operations) out.object(operation); }
  else if (operations.length === 0) out.note("note: nothing is under way");
  else {
    out.line(formatTable(
      [...COLUMNS, { title: "GOES ON" }, { title: "REASON" }],
      operations.map((operation) => [
        ...cellsOf(operation),
        describeNext(operation, Date.now()),
        printable(operation.reason ?? "-"),
      ]),
    ));
  }
  return 0;
}

const COLUMNS = [
  { title: "BEGUN" },
  { title: "WHAT" },
  { title: "STATE" },
  { title: "AMOUNT", alignRight: true as const },
  { title: "MINT" },
  { title: "ID" },
];

function cellsOf(operation: OperationView): string[] {
  const { createdMs, kind, state, status, amountSat, mint, peerMint, id } = operation;
  return [
    new Date(createdMs).toISOString().slice(0, 19).replace("T", " "),
    kind,
    status === "attention" ? `${state} (attention)` : state,
    formatSat(amountSat),
    printable(peerMint === null ? mint : `${mint} to ${peerMint}`),
    id,
  ];
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return HISTORY_COUNT;
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= HISTORY_COUNT_MAX) return count;
  throw new SeedmintError(
    "usage",
    `Cannot use --limit "${text}": a whole number from 1 to ${HISTORY_COUNT_MAX} wanted`,
  );
}
