/**
 * A fake Lightning network in one object: nodes are names, invoices are real and signed, and what
 * becomes of a payment follows a script. For development and tests, never for money.
 */
import { createHash, createHmac } from "node:crypto";
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import { decodeInvoice, encodeInvoice, type Invoice } from "../../wallet/lightning/bolt11.ts";
import type {
  CreatedInvoice,
  InvoiceRequest,
  InvoiceState,
  InvoiceStatus,
  LightningClient,
  LightningOptions,
  PaymentRequest,
  PaymentStatus,
} from "./client.ts";
import { failure, type PaymentAnswer, PaymentEngine } from "./payment_engine.ts";
import { parseScript, type PaymentScript } from "./scripts.ts";
import { type InvoiceRow, LightningStore, type NodeBook, type PaymentRow } from "./store.ts";

/** Price of a payment between two nodes; a node pays itself for nothing. */
export interface RoutingFees {
  readonly baseMsat: bigint;
  /** Parts of the amount in a million, rounded up. */
  readonly ppm: bigint;
}

/** Where all millisatoshi are. `outMsat = inMsat + undeliveredMsat`, always. */
export interface LightningBooks {
  readonly nodes: readonly NodeBook[];
  readonly inMsat: bigint;
  /** Without fees. */
  readonly outMsat: bigint;
  readonly feesMsat: bigint;
  /** Paid by payers, to payees that have not learned of it. */
  readonly undeliveredMsat: bigint;
  readonly isBalanced: boolean;
}

/** A payment as tests and people look at it. */
export interface PaymentEntry extends PaymentStatus {
  readonly from: string;
  readonly payee: string;
  /** How often `pay` started it. */
  readonly attemptCount: number;
  /** Whether the payee knows. */
  readonly isDelivered: boolean;
}

/** Options of {@link FakeLightning.open}. */
export interface FakeLightningOptions {
  /** Database; in memory when left out. */
  readonly path?: string;
  readonly clock: Clock;
  readonly random: Random;
  /** What routing costs from now on. @default As before, or 1 sat and 0.1 percent. */
  readonly fees?: RoutingFees;
  /** Takes `partMsat`, so that mints offer NUT-15. @default {false} */
  readonly paysParts?: boolean;
}

/** Most that one invoice may ask: what a number in JSON holds. */
const AMOUNT_MSAT_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** Longest wait for a change, and for an answer that never comes. */
const WAIT_MS_MAX = 60_000;

/** The whole network. */
export class FakeLightning implements LightningClient, Disposable {
  /** It takes `partMsat`. */
  readonly paysParts: boolean;
  readonly #store: LightningStore;
  readonly #engine: PaymentEngine;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #seed: string;
  readonly #waiting = new Set<() => void>();
  #fees: RoutingFees;
  #isOffline = false;
  #isClosed = false;

