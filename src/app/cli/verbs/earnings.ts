/** `earnings`: what was sold, and what it brought. */
import { SeedmintError } from "../../../core/errors.ts";
import {
  EARNINGS_BY,
  type EarningsBy,
  type EarningsReport,
  type EarningsRow,
} from "../../api/selling_methods.ts";
import { durationSchema } from "../../config/values.ts";
import { formatBytes, formatMsat, formatTable, printable } from "../../output/format.ts";
import { v } from "../../schema.ts";
import { systemClock } from "../../../host/system.ts";
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const by = readBy(context.flag("by"));
  const sinceMs = readSince(context.flag("since"), systemClock.nowMs());
  await using node = await openNode(context, "store");
  const report = await node.call(
    "earnings",
    { by, ...(sinceMs === undefined ? {} : { sinceMs }) },
    { signal },
  );
  if (out.json) out.object(report);
  else if (report.rows.length === 0) out.note("note: nothing was sold yet");
  else out.line(tableOf(report));
  return 0;
}

function readBy(text: string | undefined): EarningsBy {
  const by = EARNINGS_BY.find((name) => name === (text ?? "day"));
  if (by !== undefined) return by;
  throw usage(`--by "${text!.slice(0, 24)}": one of ${EARNINGS_BY.join(", ")} wanted`);
}

/** Reads `--since`: a time ago, or a day. */
export function readSince(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) {
    const dayMs = Date.parse(`${text}T00:00:00Z`);
    if (!Number.isNaN(dayMs)) return Math.max(0, dayMs);
  }
  const result = v.safeParse(durationSchema, text);
  if (result.success) return Math.max(0, nowMs - result.output);
  throw wrong(`--since "${text.slice(0, 24)}": a time such as 7d, or a day as 2026-01-31, wanted`);
}

function tableOf({ by, rows, total }: EarningsReport): string {
  return formatTable(
    [
      { title: by.toUpperCase() },
      { title: "SOLD", alignRight: true },
      { title: "EARNED", alignRight: true },
      { title: "PROVISIONAL", alignRight: true },
      { title: "REDEEMED", alignRight: true },
    ],
    [...rows, { key: "in all", ...total }].map(cellsOf),
  );
}

function cellsOf(row: EarningsRow): string[] {
  const cell = (value: number | null, format: (value: number) => string) =>
    value === null ? "-" : format(value);
  const sat = (value: number) => `${value} sat`;
  return [
    printable(row.key),
    cell(row.soldBytes, formatBytes),
    cell(row.earnedMsat, formatMsat),
    cell(row.provisionalSat, sat),
    cell(row.redeemedSat, sat),
  ];
}

function usage(why: string): SeedmintError {
  return wrong(`${why} (see earnings --help)`);
}

function wrong(why: string): SeedmintError {
  return new SeedmintError("usage", `Cannot use ${why}`);
}
