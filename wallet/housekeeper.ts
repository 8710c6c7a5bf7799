/**
 * What has to happen after operations moved: payments that we make are settled in the budgets, payers
 * hear what became of theirs, tokens that nobody fetched come back, money moves where it is safer, and
 * what came out of a backup is checked until it may be spent.
 */
import { messageOf } from "../src/core/errors.ts";
import type { Engine } from "./operations/engine.ts";
import type { Operation } from "./operations/operation.ts";
import { requestReclaim, type SendPlan } from "./operations/send_plan.ts";
import { paymentIdOf, settlePayment } from "./planner/payment_work.ts";
import type { Payments } from "./planner/payments.ts";
import { Rechecker } from "./rechecker.ts";
import type { Sweeper } from "./sweeper.ts";
import { type PaymentReceipt, receiptOf } from "./wallet_views.ts";

/** A token that was made for a payment and never handed over comes back after this. */
const FORGOTTEN_MS = 3_600_000;

/** How often to look for such tokens, for money to sweep, and for ecash to check. */
const ROUND_MS = 600_000;

/** Newest sends and swaps looked at when the wallet is opened. */
const LOOK_BACK_COUNT = 1_000;

/** Options of {@link Housekeeper}. */
export interface HousekeeperOptions {
  readonly sweeper: Sweeper;
  readonly payments: Payments;
  readonly onPayment?: (receipt: PaymentReceipt) => void;
}

/** See the head of this file. */
export class Housekeeper implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #options: HousekeeperOptions;
  readonly #rechecker: Rechecker;
  readonly #off: () => void;
  #cancelRound: () => void = () => {};
  /** Versions of payments that were told, of those that may still change. */
  readonly #told = new Map<string, number>();

  constructor(engine: Engine, options: HousekeeperOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#rechecker = new Rechecker(engine);
    this.#off = engine.onEvent((event) => {
      if (event.event === "operation" && event.operationId !== undefined) {
        this.#guarded(() => this.#heard(event.operationId!));
      }
    });
  }

  /** Catches up with what happened while the wallet was closed, and begins its rounds if it `resumes`. */
  start({ resumes = true }: { readonly resumes?: boolean } = {}): void {
    this.#guarded(() => this.#catchUp());
    if (resumes) this.#round();
  }

  /** Asks mints about restored ecash that may not be spent yet; returns what was begun for that. */
  async recheck(): Promise<readonly string[]> {
    try {
      return await this.#rechecker.look();
    } catch (error) {
      this.#failed(error);
      return [];
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#off();
    this.#cancelRound();
    return Promise.resolve();
  }

  #round(): void {
    this.#guarded(() => this.#reclaimForgotten());
    this.#options.sweeper.look();
    this.recheck();
    this.#cancelRound = this.#engine.context.clock.timer(ROUND_MS, () => this.#round());
  }

  #heard(id: string): void {
    const { store } = this.#engine.context;
    const operation = store.operation(id);
    if (operation === undefined) return;
    const paymentId = paymentIdOf(operation);
    // What is being prepared may go on another way: it keeps what it set aside until that is over.
    if (paymentId !== undefined && !this.#options.payments.isUnderWay(paymentId)) {
      settlePayment(store, paymentId);
    }
    if (operation.kind === "redeem") this.#tellPayers(operation);
    this.#options.sweeper.heard(operation);
    if (operation.status === "done" && operation.kind !== "send") this.#options.sweeper.look();
  }

  #tellPayers(operation: Operation): void {
    const { onPayment } = this.#options;
    if (onPayment === undefined) return;
    const { store } = this.#engine.context;
    for (const payment of store.incomingPayments({ operationId: operation.id })) {
      const key = JSON.stringify([payment.payer, payment.paymentId]);
      if ((this.#told.get(key) ?? 1) >= payment.version) continue;
      onPayment(receiptOf(payment));
      if (payment.state === "redeemed" || payment.state === "dead") this.#told.delete(key);
      else this.#told.set(key, payment.version);
    }
  }

  #catchUp(): void {
    const { store } = this.#engine.context;
    for (const kind of ["send", "strip", "channel", "swap"] as const) {
      for (const operation of store.operations({ kind, limit: LOOK_BACK_COUNT })) {
        const paymentId = paymentIdOf(operation);
        if (paymentId !== undefined) settlePayment(store, paymentId);
      }
    }
  }

  /** Unlocked tokens that were made and not fetched; locked ones come back by themselves. */
  #reclaimForgotten(): void {
    const { context } = this.#engine;
    const beforeMs = context.clock.nowMs() - FORGOTTEN_MS;
    for (const operation of context.store.operations({ kind: "send", status: "open" })) {
      const paymentId = paymentIdOf(operation);
      if (paymentId === undefined || this.#options.payments.isUnderWay(paymentId)) continue;
      const isForgotten = operation.state === "token-ready" && operation.createdMs < beforeMs;
      const plan = operation.plan as SendPlan;
      if (!isForgotten || plan.lock !== undefined || plan.wantsReclaim) continue;
      requestReclaim(context, operation.id);
    }
  }

  /** Nothing here is worth stopping what is being done; what failed is looked at again next time. */
  #guarded(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#engine.context.emit({
      event: "attention",
      message: `Housekeeping failed and is tried again later: ${messageOf(error)}`,
    });
  }
}
