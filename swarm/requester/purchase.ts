/**
 * Buying from one peer: one session for all its requests, data paths and streams (`sessions.ts`).
 *
 * What is due first goes with a want; what falls due later goes over a line of its own. At any time
 * at most one payment is on its way: whoever pays has the turn until it is answered, so nothing is
 * sent twice at once, and what was never answered is given again by the session, with its id.
 */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { DuePayment, PaymentTerms, PaySession } from "../ports.ts";
import type { Denied, Granted, Pending } from "../protocol/mod.ts";
import type { Cancellation } from "./cancellation.ts";
import { Dryness } from "./dryness.ts";
import { unpaid, UnpaidError } from "./failure.ts";
import {
  CLOSING_MS,
  CREDIT_FLOW_MS,
  CREDIT_WAIT_MS,
  PAID_BATCH_PART,
  SAVED_PART,
  TROUBLE_PAUSE_MS,
} from "./limits.ts";
import type { PaymentLine } from "./payment_line.ts";
import { type PaySettings, Sessions } from "./sessions.ts";
import { sameTerms, takesPaymentsOf, topUpBytes } from "./terms.ts";
import { type Charge, type Open, PriceRaised, Ticket } from "./ticket.ts";
import { type Asked, payDue, type Settled } from "./top_ups.ts";
import { Turns } from "./turns.ts";

/** Options of {@link Purchase}. */
export interface PurchaseOptions {
  readonly settings: PaySettings;
  readonly peerId: string;
  /** Terms that may be paid ahead. */
  readonly advertised: PaymentTerms | undefined;
  /** Makes what verified last before more is paid. */
  readonly beforePaying?: () => void;
  readonly line: PaymentLine;
  readonly clock: Pick<Clock, "sleep" | "timer" | "monotonicMs">;
}

/** Refusals of a payment that say that nothing of it was kept; others leave that open. */
const FINAL_REFUSALS: ReadonlySet<string> = new Set([
  "malformed",
  "mint",
  "unit",
  "locked",
  "worthless",
  "spent",
  "own",
  "conflict",
  "price",
]);

/** See the head of this file. */
export class Purchase implements AsyncDisposable {
  readonly #options: PurchaseOptions;
  readonly #turns = new Turns();
  /** Aborted when nothing more is to be paid. */
  readonly #enough = new AbortController();
  /** Aborted when what is on its way is given up, too. */
  readonly #over = new AbortController();
  readonly #paying = new Set<Promise<void>>();
  readonly #sessions: Sessions;
  readonly #dryness: Dryness;
  /** Whether a want may go without a payment: the first was taken, or none is to be had. */
  #isSettled = false;
  /** Whether anything was granted for money: before, what is due waits for a want to go with. */
  #isServed = false;
  #isToppingUp = false;
  /** Whether something fell due that nobody looked at. */
  #isDue = false;
  #trouble: string | undefined;
  #stopPause: (() => void) | undefined;
  #creditedCount = 0;
  /** When something last verified or was credited, on the monotonic clock. */
  #flowedMs = -Infinity;
  #change = Promise.withResolvers<boolean>();
  #verifiedBytes = 0;
  /** Of them, what was made last. */
  #savedBytes = 0;

