/** A lessee: finds, pays, uses and ends leases, and loses no money on the way. */
import { SeedmintError } from "../../src/core/errors.ts";
import {
  type ErrorAnswer,
  type ExecAnswer,
  type LogsAnswer,
  type ReceiptAnswer,
  type RestartAnswer,
  WIRE_LIMITS,
} from "../wire/mod.ts";
import type { BookedLease, KeepAlive, PaymentTerms } from "./book/lease.ts";
import { refundIdOf } from "./book/payment_cost.ts";
import { isPaymentOpen } from "./book/payment_transition.ts";
import type { DriverKind, LesseeContext, LesseeOptions, Step } from "./context.ts";
import { Drivers } from "./drivers.ts";
import { failureOf } from "./failure.ts";
import { KeepAliveDesk } from "./keep_alive.ts";
import { askInside, checkCommand, notLive, refusal, topUpSat } from "./inside.ts";
import { askReceipt, stepLease } from "./lease_steps.ts";
import { BOOK_LIMITS, LESSEE_LIMITS } from "./limits.ts";
import { look } from "./look.ts";
import { stepPayment } from "./payment_steps.ts";
import { checkWishId, newId, planPayment, tokenOf } from "./plan.ts";
import type { UnaskedAnswer } from "./ports.ts";
import type { Quote } from "./quote.ts";
import { refundedSat, stepRefund } from "./refund_steps.ts";
import { RentDesk } from "./rent.ts";
import { refuse, settlePayment } from "./settle.ts";
import { sync, type Synced } from "./sync.ts";
import { Watchers } from "./watchers.ts";
import type {
  LeaseAccount,
  LeaseWish,
  LesseeEvent,
  SpawnWish,
  Stopped,
  ToppedUp,
  TopUpWish,
  WishOptions,
} from "./wishes.ts";

export type { LesseeOptions } from "./context.ts";

/** Leases in one list. */
const LISTED_MAX = 1_000;

/** A lessee at work; dispose of it to stop it. What is open goes on when it is opened again. */
export class Lessee implements AsyncDisposable {
  readonly #context: LesseeContext;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<(event: LesseeEvent) => void>();
  readonly #watchers: Watchers;
  readonly #drivers: Drivers;
  readonly #keepAlive: KeepAliveDesk;
  readonly #rent: RentDesk;
  /** Who wants to hear how far a lease is. */
  readonly #progress = new Map<string, (state: string) => void>();
  readonly #off: () => void;
  #cancelPrune: () => void = () => {};

