/**
 * The wallet: what `wallet_api.ts` promises, over SQLite and HTTP. What is open goes on in the
 * background for as long as the wallet is open.
 */
import { createHash } from "node:crypto";
import { SeedmintError } from "../src/core/errors.ts";
import type { Hash } from "../src/core/hash.ts";
import { restoreBackup, writeBackup } from "./backup/mod.ts";
import { inLanes } from "./lanes.ts";
import { Buyer } from "./buying/buyer.ts";
import type { BuyerOptions } from "./buying/buying_api.ts";
import { refundIdOf, type SellerCredit, sellerCredits } from "./buying/credits.ts";
import { claimLate } from "./operations/fund_late.ts";
import { beginFund } from "./operations/fund_plan.ts";
import type { Operation } from "./operations/operation.ts";
import { beginRestore, type RestorePlan } from "./operations/restore_plan.ts";
import { requestReclaim } from "./operations/reclaim_request.ts";
import { markDelivered, tokenOf } from "./operations/send_plan.ts";
import type { PaymentOffer } from "./payments/intake.ts";
import type { PaymentRefusal } from "./payments/outcome.ts";
import { type PaymentBack, takePaymentBack } from "./planner/payment_back.ts";
import { planPayment } from "./planner/plan_payment.ts";
import { planningOf } from "./planner/terms.ts";
import { type DeliveredBooks, deliveredTo, type PaidBooks, paidTo } from "./receipt_books.ts";
import { Seller } from "./selling/seller.ts";
import type { SellerOptions } from "./selling/selling_api.ts";
import { Till, type TillOptions } from "./till/till.ts";
import { payBegun, sendBegun, swapBegun, withdrawBegun } from "./wallet_preparing.ts";
import type {
  BalanceReport,
  HistoryEntry,
  MintView,
  OperationView,
  PaymentOutcome,
  PaymentPlan,
  PaymentRequest,
  WaitOptions,
  WalletApi,
} from "./wallet_api.ts";
import {
  assertCancellable,
  assertMayHold,
  assertNew,
  notPrepared,
  notReceived,
  preimageOf,
  wholeSat,
} from "./wallet_checks.ts";
import type { WalletOptions } from "./wallet_options.ts";
import { openParts, type WalletParts } from "./wallet_parts.ts";
import {
  balanceReport,
  historyEntry,
  operationView,
  type PaymentReceipt,
  planView,
  receiptOf,
  satNumber,
} from "./wallet_views.ts";

/** Lines of history when nobody says how many, and at most. */
const HISTORY_COUNT = 50;
const HISTORY_COUNT_MAX = 1_000;

/** What came of a payment that somebody made to us. */
export type PaymentTaken =
  | { readonly status: "taken"; readonly receipt: PaymentReceipt }
  | { readonly status: "conflict"; readonly reason: string }
  | PaymentRefusal;

/** {@link WalletApi}, for one process at a time. */
export class Wallet implements WalletApi, AsyncDisposable {
  readonly #parts: WalletParts;
  readonly #stack: AsyncDisposableStack;
  #seller: Seller | undefined;

  private constructor(parts: WalletParts, stack: AsyncDisposableStack) {
    this.#parts = parts;
    this.#stack = stack;
  }

  /**
   * Opens the wallet of a folder and goes on with what is open there.
   *
   * @throws {SyntaxError} For words that are no seed.
   * @throws {SeedmintError} `locked` if another process has it, `denied` if it is of another seed,
   * `storage`
   */
  static async open(options: WalletOptions): Promise<Wallet> {
    await using stack = new AsyncDisposableStack();
    const parts = openParts(options, stack);
    parts.housekeeper.start({ resumes: options.resumes ?? true });
    return new Wallet(parts, stack.move());
  }

  /** The key that payments to this node are locked to, 33 bytes in hex. */
  get paymentKey(): string {
    return this.#parts.engine.context.keys.payment.publicKey;
  }

