/** What may be paid for leases without asking. */
import type { Clock } from "../../../core/ports.ts";
import {
  type BookedPayment,
  costSat,
  type LeaseBook,
} from "../../../../provisioning/consumer/mod.ts";
import type { Config } from "../../config/settings.ts";
import type { Agreement, PaymentAsked } from "./purse.ts";

const DAY_MS = 24 * 3_600_000;
/** More payments than a day of leases has. */
const PAYMENTS_MAX = 5_000;

/** Options of {@link Agreements}. */
export interface AgreementsOptions {
  readonly book: LeaseBook;
  readonly clock: Clock;
  readonly budgets: Pick<Config, "lesseeBudget" | "lesseeBudgetDay">;
}

/** Who agreed to which lease's payments, and what is paid without that. */
export class Agreements {
  readonly #options: AgreementsOptions;
  /** Leases whose payments a person agreed to, and how often at this moment. */
  readonly #confirmed = new Map<string, number>();

  constructor(options: AgreementsOptions) {
    this.#options = options;
  }

  /** A person agreed to the payments of a lease, until what is returned is disposed of. */
  confirm(lease: string): Disposable {
    const change = (by: number) => {
      const count = (this.#confirmed.get(lease) ?? 0) + by;
      if (count > 0) this.#confirmed.set(lease, count);
      else this.#confirmed.delete(lease);
    };
    change(1);
    return { [Symbol.dispose]: () => change(-1) };
  }

  /** Whether a payment in the book may be made. */
  agree(asked: PaymentAsked): Agreement {
    const { book, budgets, clock } = this.#options;
    const payment = book.payments.get(asked.id);
    // Top-ups by themselves are within the budget that was named for them.
    if (payment?.purpose === "keepalive") return { status: "agreed", isConfirmed: true };
    const lease = payment?.lease ?? "";
    if (this.#confirmed.has(lease)) return { status: "agreed", isConfirmed: true };
    const others = (all: readonly BookedPayment[]) => all.filter(({ id }) => id !== asked.id);
    const spentSat = (payments: readonly BookedPayment[]) =>
      payments.filter(({ isBare }) => !isBare)
        .reduce((sum, one) => sum + costSat(one, (id) => book.refunds.get(id)), 0);
    const ofLease = spentSat(others(book.payments.of(lease)));
    if (ofLease + asked.amountSat > budgets.lesseeBudget) {
      return declined(asked, ofLease, budgets.lesseeBudget, "one lease", "lessee-budget");
    }
    const sinceMs = clock.nowMs() - DAY_MS;
    const today = others(book.payments.newest(PAYMENTS_MAX))
      .filter(({ createdMs, purpose }) => createdMs >= sinceMs && purpose !== "keepalive");
    const ofDay = spentSat(today);
    if (ofDay + asked.amountSat > budgets.lesseeBudgetDay) {
      return declined(asked, ofDay, budgets.lesseeBudgetDay, "a day", "lessee-budget-day");
    }
    return { status: "agreed", isConfirmed: false };
  }
}

function declined(
  { amountSat }: PaymentAsked,
  before: number,
  max: number,
  what: string,
  setting: string,
): Agreement {
  return {
    status: "declined",
    reason: `${amountSat} sat more would be above the budget of ${max} sat for ${what}, of which ` +
      `${before} sat are spent; say --yes, or set ${setting}`,
  };
}
