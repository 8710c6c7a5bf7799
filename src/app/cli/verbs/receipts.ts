/** `receipts`: what providers delivered and were paid, signed by both sides where both did. */
import { SeedmintError } from "../../../core/errors.ts";
import { systemClock } from "../../../host/system.ts";
import { npub, parsePublicKey } from "../../../nostr/nostr.ts";
import {
  type AnyReceiptView,
  type LeaseReceiptView,
  RECEIPT_ROLES,
  RECEIPT_TYPES,
} from "../../api/receipt_methods.ts";
import {
  formatBytes,
  formatDuration,
  formatMsat,
  formatTable,
  printable,
} from "../../output/format.ts";
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";
import { readSince } from "./earnings.ts";

/** Runs whichever of them it is. */
export async function run(context: VerbContext): Promise<number> {
  return await (context.verb.name === "receipts show" ? show(context) : list(context));
}

async function list(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const role = readOneOf(RECEIPT_ROLES, "role", context.flag("role"));
  const type = readOneOf(RECEIPT_TYPES, "type", context.flag("type"));
  const peerId = readPeer(context.flag("peer"));
  const sinceMs = readSince(context.flag("since"), systemClock.nowMs());
  await using node = await openNode(context, "store");
  const { receipts } = await node.call("receipts.list", {
    ...role === undefined ? {} : { role },
    ...type === undefined ? {} : { type },
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

function readOneOf<T extends string>(
  names: readonly T[],
  flag: string,
  text: string | undefined,
): T | undefined {
  const found = names.find((name) => name === text);
  if (text === undefined || found !== undefined) return found;
  throw usage(`--${flag} "${text.slice(0, 24)}": one of ${names.join(", ")} wanted`);
}

/** A peer id as it is; a Nostr key in hex, however it is written. */
function readPeer(text: string | undefined): string | undefined {
  return text === undefined ? undefined : parsePublicKey(text) ?? text;
}

function tableOf(receipts: readonly AnyReceiptView[]): string {
  return formatTable(
    [
      { title: "ID" },
      { title: "UNTIL" },
      { title: "SIDE" },
      { title: "WITH" },
      { title: "WHAT" },
      { title: "AMOUNT", alignRight: true },
      { title: "PAID", alignRight: true },
      { title: "SIGNED" },
    ],
    receipts.map((receipt) => [
      `${receipt.id.slice(0, 12)}…`,
      new Date(receipt.toMs).toISOString().slice(0, 19).replace("T", " "),
      receipt.role,
      ...receipt.type === "bytes"
        ? [
          printable(receipt.peerId),
          receipt.root === null ? "-" : `${receipt.root.slice(0, 8)}…`,
          formatBytes(receipt.bytes),
        ]
        : [
          `${
            npub(receipt.role === "provider" ? receipt.consumer : receipt.provider).slice(0, 16)
          }…`,
          `${leaseName(receipt.lease)}, ${receipt.ending}`,
          formatDuration(receipt.seconds * 1000),
        ],
      formatMsat(receipt.msat),
      receipt.type === "bytes" ? "both" : SIGNED[receipt.state],
    ]),
  );
}

const SIGNED: Readonly<Record<LeaseReceiptView["state"], string>> = {
  agreed: "both",
  offered: "not yet",
  "one-sided": "us only",
};

/** `container-<n>`, or that there was none. */
function leaseName(lease: string): string {
  const name = lease.split(":")[1] ?? "";
  return name.startsWith("container-") ? name : "no lease";
}

function usage(why: string): SeedmintError {
  return new SeedmintError("usage", `Cannot use ${why} (see receipts --help)`);
}
