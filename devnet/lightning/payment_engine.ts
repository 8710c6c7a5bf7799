/**
 * What becomes of payments. One row for an invoice and a payer:
 * ```
 *            pay()            settle, or due
 *   (none) ───────▶ pending ───────────────▶ succeeded ──▶ the payee learns of it: now, late or never
 *                    ▲   │ fail, or due
 *          pay() anew│   ▼
 *                   failed
 * ```
 */
import type { Clock } from "../../src/core/ports.ts";
import type { PaymentStatus } from "./client.ts";
import { type PaymentPlan, planOf } from "./scripts.ts";
import type { InvoiceRow, LightningStore, PaymentRow } from "./store.ts";

/** How long a part waits for the others (BOLT #4 has the same time). */
const PART_MS = 60_000;

/** Timers of the platform hold no more. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A payment to be made. */
export interface PaymentOrder {
  readonly invoice: InvoiceRow;
  readonly from: string;
  readonly amountMsat: bigint;
  readonly feeMsat: bigint;
  readonly maxFeeMsat: bigint;
  /** `amountMsat` is less than the invoice asks, and others pay the rest. */
  readonly isPart: boolean;
}

/** What came of it, and what the payer is told. */
export interface PaymentAnswer {
  readonly status: PaymentStatus;
  readonly answer: PaymentPlan["answer"];
}

/** Moves payments from state to state, by order and by time. */
export class PaymentEngine {
  readonly #store: LightningStore;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #cancelTimer: () => void = () => {};
  #isClosed = false;

