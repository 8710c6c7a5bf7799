/** How much may be spent without asking the user. */
import type { WalletReads } from "../store/wallet_store.ts";

/** Limits in sat, fees included; absent for none. */
export interface Budgets {
  /** For one thing (a blob, a collection, a lease), for ever. */
  readonly perSubjectMaxSat?: bigint;
  /** To one peer within 24 hours. */
  readonly perPayeeMaxSat?: bigint;
  /** Altogether within 24 hours. */
  readonly perDayMaxSat?: bigint;
}

/** The budgets of a node whose operator said nothing. */
export const BUDGETS: Budgets = {
  perSubjectMaxSat: 1_000n,
  perPayeeMaxSat: 5_000n,
  perDayMaxSat: 10_000n,
};

const DAY_MS = 24 * 3_600_000;

/** What a payment would cost at most, for what and to whom. */
export interface Expense {
  readonly subject: string;
  readonly payee: string;
  readonly costMax: bigint;
}

/** Why an expense is above a budget, in words; undefined when it is within all. */
export function budgetTrouble(
  reads: Pick<WalletReads, "spentSat">,
  expense: Expense,
  options: { readonly budgets: Budgets; readonly nowMs: number },
): string | undefined {
  const { budgets, nowMs } = options;
  const { subject, payee } = expense;
  const sinceMs = nowMs - DAY_MS;
  // What has no name is never the same thing again: only the day adds it up.
  const named = (text: string, spent: () => bigint) => () => text === "" ? 0n : spent();
  const onSubject = named(subject, () => reads.spentSat({ subject }));
  const toPayee = named(payee, () => reads.spentSat({ payee, sinceMs }));
  return above("this content", budgets.perSubjectMaxSat, onSubject) ??
    above("this peer and day", budgets.perPayeeMaxSat, toPayee) ??
    above("a day", budgets.perDayMaxSat, () => reads.spentSat({ sinceMs }));

  function above(what: string, max: bigint | undefined, spent: () => bigint): string | undefined {
    if (max === undefined) return undefined;
    const before = spent();
    if (before + expense.costMax <= max) return undefined;
    return `up to ${expense.costMax} sat more would be above the budget of ${max} sat for ${what}, ` +
      `of which ${before} sat are spent or reserved`;
  }
}
