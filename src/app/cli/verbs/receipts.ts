/** `receipts`: what providers delivered and were paid, signed by both sides. */
import { SeedmintError } from "../../../core/errors.ts";
import { systemClock } from "../../../host/system.ts";
import { RECEIPT_ROLES, type ReceiptSide, type ReceiptView } from "../../api/receipt_methods.ts";
import { formatBytes, formatMsat, formatTable, printable } from "../../output/format.ts";
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";
import { readSince } from "./earnings.ts";

/** Runs whichever of them it is. */
export async function run(context: VerbContext): Promise<number> {
  return await (context.verb.name === "receipts show" ? show(context) : list(context));
}

async function list(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const role = readRole(context.flag("role"));
  const peerId = context.flag("peer");
  const sinceMs = readSince(context.flag("since"), systemClock.nowMs());
  await using node = await openNode(context, "store");
  const { receipts } = await node.call("receipts.list", {
    ...role === undefined ? {} : { role },
    ...peerId === undefined ? {} : { peerId },
    ...sinceMs === undefined ? {} : { sinceMs },
  }, { signal });
  if (out.json) { for (const receipt of receipts) out.object(receipt); }
  else if (receipts.length === 0) out.note("note: there are no receipts");
  else out.line(tableOf(receipts));
  return 0;
}

async function show(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const id = context.operands[0]!.replace(/…$/, "");
  if (!/^[0-9a-f]{4,32}$/.test(id)) {
    throw usage(`the receipt "${id.slice(0, 40)}": 4 to 32 hex digits of its id wanted`);
  }
  await using node = await openNode(context, "store");
  const receipt = await node.call("receipts.show", { id }, { signal });
  if (out.json) out.object(receipt);
  else out.line(receipt.text);
  return 0;
}

function readRole(text: string | undefined): ReceiptSide | undefined {
  const role = RECEIPT_ROLES.find((name) => name === text);
  if (text === undefined || role !== undefined) return role;
  throw usage(`--role "${text.slice(0, 24)}": one of ${RECEIPT_ROLES.join(", ")} wanted`);
}

function tableOf(receipts: readonly ReceiptView[]): string {
  return formatTable(
    [
      { title: "ID" },
      { title: "UNTIL" },
      { title: "SIDE" },
      { title: "PEER" },
      { title: "CONTENT" },
      { title: "BYTES", alignRight: true },
      { title: "PAID", alignRight: true },
    ],
    receipts.map((receipt) => [
      `${receipt.id.slice(0, 12)}…`,
      new Date(receipt.toMs).toISOString().slice(0, 19).replace("T", " "),
      receipt.role,
      printable(receipt.peerId),
      receipt.root === null ? "-" : `${receipt.root.slice(0, 8)}…`,
      formatBytes(receipt.bytes),
      formatMsat(receipt.msat),
    ]),
  );
}

function usage(why: string): SeedmintError {
  return new SeedmintError("usage", `Cannot use ${why} (see receipts --help)`);
}
