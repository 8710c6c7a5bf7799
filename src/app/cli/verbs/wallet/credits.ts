/** `wallet credits`: what sellers of bytes have of us, and having it paid back. */
import { messageOf, SeedmintError } from "../../../../core/errors.ts";
import type { NodeApi } from "../../../api/methods.ts";
import type { SellerCredit } from "../../../../../wallet/wallet_api.ts";
import { formatMsat, formatTable, printable } from "../../../output/format.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { formatSat } from "./amounts.ts";

/** Runs the verb: exits with 1 when a refund that was asked for did not come. */
export async function run(context: VerbContext): Promise<number> {
  const wanted = context.flag("refund");
  const [peerId, peers] = wanted === undefined ? [] : readPeer(wanted);
  await using node = await openNode(context, wanted === undefined ? "store" : "network");
  const { credits } = await node.call("wallet.credits", {}, { signal: context.signal });
  if (peerId === undefined) {
    show(context, credits);
    return 0;
  }
  const ids = peerId === "all"
    ? credits.filter(({ leftMsat }) => leftMsat >= 1000).map((credit) => credit.peerId)
    : [peerId];
  if (ids.length === 0) context.out.note("note: nothing is left anywhere");
  let failedCount = 0;
  for (const id of ids) if (!await refund(context, node, { id, peers: peers ?? [] })) failedCount++;
  return failedCount > 0 ? 1 : 0;
}

async function refund(
  { out, signal }: VerbContext,
  node: NodeApi,
  { id: peerId, peers }: { readonly id: string; readonly peers: readonly string[] },
): Promise<boolean> {
  try {
    const report = await node.call("credits.refund", { peerId, peers }, { signal });
    if (out.json) out.object({ event: "refund", ...report });
    else {
      const { receivedSat, amountSat, operation } = report;
      out.line(
        operation.status === "done"
          ? `${printable(peerId)} paid back ${formatSat(receivedSat)}`
          : `${printable(peerId)} paid back ${formatSat(amountSat)}, not redeemed yet: ${
            printable(operation.reason ?? operation.state)
          }`,
      );
    }
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (out.json) out.object({ event: "failed", peerId, message: messageOf(error) });
    else out.error(messageOf(error));
    return false;
  }
}

/** A peer id, `all`, or a multiaddr that ends with one. */
function readPeer(text: string): readonly [string, readonly string[]] {
  const [, end] = /^\/.*\/p2p\/([1-9A-HJ-NP-Za-km-z]{40,64})$/.exec(text) ?? [];
  if (end !== undefined) return [end, [text]];
  if (text === "all" || /^[1-9A-HJ-NP-Za-km-z]{40,64}$/.test(text)) return [text, []];
  throw new SeedmintError(
    "usage",
    `Cannot use --refund "${
      text.slice(0, 80)
    }": a peer id, an address that ends with one, or all wanted`,
  );
}

function show({ out }: VerbContext, credits: readonly SellerCredit[]): void {
  if (out.json) { for (const credit of credits) out.object(credit); }
  else if (credits.length === 0) out.note("note: no seller has anything of us");
  else {
    out.line(formatTable(
      [
        { title: "SELLER" },
        { title: "LEFT", alignRight: true },
        { title: "USED", alignRight: true },
        { title: "PAID BACK", alignRight: true },
        { title: "LAST" },
      ],
      credits.map((credit) => [
        printable(credit.peerId),
        formatMsat(credit.leftMsat),
        formatMsat(credit.usedMsat),
        formatSat(credit.refundedSat),
        new Date(credit.movedMs).toISOString().slice(0, 19).replace("T", " "),
      ]),
    ));
  }
}
