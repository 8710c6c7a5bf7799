/** `market quote`: what a lease would cost. */
import { printable } from "../../../output/format.ts";
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { showStep } from "../lease/support.ts";
import { given } from "../wallet/amounts.ts";
import { describeQuote, extentOf, filterOf } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const params = {
    ...given({
      image: context.operands[0],
      provider: context.flag("provider"),
      tier: context.flag("tier"),
    }),
    filter: filterOf(context),
    ...extentOf(context),
  };
  await using node = await openNode(context, "relays");
  const quote = await node.call("market.quote", params, {
    signal,
    onEvent: (event) => showStep(out, event),
  });
  if (out.json) out.object(quote);
  else {
    out.line(describeQuote(quote));
    if (quote.note !== null) out.line(`note: ${printable(quote.note)}`);
    if (!quote.isBinding) {
      out.line("note: reckoned from its offer: this provider answers no such question");
    }
    if (!quote.isAvailable) out.line("It could not begin now.");
  }
  return quote.isAvailable ? 0 : 1;
}
