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
  try {
    const answer = await context.input.line({ signal: context.signal });
    return /^\s*y(es)?\s*$/i.test(answer);
  } catch (error) {
    context.out.question("\n"); // nobody pressed Enter
    throw error;
  }
}

/**
 * Shows what was prepared with its fees, asks unless `--yes`, and goes on; whoever says no or goes
 * away has nothing reserved.
 *
 * @returns The operation after its first steps: it may be under way.
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
  return await orGoesOn(context, id, async () => assertWell(await wallet.confirm(id, { signal })));
}

/** Does `work` on an operation that goes on when the user does not wait for it. */
export async function orGoesOn<T>(
  { out, signal }: VerbContext,
  id: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted) out.error(`note: it goes on: see wallet pending, or wallet resume ${id}`);
    throw error;
  }
}