  /** `onChange` is called after each change that payer or payee can see. */
  constructor(store: LightningStore, clock: Clock, onChange: () => void) {
    this.#store = store;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Starts a payment, unless it is under way or done. */
  pay(order: PaymentOrder): PaymentAnswer {
    const { invoice, from } = order;
    const known = this.#store.payment(invoice.hash, from);
    if (known !== undefined && known.state !== "failed") {
      return { status: this.statusOf(known), answer: "truth" };
    }
    const refusal = this.#refusal(order);
    if (refusal !== undefined) return { status: failure(order, refusal), answer: "truth" };
    const script = this.#store.takeScript(({ match = {} }) =>
      [invoice.hash, undefined].includes(match.paymentHash) &&
      [from, undefined].includes(match.from) &&
      [invoice.payee, undefined].includes(match.payee)
    );
    const plan = planOf(script?.action ?? "settle", script?.ms);
    if (plan.outcome === "none") {
      return { status: failure(order, "no answer"), answer: plan.answer };
    }
    this.#begin(order, plan, (known?.attemptCount ?? 0) + 1);
    if (order.isPart) this.#gather(invoice);
    this.sweep();
    return { status: this.statusOf(this.#store.payment(invoice.hash, from)!), answer: plan.answer };
  }

  /** Lets a pending payment succeed, and the payee learn of a successful one. */
  settle(row: PaymentRow): boolean {
    if (row.state === "failed") return false;
    if (row.state === "succeeded") return this.#deliver(row);
    if (row.outcome === "gather") return false;
    return this.#succeed({ ...row, payeeLearns: "now" });
  }

  /** Lets a pending payment fail. */
  fail(row: PaymentRow): boolean {
    if (row.state !== "pending") return false;
    this.#store.putPayment({ ...row, state: "failed", dueMs: undefined, reason: "no route found" });
    return true;
  }

  /** Does what is due, and sets the timer for what comes next. */
  sweep(): void {
    if (this.#isClosed) return;
    this.#cancelTimer();
    const nowMs = this.#clock.nowMs();
    const changed = this.#store.transaction(() =>
      this.#store.scheduled().filter((row) => dueMsOf(row) <= nowMs)
        .filter((row) =>
          row.outcome === "settle" || row.state === "succeeded"
            ? this.#complete(row)
            : this.fail(row)
        )
    );
    if (changed.length > 0) this.#onChange();
    const nextMs = Math.min(...this.#store.scheduled().map(dueMsOf));
    if (nextMs === Infinity) return;
    const waitMs = Math.min(Math.max(0, nextMs - nowMs), TIMER_MS_MAX);
    this.#cancelTimer = this.#clock.timer(waitMs, () => this.sweep());
  }

  /** What the payer may know of a payment. */
  statusOf(row: PaymentRow): PaymentStatus {
    const isPaid = row.state === "succeeded";
    return {
      paymentHash: row.hash,
      state: row.state,
      amountMsat: row.amountMsat,
      feeMsat: isPaid ? row.feeMsat : 0n,
      ...(isPaid ? { preimage: this.#store.invoice(row.hash)!.preimage } : {}),
      ...(row.state === "failed" ? { reason: row.reason ?? "it failed" } : {}),
    };
  }

  /** No timer runs after this. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
  }

  #refusal(order: PaymentOrder): string | undefined {
    const { invoice, feeMsat, maxFeeMsat } = order;
    const others = this.#store.paymentsOf(invoice.hash);
    const pending = others.filter((row) => row.state === "pending");
    if (others.some((row) => row.state === "succeeded")) return "the invoice is paid already";
    if (pending.some((row) => !(row.isPart && order.isPart))) {
      return "somebody else is paying the invoice";
    }
    if (order.isPart && sumOf(pending) + order.amountMsat > invoice.amountMsat!) {
      return "the parts are more than the invoice asks";
    }
    if (invoice.isCancelled) return "the payee cancelled the invoice";
    if (invoice.expiresMs <= this.#clock.nowMs()) return "the invoice is expired";
    if (feeMsat <= maxFeeMsat) return undefined;
    return `no route within the fee limit: it costs ${feeMsat} msat, ${maxFeeMsat} are allowed`;
  }

  #begin(order: PaymentOrder, plan: PaymentPlan, attemptCount: number): void {
    const { when, payeeLearns } = plan;
    const isGathering = order.isPart && plan.outcome === "settle";
    const dueMs = when === "held"
      ? undefined
      : this.#clock.nowMs() + (when === "now" ? 0 : when.afterMs);
    this.#store.putPayment({
      hash: order.invoice.hash,
      payer: order.from,
      state: "pending",
      amountMsat: order.amountMsat,
      feeMsat: order.feeMsat,
      outcome: isGathering ? "gather" : plan.outcome === "fail" ? "fail" : "settle",
      dueMs: isGathering ? this.#clock.nowMs() + PART_MS : dueMs,
      payeeLearns: typeof payeeLearns === "object" ? "late" : payeeLearns,
      payeeDueMs: typeof payeeLearns === "object" ? payeeLearns.afterMs : undefined,
      reason: undefined,
      attemptCount,
      isPart: order.isPart,
    });
  }

  /** Lets all parts succeed if they make up the whole. */
  #gather(invoice: InvoiceRow): void {
    const parts = this.#store.paymentsOf(invoice.hash)
      .filter((row) => row.state === "pending" && row.outcome === "gather");
    if (sumOf(parts) !== invoice.amountMsat) return;
    this.#store.transaction(() => {
      for (const row of parts) this.#succeed(row);
    });
    this.#onChange();
  }

  #complete(row: PaymentRow): boolean {
    return row.state === "succeeded" ? this.#deliver(row) : this.#succeed(row);
  }

  #succeed(row: PaymentRow): boolean {
    const payeeDueMs = row.payeeLearns === "late"
      ? this.#clock.nowMs() + row.payeeDueMs!
      : undefined;
    this.#store.putPayment({ ...row, state: "succeeded", dueMs: undefined, payeeDueMs });
    if (row.payeeLearns === "now") this.#deliver(row);
    return true;
  }

  #deliver(row: PaymentRow): boolean {
    const invoice = this.#store.invoice(row.hash)!;
    if (invoice.paidMsat !== undefined) return false;
    this.#store.markPaid(row.hash, row.isPart ? invoice.amountMsat! : row.amountMsat);
    return true;
  }
}

function sumOf(rows: readonly PaymentRow[]): bigint {
  return rows.reduce((sum, row) => sum + row.amountMsat, 0n);
}

/** A payment that was not made. */
export function failure(
  { invoice, amountMsat }: Pick<PaymentOrder, "invoice" | "amountMsat">,
  reason: string,
): PaymentStatus {
  return { paymentHash: invoice.hash, state: "failed", amountMsat, feeMsat: 0n, reason };
}

function dueMsOf(row: PaymentRow): number {
  return (row.state === "pending" ? row.dueMs : row.payeeDueMs)!;
}
