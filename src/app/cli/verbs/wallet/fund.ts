/** `wallet fund`: an invoice, and the ecash that paying it brings. */
import { printable } from "../../../output/format.ts";
import { atMostOne } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { formatSat, readAmount } from "./amounts.ts";
import { assertWell } from "./describe.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const amountSat = readAmount(context.operands[0]!);
  const mint = context.flag("mint");
  atMostOne(context, ["qr", "no-qr"]);
  await using opened = await context.openWallet();
  const { wallet } = opened;
  const { operation, invoice, expiresMs } = await wallet.fund(
    { amountSat, ...(mint === undefined ? {} : { mint }) },
    { signal },
  );
  const { id } = operation;
  if (out.json) out.object({ event: "invoice", id, mint: operation.mint, invoice, expiresMs });
  else await showInvoice(context, invoice);
  if (context.has("no-wait")) {
    if (opened.mode === "alone") {
      out.note(
        `note: once it is paid, wallet resume ${id} fetches the ecash, or a running node does`,
      );
    }
    return 0;
  }
  out.note(`waiting for the payment of ${formatSat(amountSat)} (Ctrl-C leaves it going on)`);
  try {
    const done = assertWell(await wallet.wait(id, { signal }));
    if (out.json) out.object({ event: "done", ...done });
    else out.line(`${formatSat(done.amountSat)} arrived at ${printable(done.mint)}`);
  } catch (error) {
    if (signal.aborted) out.error(`note: once it is paid, wallet resume ${id} fetches the ecash`);
    throw error;
  }
  return 0;
}

async function showInvoice(context: VerbContext, invoice: string): Promise<void> {
  const { out } = context;
  out.line(invoice);
  const wantsQr = context.has("qr") || Deno.stdout.isTerminal();
  if (!wantsQr || context.has("no-qr")) return;
  const { renderQr } = await import("../../../output/qr.ts");
  // Upper case fits the smaller alphabet of QR codes; bech32 is the same in both.
  out.line(renderQr(invoice.toUpperCase()));
}
