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
  /** What a person agreed to at this moment, in sat for one payment, by lease. */
  readonly #confirmed = new Map<string, Set<{ readonly maxSat: number }>>();

  constructor(options: AgreementsOptions) {
    this.#options = options;
  }

  /** A person agreed to a payment of up to `maxSat` for a lease, until what is returned is disposed of. */
  confirm(lease: string, maxSat: number): Disposable {
    const consent = { maxSat };
    const consents = this.#confirmed.get(lease) ?? new Set();
    this.#confirmed.set(lease, consents.add(consent));
    return {
      [Symbol.dispose]: () => {
        consents.delete(consent);
        if (consents.size === 0 && this.#confirmed.get(lease) === consents) {
          this.#confirmed.delete(lease);
        }
      },
    };
  }

  /** Whether a payment in the book may be made. */
  agree(asked: PaymentAsked): Agreement {
    const { book, budgets, clock } = this.#options;
    const payment = book.payments.get(asked.id);
    // Top-ups by themselves are within the budget that was named for them.
    if (payment?.purpose === "keepalive") return { status: "agreed", isConfirmed: true };
    const lease = payment?.lease ?? "";
    // Above what was agreed to, the budgets hold as without it.
    const isConfirmed = [...this.#confirmed.get(lease) ?? []]
      .some(({ maxSat }) => asked.amountSat <= maxSat);
    if (isConfirmed) return { status: "agreed", isConfirmed };
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