  private constructor(store: LightningStore, options: FakeLightningOptions) {
    this.#store = store;
    this.#engine = new PaymentEngine(store, options.clock, () => this.#wake());
    this.paysParts = options.paysParts ?? false;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#seed = store.setting("seed") ?? options.random.bytes(32).toHex();
    store.setSetting("seed", this.#seed);
    const [baseMsat, ppm] = (store.setting("fees") ?? "1000 1000").split(" ").map(BigInt);
    this.#fees = { baseMsat: baseMsat!, ppm: ppm! };
    if (options.fees !== undefined) this.setFees(options.fees);
    this.#engine.sweep();
  }

  /** Opens the network where it was left. */
  static open(options: FakeLightningOptions): FakeLightning {
    return new FakeLightning(new LightningStore(options.path ?? ":memory:"), options);
  }

  createInvoice(
    request: InvoiceRequest,
    options: LightningOptions = {},
  ): Promise<CreatedInvoice> {
    return this.#answer(options, () => this.#createInvoice(request));
  }

  async invoice(
    paymentHash: string,
    options: LightningOptions & { readonly waitMs?: number; readonly unless?: InvoiceState } = {},
  ): Promise<InvoiceStatus> {
    const deadlineMs = this.#clock.monotonicMs() + Math.min(options.waitMs ?? 0, WAIT_MS_MAX);
    for (;;) {
      const status = await this.#answer(options, () => this.#invoiceStatus(paymentHash));
      const leftMs = deadlineMs - this.#clock.monotonicMs();
      if (status.state !== (options.unless ?? "open") || leftMs <= 0) return status;
      await this.#nextChange(leftMs, options.signal);
    }
  }

  async pay(request: PaymentRequest, options: LightningOptions = {}): Promise<PaymentStatus> {
    const { status, answer } = await this.#answer(options, () => this.#pay(request));
    if (answer === "none") await this.#neverAnswer(options.signal);
    if (answer !== "failure") return status;
    const { paymentHash, amountMsat } = status;
    return { paymentHash, amountMsat, state: "failed", feeMsat: 0n, reason: "no route found" };
  }

  payment(
    paymentHash: string,
    from: string,
    options: LightningOptions = {},
  ): Promise<PaymentStatus | undefined> {
    return this.#answer(options, () => {
      const row = this.#store.payment(paymentHash, from);
      return row && this.#engine.statusOf(row);
    });
  }

  estimateFeeMsat(
    bolt11: string,
    from: string,
    options: LightningOptions & { readonly amountMsat?: bigint } = {},
  ): Promise<bigint> {
    return this.#answer(options, () => {
      const read = readInvoice(bolt11);
      const payee = this.#store.invoice(read.paymentHash)?.payee;
      return this.#feeMsat(from, payee, amountOf(read, options.amountMsat));
    });
  }

  /**
   * Orders what becomes of the next payments that match. Older orders come first.
   *
   * @throws {TypeError} If it makes no sense.
   */
  script(script: PaymentScript): void {
    this.#store.addScript(parseScript(script));
  }

  /** Forgets all orders; payments go through again. */
  clearScripts(): void {
    this.#store.clearScripts();
  }

  /**
   * Lets a pending payment succeed, and the payee learn of one that it does not know of.
   *
   * @returns How many payments changed.
   */
  settle(paymentHash: string, from?: string): number {
    return this.#change(paymentHash, from, (row) => this.#engine.settle(row));
  }

  /**
   * Lets a pending payment fail. If there is none and the invoice is not paid, it is cancelled:
   * nobody can pay it any more.
   *
   * @returns How many payments changed.
   */
  fail(paymentHash: string, from?: string): number {
    const count = this.#change(paymentHash, from, (row) => this.#engine.fail(row));
    const isPaid = this.#store.paymentsOf(paymentHash).some((row) => row.state === "succeeded");
    if (count > 0 || isPaid) return count;
    this.#store.cancelInvoice(paymentHash);
    this.#wake();
    return 0;
  }

  /** Fixes what routing costs from now on, also after a restart. */
  setFees(fees: RoutingFees): void {
    this.#fees = fees;
    this.#store.setSetting("fees", `${fees.baseMsat} ${fees.ppm}`);
  }

  /** While offline every call of nodes fails as if the service were down; time goes on. */
  offline(isOffline: boolean): void {
    this.#isOffline = isOffline;
    this.#wake();
  }

  /** Where all millisatoshi are. */
  books(): LightningBooks {
    this.#engine.sweep();
    const nodes = this.#store.nodeBooks();
    const inMsat = nodes.reduce((sum, node) => sum + node.inMsat, 0n);
    const outMsat = nodes.reduce((sum, node) => sum + node.outMsat, 0n);
    const feesMsat = nodes.reduce((sum, node) => sum + node.feesMsat, 0n);
    const undeliveredMsat = this.#store.undeliveredMsat();
    const isBalanced = outMsat === inMsat + undeliveredMsat;
    return { nodes, inMsat, outMsat, feesMsat, undeliveredMsat, isBalanced };
  }

  /** All payments, the last attempt of each. */
  payments(): PaymentEntry[] {
    this.#engine.sweep();
    return this.#store.payments().map((row) => {
      const invoice = this.#store.invoice(row.hash)!;
      return {
        ...this.#engine.statusOf(row),
        from: row.payer,
        payee: invoice.payee,
        attemptCount: row.attemptCount,
        isDelivered: row.state === "succeeded" && invoice.paidMsat !== undefined,
      };
    });
  }

  /** Who waits for an answer gets `unavailable`. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#engine.close();
    this.#wake();
    this.#store[Symbol.dispose]();
  }

  #createInvoice(request: InvoiceRequest): CreatedInvoice {
    const { payee, amountMsat, memo, descriptionHash, expiryS = 3600 } = request;
    checkName(payee);
    if (amountMsat !== undefined) checkAmount(amountMsat);
    const preimage = this.#random.bytes(32);
    const paymentHash = createHash("sha256").update(preimage).digest("hex");
    const timestampS = Math.floor(this.#clock.nowMs() / 1000);
    const expiresMs = (timestampS + expiryS) * 1000;
    const bolt11 = orUsage(() =>
      encodeInvoice({
        ...{ network: "regtest", paymentHash, timestampS, expiryS },
        paymentSecret: this.#random.bytes(32).toHex(),
        ...(amountMsat === undefined ? {} : { amountMsat }),
        ...(descriptionHash === undefined ? { description: memo ?? "" } : { descriptionHash }),
      }, createHmac("sha256", this.#seed).update(payee).digest())
    );
    const row = { hash: paymentHash, bolt11, payee, amountMsat, expiresMs };
    this.#store.addInvoice({ ...row, preimage: preimage.toHex() });
    return { bolt11, paymentHash, expiresAtMs: expiresMs };
  }

  #pay(request: PaymentRequest): PaymentAnswer {
    checkName(request.from);
    const read = readInvoice(request.bolt11);
    const wholeMsat = amountOf(read, request.amountMsat);
    const amountMsat = request.partMsat ?? wholeMsat;
    const isPart = amountMsat !== wholeMsat;
    if (isPart && (!this.paysParts || amountMsat < 1n || amountMsat > wholeMsat)) {
      throw usage(`cannot pay a part of ${amountMsat} msat of this invoice`);
    }
    const invoice = this.#store.invoice(read.paymentHash);
    // An invoice with the same hash and another amount or key is somebody's trick.
    if (invoice === undefined || readInvoice(invoice.bolt11).payee !== read.payee) {
      const unknown = { invoice: { hash: read.paymentHash } as InvoiceRow, amountMsat };
      return { status: failure(unknown, "no route found"), answer: "truth" };
    }
    const feeMsat = this.#feeMsat(request.from, invoice.payee, amountMsat);
    const { from, maxFeeMsat } = request;
    return this.#engine.pay({ invoice, from, amountMsat, feeMsat, maxFeeMsat, isPart });
  }

  #invoiceStatus(paymentHash: string): InvoiceStatus {
    const row = this.#store.invoice(paymentHash);
    if (row === undefined) {
      throw new SeedmintError("not-found", "The Lightning service made no such invoice");
    }
    const isPaid = row.paidMsat !== undefined;
    return {
      bolt11: row.bolt11,
      paymentHash,
      payee: row.payee,
      state: this.#stateOf(row),
      paidMsat: row.paidMsat ?? 0n,
      ...(isPaid ? { preimage: row.preimage } : {}),
    };
  }

  #stateOf(row: InvoiceRow): InvoiceState {
    if (row.paidMsat !== undefined) return "paid";
    const isHeld = this.#store.paymentsOf(row.hash)
      .some(({ state, dueMs }) => state === "pending" && dueMs === undefined);
    if (isHeld) return "held";
    if (row.isCancelled) return "failed";
    return row.expiresMs <= this.#clock.nowMs() ? "expired" : "open";
  }

  #feeMsat(from: string, payee: string | undefined, amountMsat: bigint): bigint {
    if (from === payee) return 0n;
    const { baseMsat, ppm } = this.#fees;
    return baseMsat + (amountMsat * ppm + 999_999n) / 1_000_000n;
  }

  #change(
    paymentHash: string,
    from: string | undefined,
    change: (row: PaymentRow) => boolean,
  ): number {
    this.#engine.sweep();
    const count = this.#store.transaction(() =>
      this.#store.paymentsOf(paymentHash)
        .filter((row) => from === undefined || row.payer === from)
        .filter(change).length
    );
    this.#engine.sweep();
    if (count > 0) this.#wake();
    return count;
  }

  /** Answers a node's call. */
  #answer<T>({ signal }: LightningOptions, action: () => T): Promise<T> {
    return Promise.try(() => {
      signal?.throwIfAborted();
      if (this.#isClosed || this.#isOffline) throw down("is down; try again later");
      this.#engine.sweep();
      return action();
    });
  }

  async #neverAnswer(signal: AbortSignal | undefined): Promise<never> {
    const deadlineMs = this.#clock.monotonicMs() + WAIT_MS_MAX;
    while (!this.#isClosed && !this.#isOffline) {
      const leftMs = deadlineMs - this.#clock.monotonicMs();
      if (leftMs <= 0) break;
      await this.#nextChange(leftMs, signal);
    }
    throw down("did not answer in time");
  }

  /** Waits for a change of anything, at most `ms`. */
  #nextChange(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const end = () => {
        cancel();
        this.#waiting.delete(end);
        signal?.removeEventListener("abort", end);
        if (signal?.aborted) reject(signal.reason);
        else resolve();
      };
      const cancel = this.#clock.timer(ms, end);
      this.#waiting.add(end);
      signal?.addEventListener("abort", end, { once: true });
    });
  }

  #wake(): void {
    for (const end of [...this.#waiting]) end();
  }
}

function readInvoice(bolt11: string): Invoice {
  return orUsage(() => decodeInvoice(bolt11));
}

function amountOf(invoice: Invoice, amountMsat: bigint | undefined): bigint {
  const amount = invoice.amountMsat ?? amountMsat;
  if (amount === undefined) {
    throw usage("this invoice leaves the amount to the payer: say how much");
  }
  checkAmount(amount);
  return amount;
}

function checkAmount(amountMsat: bigint): void {
  if (amountMsat >= 1n && amountMsat <= AMOUNT_MSAT_MAX) return;
  throw usage(`${amountMsat} msat are not an amount that can be paid`);
}

function checkName(name: string): void {
  if (typeof name === "string" && /^[\w.@:-]{1,100}$/.test(name)) return;
  throw usage("the name of a node has 1 to 100 letters, digits, and . _ @ : -");
}

function orUsage<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw usage(messageOf(error));
  }
}

function down(what: string): SeedmintError {
  return new SeedmintError("unavailable", `The Lightning service ${what}`, { retryable: true });
}

function usage(why: string): SeedmintError {
  return new SeedmintError("usage", `The Lightning service refuses: ${why}`);
}
