/** `market list`: who lends compute. */
import { openNode, showEvent } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { given } from "../wallet/amounts.ts";
import { filterOf, offerTable, sortOf } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const params = {
    ...filterOf(context),
    ...given({ sort: sortOf(context), withOffline: context.has("all") ? true : undefined }),
  };
  await using node = await openNode(context, "relays");
  const { offers } = await node.call("market.list", params, {
    signal,
    onEvent: (event) => out.json || showEvent(out, event),
  });
  if (out.json) { for (const offer of offers) out.object(offer); }
  else if (offers.length > 0) out.line(offerTable(offers));
  else {
    out.note(
      context.has("all")
        ? "note: no relay knows of an offer that fits; name relays with --relay, or ask for less"
        : "note: nobody who is online offers what fits; --all shows those, too, that are not",
    );
  }
  return 0;
}
