/** `ticket`: one string that `get` takes, and its QR code. */
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** The most characters that fit into one QR code in byte mode at the lowest correction. */
const QR_CHARS_MAX = 2953;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  await using node = await openNode(context, "store");
  const { ticket, hash } = await node.call("ticket", { target: context.operands[0]! }, {
    signal,
    onEvent: (event) => out.note(`note: ${event.message}`),
  });
  if (out.json) {
    out.object({ ticket, hash });
    return 0;
  }
  out.line(ticket);
  const wantsQr = context.has("qr") || Deno.stdout.isTerminal();
  if (wantsQr && !context.has("no-qr") && ticket.length <= QR_CHARS_MAX) {
    const { renderQr } = await import("../../output/qr.ts");
    out.line(renderQr(ticket));
  }
  return 0;
}
