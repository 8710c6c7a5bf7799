/** `market show`: all of one offer. */
import { systemClock } from "../../../../host/system.ts";
import { openNode, showEvent } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { describeOffer } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  await using node = await openNode(context, "relays");
  const offer = await node.call("market.show", { provider: context.operands[0]! }, {
    signal,
    onEvent: (event) => out.json || showEvent(out, event),
  });
  if (out.json) out.object(offer);
  else for (const line of describeOffer(offer, systemClock.nowMs())) out.line(line);
  return 0;
}
