/** `wallet send`: a token for somebody. */
import { systemClock } from "../../../system.ts";
import type { VerbContext } from "../../verb.ts";
import { formatSat, given, lockFlag, locktimeFlag, readAmount } from "./amounts.ts";
import { assertAskable, confirmPrepared } from "./consent.ts";
import { describeFee } from "./describe.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const amountSat = readAmount(context.operands[0]!);
  const lockTo = lockFlag(context);
  const locktimeS = locktimeFlag(context, systemClock.nowMs());
  assertAskable(context);
  await using opened = await context.openWallet();
  const { wallet } = opened;
  const prepared = await wallet.prepareSend({
    amountSat,
    ...given({ mint: context.flag("mint"), lockTo, locktimeS }),
  }, { signal });
  const sent = await confirmPrepared(context, wallet, prepared);
  const token = await wallet.token(sent.id);
  if (out.json) out.object({ event: "done", ...sent, token });
  else {
    out.line(token);
    out.note(
      `sent ${formatSat(amountSat)}, ${describeFee(sent)}; wallet reclaim ${sent.id} takes it back`,
    );
  }
  return 0;
}