  private constructor(options: LesseeOptions) {
    const { signal } = this.#closing;
    this.#watchers = new Watchers(options.clock, signal);
    const context: LesseeContext = {
      ...options,
      signal,
      emit: (event) => this.#emit(event),
      changed: (id) => this.#changed(id),
      nudge: (kind, id) => this.#nudge(kind, id),
      onProgress: (id, state) => this.#progress.get(id)?.(state),
    };
    this.#context = context;
    this.#drivers = new Drivers({
      clock: options.clock,
      signal,
      step: (key, failureCount) => this.#step(key, failureCount),
      onProblem: (message) => this.#emit({ type: "problem", message }),
    });
    this.#keepAlive = new KeepAliveDesk(context, (lease, amountSat) => {
      const id = newId("k", context);
      planPayment(lease, context, {
        id,
        purpose: "keepalive",
        amountSat,
        terms: this.#terms(lease),
      });
      this.#nudge("payment", id);
    });
    this.#rent = new RentDesk(context, this.#watchers, this.#progress);
    this.#off = options.line.onUnasked?.((message) => this.#onUnasked(message)) ?? (() => {});
  }

  /** Takes up what the book has open. */
  static open(options: LesseeOptions): Lessee {
    const lessee = new Lessee(options);
    lessee.#prune();
    for (const payment of options.book.payments.open()) lessee.#nudge("payment", payment.id);
    for (const refund of options.book.refunds.open()) lessee.#nudge("refund", refund.id);
    for (const lease of options.book.leases.open()) lessee.#nudge("lease", lease.id);
    return lessee;
  }

  /** What a lease would cost with the best provider. Nothing is begun. @throws {SeedmintError} */
  async quote(wish: LeaseWish, options: { readonly signal: AbortSignal }): Promise<Quote> {
    return await this.#rent.quote(wish, options.signal);
  }

  /** What a lease would cost with each provider that fits, the best first. @throws {SeedmintError} */
  async quotes(
    wish: LeaseWish,
    options: { readonly signal: AbortSignal; readonly countMax?: number },
  ): Promise<readonly Quote[]> {
    return await this.#rent.quotes(wish, options);
  }

  /**
   * Rents. Resolves once the lease is live.
   *
   * @throws {SeedmintError} `payment-required` if the purse declined, `timeout` if the provider does not
   * answer, `denied`, `busy`, `unavailable`, … if it refused. The message says where the money is, and
   * `cause.error` is the provider's own word.
   */
  async spawn(wish: SpawnWish, options: WishOptions): Promise<BookedLease> {
    return await this.#rent.spawn(wish, options);
  }

  /** Pays for more time. @throws {SeedmintError} As {@link spawn}. */
  async topUp(name: string, wish: TopUpWish, options: WishOptions): Promise<ToppedUp> {
    checkWishId(wish.id);
    const lease = this.lease(name);
    const context = this.#context;
    const id = wish.id ?? newId("t", context);
    const known = context.book.payments.get(id);
    if (known === undefined) {
      this.#assertLive(lease, "top up");
      const amountSat = topUpSat(wish, lease);
      planPayment(lease, context, {
        id,
        purpose: "topup",
        amountSat,
        terms: this.#terms(lease),
        ...tokenOf(wish),
      });
      options.onProgress?.({ step: "paying", lease, amountSat });
    } else if (known.lease !== lease.id) {
      throw new SeedmintError("conflict", `Cannot top up under id ${id}: it stands for another`);
    }
    this.#nudge("payment", id);
    const payment = await this.#watchers.until(() => {
      const payment = context.book.payments.get(id)!;
      return isPaymentOpen(payment) && payment.state !== "recovering" ? undefined : payment;
    }, { signal: options.signal });
    if (payment!.state !== "taken") {
      await this.#watchers.until(
        () => this.#isAtRest(id) ? true : undefined,
        { signal: options.signal, ms: LESSEE_LIMITS.listenMs },
      );
    }
    const after = context.book.leases.get(lease.id)!;
    const final = context.book.payments.get(id)!;
    if (final.state === "taken") {
      return { lease: after, payment: final, expiresMs: after.expiresMs ?? 0 };
    }
    throw failureOf(`top up lease ${lease.id} with ${lease.providerName}`, final, after, context);
  }

  /** Asks the provider how the lease is doing, and notes it. @throws {SeedmintError} */
  async status(name: string, options: { readonly signal: AbortSignal }): Promise<BookedLease> {
    const lease = this.lease(name);
    if (lease.stage !== "live" || lease.access === undefined) return lease;
    const answer = await look(lease, this.#context, options);
    const after = this.#context.book.leases.get(lease.id)!;
    if (answer.type === "error" && after.stage === "live") {
      throw refusal("look after", lease, answer);
    }
    return after;
  }

  /** What it printed last, control characters included. @throws {SeedmintError} */
  async logs(
    name: string,
    options: { readonly signal: AbortSignal; readonly lineCount?: number },
  ): Promise<LogsAnswer> {
    const lineCount = Math.min(options.lineCount ?? 200, WIRE_LIMITS.logLineCountMax);
    const lease = this.#withVerb(name, "logs");
    return await askInside(lease, this.#context, {
      type: "logs",
      lease: lease.access!.lease,
      lineCount,
    }, {
      ...options,
      timeoutMs: LESSEE_LIMITS.questionMs * 2,
    });
  }

  /** Runs a command inside; its output may hold control characters. @throws {SeedmintError} */
  async exec(
    name: string,
    command: readonly string[],
    options: { readonly signal: AbortSignal; readonly timeoutMs?: number },
  ): Promise<ExecAnswer> {
    const timeoutMs = Math.min(options.timeoutMs ?? WIRE_LIMITS.execMsMax, WIRE_LIMITS.execMsMax);
    checkCommand(command);
    const lease = this.#withVerb(name, "exec");
    const request = { type: "exec", lease: lease.access!.lease, command, timeoutMs } as const;
    return await askInside(lease, this.#context, request, {
      ...options,
      timeoutMs: timeoutMs + LESSEE_LIMITS.questionMs * 2,
    });
  }

  /** Starts its processes anew. @throws {SeedmintError} */
  async restart(name: string, options: { readonly signal: AbortSignal }): Promise<RestartAnswer> {
    const lease = this.#withVerb(name, "restart");
    return await askInside(lease, this.#context, { type: "restart", lease: lease.access!.lease }, {
      ...options,
      timeoutMs: LESSEE_LIMITS.restartMs,
    });
  }

  /**
   * Ends a lease and takes in what is paid back; one that was not asked for yet is given up.
   *
   * @throws {SeedmintError} `timeout` if the provider does not answer: it is asked until it does.
   */
  async stop(name: string, options: { readonly signal: AbortSignal }): Promise<Stopped> {
    const lease = this.lease(name);
    const { book, clock } = this.#context;
    if (lease.stage === "asking") this.#giveUp(lease);
    if (lease.stage === "live") {
      this.#withVerb(name, "stop");
      book.toLease(lease.id, { type: "stop" }, clock.nowMs());
      this.#changed(lease.id);
    }
    this.#nudge("lease", lease.id);
    const settled = await this.#watchers.until(
      () => this.#isSettled(lease.id) ? true : undefined,
      { signal: options.signal, ms: LESSEE_LIMITS.stopMs },
    );
    const after = book.leases.get(lease.id)!;
    if (settled === undefined && (after.stage === "stopping" || after.stage === "live")) {
      throw new SeedmintError(
        "timeout",
        `Cannot tell yet that lease ${lease.id} has ended: ${lease.providerName} does not answer. It is asked until it does, and what it pays back is taken in`,
        { retryable: true },
      );
    }
    const refunds = book.refunds.of(lease.id);
    return {
      lease: after,
      refundedSat: refundedSat(lease.id, this.#context),
      claimedSat: refunds.reduce((sum, one) => sum + one.claimedSat, 0),
      comingSat: refunds.filter(({ state }) => state === "received")
        .reduce((sum, one) => sum + one.claimedSat, 0),
    };
  }

  /** Keeps a lease alive from now on, or no more. @throws {SeedmintError} */
  keepAlive(name: string, keepAlive: KeepAlive | undefined): BookedLease {
    const lease = this.lease(name);
    const isFit = keepAlive === undefined ||
      (keepAlive.budgetSat > 0 && keepAlive.stepMs >= 1000 && keepAlive.leadMs >= 0);
    if (!isFit) {
      throw new SeedmintError(
        "usage",
        "Cannot keep a lease alive like that: a budget above 0 and steps of a second or more wanted",
      );
    }
    const after = this.#context.book.toLease(lease.id, {
      type: "keep",
      ...(keepAlive === undefined ? {} : { keepAlive }),
    }, this.#context.clock.nowMs());
    if (after === undefined) throw notLive(lease, "keep alive");
    this.#changed(lease.id);
    this.#nudge("lease", lease.id);
    return after;
  }

  /** Leases in the book, newest first; by default those that are not over. */
  leases(options: { readonly all?: boolean } = {}): readonly BookedLease[] {
    const leases = this.#context.book.leases.newest(LISTED_MAX);
    if (options.all === true) return leases;
    return leases.filter(({ stage }) => stage !== "ended" && stage !== "failed");
  }

  /**
   * The lease that is meant by its id, a unique beginning of it, its name with the provider, or its id
   * everywhere. Of several those that are not over go first.
   *
   * @throws {SeedmintError} `not-found`, or `usage` if several are meant.
   */
  lease(name: string): BookedLease {
    const exact = this.#context.book.leases.get(name);
    if (exact !== undefined) return exact;
    const all = this.leases({ all: true }).filter((lease) =>
      lease.access?.leaseId === name || lease.access?.lease === name ||
      (name.length >= 2 && lease.id.startsWith(name))
    );
    const open = all.filter(({ stage }) => stage !== "ended" && stage !== "failed");
    const meant = open.length > 0 ? open : all;
    if (meant.length === 1) return meant[0]!;
    const shown = name.slice(0, 80);
    if (meant.length === 0) {
      throw new SeedmintError("not-found", `Cannot find lease ${shown}; look at \`leases\``);
    }
    const ids = meant.map(({ id }) => id).join(", ");
    throw new SeedmintError("usage", `Lease ${shown} is ambiguous: ${ids}; name one of these`);
  }

  /** All about a lease. @throws {SeedmintError} As {@link lease}. */
  account(name: string): LeaseAccount {
    const lease = this.lease(name);
    const payments = this.#context.book.payments.of(lease.id);
    const refunds = this.#context.book.refunds.of(lease.id);
    const sum = (list: readonly { amountSat: number }[]) =>
      list.reduce((total, one) => total + one.amountSat, 0);
    const paid = payments.filter(({ state }) =>
      state === "taken" || state === "lost" || state === "refunded"
    );
    const coming = payments.filter(({ state }) => state === "recovering");
    const claimed = refunds.filter(({ state }) => state === "received");
    const overMs = (lease.expiresMs ?? Infinity) + LESSEE_LIMITS.questionMs;
    return {
      lease,
      payments,
      refunds,
      spentSat: sum(paid) - refundedSat(lease.id, this.#context),
      comingSat: sum(coming) + claimed.reduce((total, one) => total + one.claimedSat, 0),
      isOverdue: lease.stage === "live" && this.#context.clock.nowMs() > overMs,
    };
  }

  /**
   * Compares the book with what providers say, and takes up leases of ours that it lacks: of those we
   * had to do with, or of all that are on the market. All are asked until `signal` ends; what is not done
   * by then is told.
   */
  async sync(
    options: { readonly signal: AbortSignal; readonly isWide?: boolean },
  ): Promise<Synced> {
    return await sync(this.#context, {
      signal: options.signal,
      isWide: options.isWide ?? this.#context.book.providers().length === 0,
    });
  }

  /** Asks for the receipt of a lease, or offers ours for co-signing. @throws {SeedmintError} */
  async receipt(
    name: string,
    receipt: Readonly<Record<string, unknown>> | undefined,
    options: { readonly signal: AbortSignal },
  ): Promise<ReceiptAnswer | ErrorAnswer> {
    return await askReceipt(this.lease(name), receipt, this.#context, options.signal);
  }

  /** Calls `listener` for each event until the returned function is called. */
  onEvent(listener: (event: LesseeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DOMException("The lessee was stopped", "AbortError"));
    this.#cancelPrune();
    this.#off();
    await this.#drivers.close();
    this.#listeners.clear();
  }

  #prune(): void {
    const { book, clock } = this.#context;
    book.prune(clock.nowMs());
    this.#cancelPrune = clock.timer(BOOK_LIMITS.pruneMs, () => this.#prune());
  }

  async #step(key: string, failureCount: number): Promise<Step> {
    const [kind, id] = split(key);
    if (kind === "payment") return await stepPayment(id, this.#context);
    if (kind === "refund") return await stepRefund(id, this.#context);
    return await stepLease(id, this.#context, { keepAlive: this.#keepAlive, failureCount });
  }

  #nudge(kind: DriverKind, id: string): void {
    this.#drivers.nudge(`${kind}:${id}`);
  }

  #changed(id: string): void {
    const lease = this.#context.book.leases.get(id);
    if (lease !== undefined) this.#emit({ type: "lease", lease });
    this.#watchers.wake();
  }

  #emit(event: LesseeEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** What came late, or by itself. Its sender is proven; only leases with it are touched. */
  #onUnasked({ provider, answer, requestId }: UnaskedAnswer): void {
    if (this.#closing.signal.aborted) return;
    const { book } = this.#context;
    if (answer.type === "notice") {
      const lease = book.leases.of(provider).findLast((one) =>
        one.access?.lease === answer.lease && one.stage === "live"
      );
      if (lease === undefined) return;
      this.#emit({ type: "notice", lease, notice: answer });
      // A notice is a reason to ask, not to believe: old ones come again after a while away.
      if (answer.notice === "ended") void this.#lookQuietly(lease);
      return;
    }
    if (answer.type === "stop" && requestId?.endsWith(".stop") === true) {
      // It is in the line's keeping: asked again, it is there.
      return this.#nudge("lease", requestId.slice(0, -".stop".length));
    }
    const payment = requestId === undefined ? undefined : book.payments.get(requestId);
    const lease = payment && book.leases.get(payment.lease);
    if (payment === undefined || lease?.address.provider !== provider) return;
    settlePayment(payment, lease, answer, this.#context);
    this.#nudge("payment", payment.id);
    this.#watchers.wake();
  }

  async #lookQuietly(lease: BookedLease): Promise<void> {
    try {
      await look(lease, this.#context);
    } catch {
      // It is asked after again by itself.
    }
  }

  /** What is not sent yet need not be sent. @throws {SeedmintError} `busy` */
  #giveUp(lease: BookedLease): void {
    const payment = this.#context.book.payments.of(lease.id)[0];
    if (payment?.state !== "planned" && payment?.state !== "ready") {
      throw new SeedmintError(
        "busy",
        `Cannot stop lease ${lease.id} now: its provider was asked for it already; stop it once it is there`,
        { retryable: true },
      );
    }
    refuse(payment, lease, { error: "abandoned", message: "It was given up" }, this.#context);
    this.#nudge("payment", payment.id);
  }

  /** How a provider is paid: as its offer says now, if that is known, else as it said. */
  #terms(lease: BookedLease): PaymentTerms {
    const { market, purse } = this.#context;
    try {
      const { terms, mints } = market.find(lease.address.provider);
      if (terms === undefined) return lease.payment;
      return {
        mints,
        lockTo: terms.paymentKey,
        refundKey: purse.refundKey,
        ...(terms.locktimeMin === undefined ? {} : { locktimeMin: terms.locktimeMin }),
      };
    } catch {
      return lease.payment;
    }
  }

  #isAtRest(paymentId: string): boolean {
    const { book, clock } = this.#context;
    const payment = book.payments.get(paymentId)!;
    if (payment.state === "recovering") return (payment.nextMs ?? 0) > clock.nowMs();
    return book.refunds.get(refundIdOf(payment))?.state !== "received";
  }

  #isSettled(leaseId: string): boolean {
    const { book } = this.#context;
    const stage = book.leases.get(leaseId)?.stage;
    const isOver = stage === "ended" || stage === "failed";
    return isOver && !book.refunds.of(leaseId).some(({ state }) => state === "received");
  }

  #assertLive(lease: BookedLease, what: string): void {
    if (lease.stage !== "live") throw notLive(lease, what);
  }

  /** A live lease whose provider answers a verb of ours. @throws {SeedmintError} */
  #withVerb(name: string, verb: string): BookedLease {
    const lease = this.lease(name);
    this.#assertLive(lease, verb);
    if (lease.address.isOurs && lease.verbs.includes(verb)) return lease;
    throw new SeedmintError(
      "denied",
      `Cannot ${verb} lease ${lease.id}: ${lease.providerName} does not know how; ${
        verb === "stop" ? "it ends when its time is over" : "use ssh"
      }`,
    );
  }
}

function split(key: string): [string, string] {
  const index = key.indexOf(":");
  return [key.slice(0, index), key.slice(index + 1)];
}
