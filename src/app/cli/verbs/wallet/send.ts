/** `wallet send`: a token for somebody. */
import type { OperationView, WalletApi } from "../../../../../wallet/wallet_api.ts";
import { printable } from "../../../output/format.ts";
import { systemClock } from "../../../../host/system.ts";
import type { VerbContext } from "../../verb.ts";
import { formatSat, given, lockFlag, locktimeFlag, readAmount } from "./amounts.ts";
import { assertAskable, confirmPrepared, orGoesOn } from "./consent.ts";
import { assertWell, describeFee } from "./describe.ts";

/** States of a send in which its token exists. */
const TOKEN_STATES = ["token-ready", "delivered"];

/** How often a mint that did not answer is asked again. */
const AGAIN_MS = 2000;

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
  const confirmed = await confirmPrepared(context, wallet, prepared);
  const sent = await withToken(context, wallet, confirmed);
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

/** A mint that is slow, or away for a moment, is waited for. */
async function withToken(
  context: VerbContext,
  wallet: WalletApi,
  confirmed: OperationView,
): Promise<OperationView> {
  const { out, signal } = context;
  const { id } = confirmed;
  return await orGoesOn(context, id, async () => {
    let operation = confirmed;
    while (operation.status === "open" && !TOKEN_STATES.includes(operation.state)) {
      out.note(`waiting: ${printable(operation.reason ?? operation.state)}`);
      await systemClock.sleep(AGAIN_MS, { signal });
      [operation] = await wallet.resume({ id }, { signal }) as [OperationView];
      assertWell(operation);
    }
    return operation;
  });
}