  constructor(options: PurchaseOptions) {
    this.#options = options;
    this.#dryness = new Dryness({ ...options, failure: (reason) => this.failure(reason) });
    this.#sessions = new Sessions({
      ...options,
      beforePaying: options.beforePaying,
      turns: this.#turns,
      signal: this.#enough.signal,
      onReplace: () => {
        this.#isSettled = false;
      },
      onDue: () => this.#fellDue(),
    });
  }

  /** Payments that the seller credited, those told twice counted twice. */
  get creditedCount(): number {
    return this.#creditedCount;
  }

  /** Opens a session on the advertised terms, so that it is there when the peer is reached. */
  begin(): void {
    this.#sessions.begin();
  }

  /**
   * What to send with a want. `demanded`: the ticket of the want before, when the seller answered it
   * by asking for money although a session is open.
   *
   * @throws {SeedmintError} `payment-required` if money is demanded and not to be had.
   */
  async ticket(cancel: Cancellation, demanded: Ticket | undefined): Promise<Ticket> {
    let isWaited = false;
    while (true) {
      await this.#sessions.ready(cancel);
      const open = this.#sessions.open;
      const creditedCount = this.#creditedCount;
      const isEnough = this.#isSettled && demanded === undefined;
      if (open === undefined || isEnough || isWaited) return new Ticket({ open, creditedCount });
      const turn = await this.#turns.take((before) => cancel.wait(before));
      if (open !== this.#sessions.open || (this.#isSettled && demanded === undefined)) {
        turn[Symbol.dispose]();
        continue;
      }
      const due = await this.#next(open, { turn, cancel });
      if (due.due === "pay") {
        return new Ticket({ open, creditedCount, paid: { payment: due.payment, turn } });
      }
      turn[Symbol.dispose]();
      this.#isSettled = true;
      if (due.due === "declined") {
        this.#trouble = due.reason;
        this.#dryness.declined(due.reason);
        if (demanded !== undefined) throw unpaid(due.reason, open.terms.priceMsatPerMiB);
      }
      // Bytes that the seller has counted are on their way to other requests, or credit came since.
      const isCredited = this.#creditedCount > (demanded?.creditedCount ?? -1);
      if (!isCredited && !this.#isFlowing) {
        throw this.failure("it asks for more before it delivered what was paid for");
      }
      isWaited = isCredited || !await this.#waitForDue(cancel);
    }
  }

  /** Asks the session, which gives what nobody waits for again to whoever asks next. */
  async #next(
    open: Open,
    { turn, cancel }: { readonly turn: Disposable; readonly cancel: Cancellation },
  ): Promise<DuePayment> {
    const next = open.session.next({ signal: this.#over.signal });
    try {
      return await cancel.wait(next);
    } catch (error) {
      void next.finally(() => turn[Symbol.dispose]());
      throw error;
    }
  }

  /**
   * Takes note of a grant. Undefined when it costs nothing.
   *
   * @throws {SeedmintError} `payment-required` when it costs more than was agreed.
   */
  granted(ticket: Ticket, granted: Granted): Charge | undefined {
    const { open, payment } = ticket;
    const { creditMsat, channelSat } = granted;
    if (channelSat !== undefined) open?.session.takesChannels?.(channelSat);
    if (open !== undefined && creditMsat !== undefined) {
      if (payment === undefined) open.session.told(creditMsat);
      else {
        open.session.answered(payment.id, { answer: "credited", creditMsat });
        this.#credited();
      }
      this.#dryness.told(creditMsat);
    }
    const price = granted.priceMsatPerMiB ?? 0;
    if (price === 0) {
      this.#settled({ isSettled: true });
      return undefined;
    }
    if (open === undefined) throw new PriceRaised(price, 0);
    const { terms } = open;
    if (price > terms.priceMsatPerMiB) throw new PriceRaised(price, terms.priceMsatPerMiB);
    this.#isServed = true;
    if (open === this.#sessions.open) this.#settled({ isSettled: true });
    return {
      verified: (bytes) => this.#verified(bytes, price),
      told: (left) => {
        this.#dryness.told(left);
        this.#sessions.open?.session.told(left);
      },
      received: (bytes) => this.#dryness.received(bytes, price),
      watch: (cancel) => this.#dryness.watch(cancel),
      batchBytesMax: Math.ceil(topUpBytes(terms) / PAID_BATCH_PART),
    };
  }

  /**
   * The seller answered with terms. Resolves once there is a session on them.
   *
   * @returns Whether it demands money for a session that is open on these very terms.
   * @throws {SeedmintError} `payment-required` if the payer does not agree.
   */
  async required(ticket: Ticket, terms: PaymentTerms, cancel: Cancellation): Promise<boolean> {
    const { open, payment } = ticket;
    const isAgreed = open !== undefined && sameTerms(open.terms, terms);
    if (payment !== undefined && !isAgreed && !takesPaymentsOf(terms, open!.terms)) {
      open!.session.answered(payment.id, { answer: "refused", code: "price" });
    }
    // It may have been taken and used up by others at once: it is asked what became of it.
    if (payment !== undefined && isAgreed) this.#settleLater(ticket, { retryMs: 0 });
    ticket[Symbol.dispose]();
    if (isAgreed && open === this.#sessions.open) {
      open.session.told(0);
      return true;
    }
    await this.#sessions.agree(terms, cancel);
    return false;
  }

  /** As {@link required}, of a grant that names no more than its price. */
  async repriced(priceMsatPerMiB: number, cancel: Cancellation): Promise<void> {
    await this.#sessions.ready(cancel);
    const terms = this.#sessions.open?.terms;
    if (terms === undefined) {
      throw unpaid("it grants at a price without saying its terms", priceMsatPerMiB);
    }
    await this.#sessions.agree({ ...terms, priceMsatPerMiB }, cancel);
  }

  /** The seller looks at the payment: it is asked what became of it before anything else is paid. */
  pending(ticket: Ticket, answer: Pending): void {
    const { open, payment } = ticket;
    if (open === undefined || payment?.id.toHex() !== answer.paymentId.toHex()) {
      throw new SeedmintError("protocol", "it answered a payment that it was not sent");
    }
    const { retryMs } = answer;
    open.session.answered(payment.id, { answer: "pending", retryMs });
    this.#settleLater(ticket, { pendingId: payment.id.toHex(), retryMs });
  }

  /** Whether `answer` was about the payment, so that asking again may help. */
  denied(ticket: Ticket, answer: Denied): boolean {
    const { open, payment } = ticket;
    const { code, retryMs } = answer;
    if (open === undefined || payment === undefined) return false;
    if (retryMs === undefined && !FINAL_REFUSALS.has(code)) return false;
    open.session.answered(payment.id, {
      answer: "refused",
      code,
      ...(retryMs === undefined ? {} : { retryMs }),
    });
    this.#trouble = `it refused a payment (${code})`;
    if (code === "busy") return false;
    if (retryMs !== undefined) this.#settleLater(ticket, { retryMs });
    return true;
  }

  /** `error` in words that say what is wrong with the money. */
  explained(error: unknown): unknown {
    if (!(error instanceof UnpaidError)) return error;
    if (this.#trouble !== undefined) return this.failure(this.#trouble);
    return new SeedmintError("reset", "a payment was not through in time", { retryable: true });
  }

  /** The error for a price that is not paid because of `why`, or of what is known already. */
  failure(why: string): SeedmintError {
    return unpaid(this.#trouble ?? why, this.#sessions.open?.terms.priceMsatPerMiB);
  }

  /**
   * Waits for the answer to a payment on its way, gets the receipt, and ends the session. Bounded, and
   * never throws.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, line } = this.#options;
    this.#sessions.silence();
    this.#stopPause?.();
    this.#dryness[Symbol.dispose]();
    this.#enough.abort();
    const late = Promise.withResolvers<void>();
    const stop = clock.timer(CLOSING_MS, () => {
      this.#over.abort();
      late.resolve();
    });
    await Promise.race([this.#close(), late.promise]);
    stop();
    line[Symbol.dispose]();
  }

  async #close(): Promise<void> {
    await this.#sessions.settled();
    await Promise.all(this.#paying);
    await this.#receipt();
    this.#over.abort();
    await this.#sessions.close();
  }

  async #receipt(): Promise<void> {
    const { settings: { receipts, subject: root }, peerId, line } = this.#options;
    if (receipts === undefined || this.#creditedCount === 0 || this.#verifiedBytes === 0) return;
    const subject = { peerId, root, bytes: this.#verifiedBytes };
    try {
      const request = await receipts.request(subject);
      if (request === undefined) return;
      await line.receipt(request, {
        signal: this.#over.signal,
        sign: (receipt) => receipts.countersign(subject, { request, receipt }),
      });
    } catch {
      // A receipt is a courtesy: what was bought is here without it.
    }
  }

  get #isFlowing(): boolean {
    return this.#options.clock.monotonicMs() - this.#flowedMs < CREDIT_FLOW_MS;
  }

  /** Waits a while for a payment to fall due. False when none did, or one was credited meanwhile. */
  async #waitForDue(cancel: Cancellation): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const stop = this.#options.clock.timer(CREDIT_WAIT_MS, () => resolve(false));
    try {
      return await cancel.wait(Promise.race([this.#change.promise, promise]));
    } finally {
      stop();
    }
  }

  #changed(isDue: boolean): void {
    this.#change.resolve(isDue);
    this.#change = Promise.withResolvers();
  }

  #verified(bytes: number, priceMsatPerMiB: number): void {
    this.#verifiedBytes += bytes;
    this.#flowedMs = this.#options.clock.monotonicMs();
    if (this.#sessions.open === undefined) return;
    const { session, terms } = this.#sessions.open;
    // The session counts at the price of its terms, and an answer under way may have another.
    const part = priceMsatPerMiB / terms.priceMsatPerMiB;
    session.verified(part === 1 ? bytes : Math.floor(bytes * part));
    this.#save(topUpBytes(terms) / SAVED_PART);
  }

  /** Makes what was bought last, when it is much: after a crash it would be bought again. */
  #save(bytesMax: number): void {
    if (this.#verifiedBytes - this.#savedBytes < bytesMax) return;
    this.#savedBytes = this.#verifiedBytes;
    try {
      this.#options.beforePaying?.();
    } catch {
      // Trouble with the disk shows where the bytes are stored, and before the next payment.
    }
  }

  #credited(): void {
    this.#creditedCount += 1;
    this.#flowedMs = this.#options.clock.monotonicMs();
    this.#trouble = undefined;
    this.#dryness.declined(undefined);
    this.#changed(false);
  }

  #settled(settled: Settled): void {
    this.#isSettled ||= settled.isSettled;
    if (settled.isSettled) this.#dryness.declined(settled.trouble);
    if (settled.trouble !== undefined) this.#pause(settled.trouble);
    else if (this.#isDue) this.#fellDue();
  }

  /** Hands the turn of a ticket on to who finds out what became of its payment. */
  #settleLater(ticket: Ticket, asked: Asked): void {
    const { session } = ticket.open!;
    this.#track(this.#pay(session, { turn: ticket.handOver(), asked }));
  }

  /** Called when a payment is due. The first goes with a want, and only what comes after it here. */
  #fellDue(): void {
    this.#isDue = true;
    this.#changed(true);
    const isHindered = this.#isToppingUp || this.#stopPause !== undefined;
    if (!this.#isServed || isHindered || this.#enough.signal.aborted) return;
    this.#isToppingUp = true;
    this.#track(this.#topUp());
  }

  async #topUp(): Promise<void> {
    const turn = await this.#turns.take();
    this.#isDue = false;
    const open = this.#sessions.open;
    if (open === undefined) turn[Symbol.dispose]();
    else await this.#pay(open.session, { turn });
    this.#isToppingUp = false;
    if (this.#isDue) this.#fellDue();
  }

  /** Tries nothing more for a moment: neither the wallet nor the seller is to be flooded. */
  #pause(trouble: string): void {
    this.#trouble = trouble;
    this.#stopPause?.();
    if (this.#enough.signal.aborted) return;
    this.#stopPause = this.#options.clock.timer(TROUBLE_PAUSE_MS, () => {
      this.#stopPause = undefined;
      if (this.#isDue) this.#fellDue();
    });
  }

  async #pay(
    session: PaySession,
    options: { readonly turn: Disposable; readonly asked?: Asked },
  ): Promise<void> {
    const { line, clock } = this.#options;
    const { turn, asked } = options;
    using _turn = turn;
    const settled = await payDue({
      session,
      line,
      clock,
      signal: this.#over.signal,
      enough: this.#enough.signal,
      onCredited: (creditMsat) => {
        this.#dryness.told(creditMsat);
        this.#credited();
      },
      ...(asked === undefined ? {} : { asked }),
    });
    this.#settled(settled);
  }

  #track(paying: Promise<void>): void {
    const tracked = paying.finally(() => this.#paying.delete(tracked));
    this.#paying.add(tracked);
  }
}
