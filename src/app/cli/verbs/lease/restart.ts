/** `restart`: the processes of a lease anew. */
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { describeLease, showStep } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  await using node = await openNode(context, "relays");
  const lease = await node.call("lease.restart", { lease: context.operands[0]! }, {
    signal,
    onEvent: (event) => out.json || showStep(out, event),
  });
  if (out.json) out.object(lease);
  else for (const line of describeLease(lease)) out.line(line);
  return 0;
}
