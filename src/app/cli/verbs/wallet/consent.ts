/** Nothing leaves the wallet before somebody has seen what it costs. */
import { SeedmintError } from "../../../../core/errors.ts";
import type { OperationView, WalletApi } from "../../../../../wallet/wallet_api.ts";
import type { VerbContext } from "../../verb.ts";
import { assertWell, describeFee, describeOperation } from "./describe.ts";

/**
 * Refuses at once where nobody could be asked.
 *
 * @throws {SeedmintError} `usage`
 */
export function assertAskable(context: VerbContext): void {
  if (context.has("yes") || context.input.isTerminal) return;
  throw new SeedmintError(
    "usage",
    `Cannot run ${context.verb.name}: money would leave, and nobody is here to ask; say --yes if it ` +
      "may be done",
  );
}

/** Asks on the terminal. Enter alone is no. */
export async function askYes(context: VerbContext, question: string): Promise<boolean> {
  context.out.question(`${question} [y/N] `);
  const answer = await context.input.line({ signal: context.signal });
  return /^\s*y(es)?\s*$/i.test(answer);
}

/**
 * Shows what was prepared with its fees, asks unless `--yes`, and goes on; whoever says no or goes
 * away has nothing reserved. Waits until the payment has ended unless `--no-wait`.
 *
 * @returns The operation, which is done, or open with `--no-wait`.
 * @throws {SeedmintError} If it was refused, failed, or needs a person.
 */
export async function confirmPrepared(
  context: VerbContext,
  wallet: WalletApi,
  prepared: OperationView,
): Promise<OperationView> {
  const { out, signal } = context;
  const { id } = assertWell(prepared);
  const what = `${describeOperation(prepared)}, ${describeFee(prepared)}`;
  if (out.json) out.object({ event: "prepared", ...prepared });
  if (context.has("yes")) {
    if (!out.json) out.note(what);
  } else {
    let isYes = false;
    try {
      isYes = await askYes(context, `${what}?`);
    } finally {
      if (!isYes) await wallet.cancel(id);
    }
    if (!isYes) {
      throw new SeedmintError("denied", `Did not ${describeOperation(prepared)}: you said no`);
    }
  }
  try {
    const confirmed = await wallet.confirm(id, { signal });
    if (confirmed.status !== "open" || context.has("no-wait")) return assertWell(confirmed);
    out.note(
      `waiting: ${confirmed.reason ?? "Lightning is under way"} (Ctrl-C leaves it going on)`,
    );
    return assertWell(await wallet.wait(id, { signal }));
  } catch (error) {
    if (signal.aborted) {
      out.error(`note: operation ${id} goes on; see wallet pending, or wallet resume ${id}`);
    }
    throw error;
  }
}
