/** `topup`: more time for a lease. */
import { openNode } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { extentOf, formatSeconds, usage } from "../market/support.ts";
import { given } from "../wallet/amounts.ts";
import { describeLease, showStep, tokenFlag } from "./support.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const token = await tokenFlag(context);
  if (token !== undefined && (context.has("for") || context.has("budget"))) {
    throw usage(context, "--token says how much is paid: --for and --budget cannot");
  }
  const params = {
    lease: context.operands[0]!,
    ...(token === undefined ? extentOf(context) : { token }),
    ...given({
      requestId: context.flag("request-id"),
      confirmed: context.has("yes") ? true : undefined,
    }),
  };
  await using node = await openNode(context, "relays");
  try {
    const topUp = await node.call("lease.topup", params, {
      signal,
      onEvent: (event) => showStep(out, event),
    });
    if (out.json) out.object(topUp);
    else {
      const { extendedS, paidSat } = topUp;
      out.line(
        extendedS > 0
          ? `${formatSeconds(extendedS)} more for ${paidSat} sat`
          : "nothing more: this request was paid and done before",
      );
      for (const line of describeLease(topUp.lease)) out.line(line);
    }
  } catch (error) {
    if (signal.aborted) out.error("note: what was paid goes on its way: see leases");
    throw error;
  }
  return 0;
}
