/** `wallet plan`: how an amount would be paid. */
import { SeedmintError } from "../../../../core/errors.ts";
import { printable } from "../../../output/format.ts";
import type { VerbContext } from "../../verb.ts";
import { formatSat, readAmount } from "./amounts.ts";

/** Runs the verb: exits with 1 when nothing here can pay it. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  const amountSat = readAmount(context.operands[0]!);
  const acceptedMints = context.flagAll("mint");
  if (acceptedMints.length === 0) {
    throw new SeedmintError(
      "usage",
      "Cannot plan: name a mint that the payee accepts with --mint (repeat it for more)",
    );
  }
  await using opened = await context.openWallet();
  const plan = await opened.wallet.plan({ acceptedMints, amountSat });
  if (out.json) out.object(plan);
  else if (plan.kind === "direct") {
    out.line(
      `direct: ${formatSat(amountSat)} from ${printable(plan.mint)}, ${fee(plan.feeMaxSat)}`,
    );
  } else if (plan.kind === "swap") {
    out.line(
      `swap: ${formatSat(amountSat)} from ${printable(plan.from)} to ${printable(plan.to)}, ${
        fee(plan.feeMaxSat)
      }`,
    );
  } else out.line(`insufficient: ${printable(plan.reason)}`);
  return plan.kind === "insufficient" ? 1 : 0;
}

function fee(maxSat: number): string {
  return maxSat === 0 ? "no fee" : `fee at most ${formatSat(maxSat)}`;
}