  /** Stops what goes on in the background, wherever it is, and closes the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  balance(): Promise<BalanceReport> {
    return this.#now(() => balanceReport(this.#parts.store));
  }

  async mints(
    { probe = false, signal }: WaitOptions & { readonly probe?: boolean } = {},
  ): Promise<readonly MintView[]> {
    const { store, list } = this.#parts;
    return await Promise.all(store.mints().map((record) => list.view(record, { probe, signal })));
  }

  async addMint(
    request: Parameters<WalletApi["addMint"]>[0],
    { signal }: WaitOptions = {},
  ): Promise<MintView> {
    const view = await this.#parts.list.add(request, signal);
    this.#parts.sweeper.look();
    return view;
  }

  removeMint(request: { readonly url: string; readonly force?: boolean }): Promise<void> {
    return this.#now(() => this.#parts.list.remove(request.url, request.force ?? false));
  }

  async fund(
    request: { readonly mint?: string; readonly amountSat: number },
    options: WaitOptions = {},
  ): ReturnType<WalletApi["fund"]> {
    const { engine, list, store } = this.#parts;
    const amount = wholeSat(request.amountSat, "fund");
    const mint = request.mint === undefined ? list.homeOrFail() : list.urlOf(request.mint);
    assertMayHold(store.mint(mint));
    const begun = await beginFund(engine.context, { mint, amount });
    const operation = await engine.drive(begun.id, options);
    const [quote] = store.quotes(begun.id);
    if (quote === undefined) {
      this.#drop(operation);
      throw notPrepared(operation);
    }
    this.#wake();
    return {
      operation: operationView(operation),
      invoice: quote.request,
      expiresMs: quote.expiryMs ?? null,
    };
  }

  async receive(
    request: { readonly token: string },
    options: WaitOptions = {},
  ): ReturnType<WalletApi["receive"]> {
    const token = request.token.trim();
    const paymentId = createHash("sha256").update(token).digest("hex");
    assertNew(this.#parts.store.incoming("local", paymentId));
    return await this.#receive({ paymentId, token }, options);
  }

  credits(): Promise<readonly SellerCredit[]> {
    return this.#now(() => {
      for (const { peer } of this.#parts.store.sellerAccounts()) {
        this.#parts.buying.bookRefunds(peer);
      }
      return sellerCredits(this.#context);
    });
  }

  async takeRefund(
    { peerId, token }: { readonly peerId: string; readonly token: string },
    options: WaitOptions = {},
  ): ReturnType<WalletApi["takeRefund"]> {
    const { buying, store } = this.#parts;
    if (store.sellerAccount(peerId) === undefined) {
      throw new SeedmintError("denied", `Cannot take a refund of ${peerId}: it was never paid`);
    }
    try {
      return await this.#receive({ paymentId: refundIdOf(peerId, token), token }, options);
    } finally {
      // Taken in is paid back, though its mint may not have answered yet.
      buying.bookRefunds(peerId);
    }
  }

  async #receive(
    offer: { readonly paymentId: string; readonly token: string },
    options: WaitOptions,
  ): ReturnType<WalletApi["receive"]> {
    const { engine, intake } = this.#parts;
    const outcome = await intake.take({ ...offer, payer: "local", alone: true }, options);
    if (outcome.status === "refused") throw notReceived(outcome);
    if (outcome.status === "conflict") {
      throw new SeedmintError("denied", `Cannot receive the token: ${outcome.reason}`);
    }
    this.#wake();
    const operation = await engine.drive(outcome.payment.operationId!, options);
    if (operation.status === "failed") {
      const why = operation.reason ?? operation.state;
      throw new SeedmintError("denied", `Cannot receive the token: ${why}`);
    }
    const received = operation.status === "done" ? operation.amount - operation.fee : 0n;
    return { operation: operationView(operation), receivedSat: satNumber(received) };
  }

  /**
   * Takes a payment of a peer: at once if it can be checked without asking its mint, else as soon as it
   * is redeemed. The same payment may come again and gets the same receipt, or a newer one.
   */
  async takePayment(
    offer: Pick<PaymentOffer, "payer" | "paymentId" | "token"> & { readonly priceSat?: number },
    options: WaitOptions = {},
  ): Promise<PaymentTaken> {
    const { payer, paymentId, token, priceSat } = offer;
    const outcome = await this.#parts.intake.take({
      payer,
      paymentId,
      token,
      ...priceSat === undefined ? {} : { price: BigInt(priceSat) },
    }, options);
    this.#wake();
    return outcome.status === "taken"
      ? { status: "taken", receipt: receiptOf(outcome.payment) }
      : outcome;
  }

  /**
   * Sells bytes for this wallet. There is one seller: the options are those of the first call, and it
   * ends with the wallet.
   */
  seller(options: SellerOptions = {}): Seller {
    return this.#seller ??= this.#stack.use(
      new Seller(this.#parts, { channel: this.#parts.channels, ...options }),
    );
  }

  /** Takes single tokens for things of their own, and pays back. */
  till(options: TillOptions = {}): Till {
    return new Till(this.#parts, options);
  }

  /** What a peer was sold of `root` and paid for, for receipts; undefined when that is nothing. */
  deliveredTo(peerId: string, root: Hash): DeliveredBooks | undefined {
    const seller = this.#seller;
    if (seller === undefined) return undefined;
    const soldTo = (content?: Hash) => seller.soldTo(peerId, content);
    return deliveredTo(this.#parts.store, { peerId, soldTo }, root);
  }

  /** What a peer was paid, and for how much of `root`, for receipts; undefined when nothing was. */
  paidTo(peerId: string, root: Hash): PaidBooks | undefined {
    this.#parts.buying.write(); // what is only in memory
    return paidTo(this.#parts.store, peerId, root);
  }

  /** What became of a payment to us; undefined if it is not known. */
  paymentReceipt(payer: string, paymentId: string): PaymentReceipt | undefined {
    const payment = this.#parts.store.incoming(payer, paymentId);
    return payment && receiptOf(payment);
  }

  async prepareSend(
    request: Parameters<WalletApi["prepareSend"]>[0],
    options: WaitOptions = {},
  ): Promise<OperationView> {
    return await this.#prepare(await sendBegun(this.#parts, request), options);
  }

  async preparePay(
    request: Parameters<WalletApi["preparePay"]>[0],
    options: WaitOptions = {},
  ): Promise<OperationView> {
    return await this.#prepare(await payBegun(this.#parts, request), options);
  }

  async prepareWithdraw(
    request: Parameters<WalletApi["prepareWithdraw"]>[0],
    options: WaitOptions = {},
  ): Promise<OperationView> {
    return await this.#prepare(await withdrawBegun(this.#parts, request, options), options);
  }

  async prepareSwap(
    request: Parameters<WalletApi["prepareSwap"]>[0],
    options: WaitOptions = {},
  ): Promise<OperationView> {
    return await this.#prepare(await swapBegun(this.#parts, request), options);
  }

  async confirm(id: string, options: WaitOptions = {}): Promise<OperationView> {
    const operation = await this.#parts.engine.confirm(id, options);
    this.#wake();
    return operationView(operation);
  }

  cancel(id: string): Promise<OperationView> {
    return this.#now(() => {
      assertCancellable(this.#existing(id));
      return operationView(this.#parts.engine.cancel(id));
    });
  }

  operation(id: string): Promise<OperationView> {
    return this.#now(() => operationView(this.#existing(id)));
  }

  token(id: string): Promise<string> {
    return this.#now(() => {
      const token = tokenOf(this.#context, id);
      markDelivered(this.#context, id);
      return token;
    });
  }

  preimage(id: string): Promise<string> {
    return this.#now(() => preimageOf(this.#existing(id)));
  }

  async reclaim(id: string, options: WaitOptions = {}): Promise<OperationView> {
    requestReclaim(this.#context, id);
    return operationView(await this.#parts.engine.drive(id, options));
  }

  /** Whether {@link preparePayment} has set money aside for a payment, or paid it. */
  hasPayment(paymentId: string): boolean {
    return this.#parts.store.outgoing(paymentId) !== undefined;
  }

  /** Takes back what a payment of {@link preparePayment} still holds, by the payment's id. */
  async takePaymentBack(paymentId: string, options: WaitOptions = {}): Promise<PaymentBack> {
    return await takePaymentBack(this.#parts.engine, paymentId, options);
  }

  async wait(id: string, options: WaitOptions = {}): Promise<OperationView> {
    return operationView(await this.#parts.engine.wait(id, options));
  }

  async plan(
    request: { readonly acceptedMints: readonly string[]; readonly amountSat: number },
  ): Promise<PaymentPlan> {
    const { list } = this.#parts;
    const amount = wholeSat(request.amountSat, "plan a payment");
    const accepted = request.acceptedMints.map((url) => list.urlOf(url));
    const homeMint = list.home();
    const { holdings, terms } = await planningOf(this.#context, accepted, {
      ...homeMint === undefined ? {} : { homeMint },
    });
    return planView(planPayment(holdings, accepted, amount, terms));
  }

  async preparePayment(
    request: PaymentRequest,
    options: WaitOptions = {},
  ): Promise<PaymentOutcome> {
    const outcome = await this.#parts.payments.prepare(request, options);
    this.#wake();
    return outcome;
  }

  /** Buys bytes for fetches, within the budgets: structurally the swarm's payer. */
  buyer(options: BuyerOptions): Buyer {
    return new Buyer(this.#parts.buying, options);
  }

  history(
    request: { readonly limit?: number; readonly before?: string } = {},
  ): Promise<readonly HistoryEntry[]> {
    return this.#now(() => {
      const { store } = this.#parts;
      const limit = Math.min(Math.max(1, request.limit ?? HISTORY_COUNT), HISTORY_COUNT_MAX);
      const { before } = request;
      return store.operations({ limit, ...before === undefined ? {} : { before } })
        .map((operation) => historyEntry(operation, store.ledger({ operationId: operation.id })));
    });
  }

  pending(): Promise<readonly OperationView[]> {
    return this.#now(() =>
      this.#parts.store.operations({ status: ["open", "attention"] }).map(operationView)
    );
  }

  async resume(
    request: { readonly id?: string } = {},
    options: WaitOptions = {},
  ): Promise<readonly OperationView[]> {
    const { engine, housekeeper, store, sweeper } = this.#parts;
    if (request.id === undefined) {
      await housekeeper.recheck();
      sweeper.look({ asked: true });
      await sweeper.idle();
    }
    const ids = request.id === undefined
      ? store.operations({ status: ["open", "attention"] }).map((operation) => operation.id)
      : [(await claimLate(this.#context, request.id, options))?.id ?? request.id];
    if (request.id !== undefined) this.#wake();
    return await inLanes(ids, async (id) => operationView(await engine.resume(id, options)));
  }

  async backup(path: string): Promise<{ readonly path: string; readonly bytes: number }> {
    const { keys, clock, random } = this.#context;
    return await writeBackup({ store: this.#parts.store, path, keys, clock, random });
  }

  async restore(
    request: Parameters<WalletApi["restore"]>[0],
    options: WaitOptions = {},
  ): ReturnType<WalletApi["restore"]> {
    const { store, list, engine } = this.#parts;
    const { keys, random } = this.#context;
    const { path, replace = false } = request;
    if (replace && path === undefined) {
      throw new SeedmintError("usage", "Cannot replace the wallet: no backup file is named");
    }
    // Whoever drives an operation meanwhile finds it moved or gone: each commit has seen the last one.
    const taken = path === undefined
      ? undefined
      : await restoreBackup({ store, path, keys, random, replace });
    const urls = request.mints?.map((url) => list.urlOf(url)) ??
      store.mints().map((record) => record.url);
    const operations = await inLanes(urls, async (mint) => {
      const begun = await beginRestore(this.#context, { mint });
      return await engine.drive(begun.id, options);
    });
    this.#wake();
    const found = operations.reduce((sum, one) => sum + (one.plan as RestorePlan).foundSat, 0);
    const { replacedPath } = taken ?? {};
    return {
      operations: operations.map(operationView),
      foundSat: found,
      ...replacedPath === undefined ? {} : { replacedPath },
    };
  }

  audit(): Promise<readonly string[]> {
    return this.#now(() => this.#parts.store.audit());
  }

  get #context() {
    return this.#parts.engine.context;
  }

  /** Drives a new operation until it waits for the user's word; what does not get there is dropped. */
  async #prepare(begun: Operation, options: WaitOptions): Promise<OperationView> {
    let operation: Operation = begun;
    try {
      operation = await this.#parts.engine.drive(begun.id, options);
    } finally {
      if (operation.state !== "prepared") this.#drop(operation);
    }
    if (operation.state !== "prepared") throw notPrepared(operation);
    this.#wake();
    return operationView(operation);
  }

  #drop(operation: Operation): void {
    if (this.#existing(operation.id).status !== "open") return;
    try {
      this.#parts.engine.cancel(operation.id);
    } catch (error) {
      // It was sent in the meantime and goes on to its end.
      if (!(error instanceof SeedmintError)) throw error;
    }
  }

  #existing(id: string): Operation {
    const operation = this.#parts.store.operation(id);
    if (operation !== undefined) return operation;
    throw new SeedmintError("not-found", `No operation ${id}: see "wallet history"`);
  }

  #wake(): void {
    this.#parts.resumer?.wake();
  }

  /** What needs no waiting, as a promise whose failure is a rejection. */
  async #now<T>(task: () => T): Promise<T> {
    return await Promise.resolve().then(task);
  }
}
