/** `wallet pay`, `wallet withdraw` and `wallet swap`: what leaves a mint over Lightning. */
import { isSeedmintError, SeedmintError } from "../../../../core/errors.ts";
import type { OperationView, WalletApi } from "../../../../../wallet/wallet_api.ts";
import { payeeSchema } from "../../../config/money_values.ts";
import { v } from "../../../schema.ts";
import { printable } from "../../../output/format.ts";
import type { VerbContext } from "../../verb.ts";
import { amountFlag, formatSat, given, readAmount } from "./amounts.ts";
import { assertAskable, confirmPrepared, orGoesOn } from "./consent.ts";
import { assertWell, describeFee } from "./describe.ts";

type Prepare = (
  wallet: WalletApi,
  options: { readonly signal: AbortSignal },
) => Promise<OperationView>;

const READERS: Readonly<Record<string, (context: VerbContext) => Prepare>> = {
  "wallet pay": readPay,
  "wallet withdraw": readWithdraw,
  "wallet swap": readSwap,
};

/** Runs each of the three. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const prepare = READERS[context.verb.name]!(context);
  assertAskable(context);
  await using opened = await context.openWallet();
  const prepared = await prepare(opened.wallet, { signal });
  const confirmed = await confirmPrepared(context, opened.wallet, prepared);
  const paid = await ended(context, opened.wallet, confirmed);
  if (out.json) {
    const preimage = await proofOf(opened.wallet, paid);
    out.object({ event: paid.status, ...paid, ...given({ preimage }) });
  } else if (paid.status === "done") {
    const where = paid.peerMint === null ? "paid" : `arrived at ${printable(paid.peerMint)}`;
    out.line(`${formatSat(paid.amountSat)} ${where}, ${describeFee(paid)}`);
  } else {
    out.line(`under way: ${printable(paid.reason ?? paid.state)}; see wallet pending`);
    if (opened.mode === "alone") {
      out.note(`note: it goes on with wallet resume ${paid.id}, or while a node runs`);
    }
  }
  return 0;
}

/** Proof of payment for programs: on a terminal, `wallet preimage` prints it to who asks. */
async function proofOf(
  wallet: WalletApi,
  { id, kind, status }: OperationView,
): Promise<string | undefined> {
  if (kind !== "melt" || status !== "done") return undefined;
  try {
    return await wallet.preimage(id);
  } catch (error) {
    // The invoice is paid all the same: some mints give no proof.
    if (isSeedmintError(error, "not-found")) return undefined;
    throw error;
  }
}

/** Waits until Lightning has said yes or no, unless `--no-wait`. */
async function ended(
  context: VerbContext,
  wallet: WalletApi,
  operation: OperationView,
): Promise<OperationView> {
  const { out, signal } = context;
  const { id, status, reason, state } = operation;
  if (status !== "open" || context.has("no-wait")) return operation;
  out.note(`waiting: ${printable(reason ?? state)} (Ctrl-C leaves it going on)`);
  return await orGoesOn(context, id, async () => assertWell(await wallet.wait(id, { signal })));
}

function readPay(context: VerbContext): Prepare {
  const invoice = context.operands[0]!.trim().replace(/^lightning:/i, "").toLowerCase();
  if (!/^ln(bc|tb|tbs|bcrt)[0-9a-z]{50,}$/.test(invoice)) {
    throw new SeedmintError(
      "usage",
      "Cannot read the invoice: a text that begins with lnbc wanted; withdraw pays to addresses",
    );
  }
  const request = { invoice, ...fromAndFee(context) };
  return (wallet, options) => wallet.preparePay(request, options);
}

function readWithdraw(context: VerbContext): Prepare {
  const [to, amount] = context.operands as [string, string];
  const payee = v.safeParse(payeeSchema, to);
  if (!payee.success) {
    throw new SeedmintError("usage", `Cannot withdraw: ${payee.issues[0].message}`);
  }
  const request = { to: payee.output, amountSat: readAmount(amount), ...fromAndFee(context) };
  return (wallet, options) => wallet.prepareWithdraw(request, options);
}

function readSwap(context: VerbContext): Prepare {
  const [from, to] = [context.flag("from"), context.flag("to")];
  if (from === undefined || to === undefined) {
    throw new SeedmintError(
      "usage",
      "Cannot swap: say --from URL and --to URL, two mints of wallet mints",
    );
  }
  const maxFeeSat = amountFlag(context, "max-fee");
  const request = {
    from,
    to,
    amountSat: readAmount(context.operands[0]!),
    ...given({ maxFeeSat }),
  };
  return (wallet, options) => wallet.prepareSwap(request, options);
}

function fromAndFee(context: VerbContext) {
  return given({ mint: context.flag("mint"), maxFeeSat: amountFlag(context, "max-fee") });
}
