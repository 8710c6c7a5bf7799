/** `stop`: ends a lease and takes back what is left. */
import { SeedmintError } from "../../../../core/errors.ts";
import { printable } from "../../../output/format.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { askYes } from "../wallet/consent.ts";
import { describeLease, showStep } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const lease = context.operands[0]!;
  if (context.input.isTerminal) {
    const question = `End lease ${printable(lease.slice(0, 90))} with all that is in it?`;
    if (!context.has("yes") && !await askYes(context, question)) {
      throw new SeedmintError("denied", "Ended nothing: you said no");
    }
  }
  await using node = await openNode(context, "relays");
  const stopped = await node.call("lease.stop", { lease }, {
    signal,
    onEvent: (event) => out.json || showStep(out, event),
  });
  if (out.json) out.object(stopped);
  else {
    const { refundSat } = stopped;
    out.line(refundSat === 0 ? "ended; nothing came back" : `ended; ${refundSat} sat came back`);
    for (const line of describeLease(stopped.lease)) out.line(line);
  }
  return 0;
}
