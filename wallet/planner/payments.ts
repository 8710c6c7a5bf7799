/**
 * Preparing payments: from "this peer wants 64 sat of one of these mints" to a token, or to a reason
 * why not. A payment has an id; whatever is done for it is found by that id again, so that asking twice
 * gives the same token and a crash in between loses nothing:
 *
 *     reserved in the budgets ─▶ (swap into a mint that the payee takes ─▶) send ─▶ token
 */
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import { isPoint } from "../cashu.ts";
import { AMOUNT_SAT_MAX } from "../limits.ts";
import { mintUrlOf } from "../mint/mint_url.ts";
import type { Engine } from "../operations/engine.ts";
import type { Operation } from "../operations/operation.ts";
import { beginSend, markDelivered, type SendPlan, tokenProofs } from "../operations/send_plan.ts";
import { beginSwap } from "../operations/swap_plan.ts";
import { wasShort } from "../operations/transition.ts";
import { type Budgets, budgetTrouble } from "../payments/budgets.ts";
import { PAYMENT_NAME_CHARS_MAX, PREPARE_MS } from "../payments/limits.ts";
import type { OutgoingPayment } from "../store/wallet_store.ts";
import { encodeToken } from "../token.ts";
import { type MintUrl, WALLET_UNIT } from "../types.ts";
import type { PaymentOutcome, PaymentRequest } from "../wallet_api.ts";
import {
  arrivedSwap,
  hasToken,
  letGo,
  parentOf,
  pause,
  settlePayment,
  wasTried,
  workOf,
} from "./payment_work.ts";
import { moneyMoved } from "./coming_money.ts";
import {
  ACCEPTED_MAX,
  COMING_MONEY_MS,
  LOCK_MS_MAX,
  SUBJECT_CHARS_MAX,
  WAYS_MAX,
} from "./limits.ts";
import { type AffordablePlan, planPayment, rankPlans } from "./plan_payment.ts";
import { type LegCost, planningOf } from "./terms.ts";

/** A request, read. */
interface Wanted {
  readonly paymentId: string;
  readonly accepted: readonly MintUrl[];
  readonly amount: bigint;
  readonly subject: string;
  readonly payee: string;
  readonly feeMax: bigint;
  readonly costMax?: bigint;
  readonly isConfirmed: boolean;
  readonly lock?: { readonly publicKey: string; readonly locktimeS?: number };
}

/** Options of {@link Payments}. */
export interface PaymentsOptions {
  readonly budgets: Budgets;
  /** Breaks ties. */
  readonly homeMint: () => MintUrl | undefined;
  readonly allowPrivate?: boolean;
  /** @default {PREPARE_MS} */
  readonly deadlineMs?: number;
}

/** A way to pay, and the amounts behind its fees. */
type PricedPlan = AffordablePlan & { readonly cost: LegCost | undefined };

/** Says no, in words for the caller. */
class Declined extends Error {}

/** The payments that this wallet makes. */
export class Payments {
  readonly #engine: Engine;
  readonly #options: PaymentsOptions;
  readonly #underWay = new Map<
    string,
    { readonly wanted: Wanted; readonly task: Promise<PaymentOutcome> }
  >();

  readonly #kept = new Set<string>();

  constructor(engine: Engine, options: PaymentsOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /** A token for the payee, or why there is none. Never throws. */
  async prepare(
    request: PaymentRequest,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<PaymentOutcome> {
    try {
      const wanted = this.#read(request);
      const { paymentId } = wanted;
      // Whoever asks for the same payment at the same time gets the same answer.
      const other = this.#underWay.get(paymentId);
      if (other !== undefined) {
        assertSame(other.wanted, wanted);
        assertSameKey(other.wanted.lock, wanted);
        return await other.task;
      }
      const task = this.#withDeadline(wanted, signal).finally(() =>
        this.#underWay.delete(paymentId)
      );
      this.#underWay.set(paymentId, { wanted, task });
      return await task;
    } catch (error) {
      return { status: "declined", reason: reasonOf(error) };
    }
  }

  /** Whether a payment is being prepared at this moment. */
  isUnderWay(paymentId: string): boolean {
    return this.#underWay.has(paymentId) || this.#kept.has(paymentId);
  }

  /** Says that a payment is being prepared elsewhere, until what is returned is disposed. */
  keep(paymentId: string): Disposable {
    this.#kept.add(paymentId);
    return { [Symbol.dispose]: () => void this.#kept.delete(paymentId) };
  }

  async #withDeadline(wanted: Wanted, signal: AbortSignal | undefined): Promise<PaymentOutcome> {
    const { clock, store } = this.#engine.context;
    const deadline = new AbortController();
    const late = new Declined(
      "the mints did not answer in time; ask again with the same payment id",
    );
    const cancel = clock.timer(
      this.#options.deadlineMs ?? PREPARE_MS,
      () => deadline.abort(late),
    );
    const signals = signal === undefined ? [deadline.signal] : [deadline.signal, signal];
    try {
      return await this.#pay(wanted, AbortSignal.any(signals));
    } catch (error) {
      letGo(this.#engine, wanted.paymentId);
      const payment = settlePayment(store, wanted.paymentId);
      const help = payment?.state === "reserved"
        ? "; it goes on by itself, and the same payment id gets its token"
        : "";
      return { status: "declined", reason: reasonOf(error) + help };
    } finally {
      cancel();
    }
  }

  async #pay(wanted: Wanted, signal: AbortSignal): Promise<PaymentOutcome> {
    const { store } = this.#engine.context;
    const known = store.outgoing(wanted.paymentId);
    if (known === undefined) await this.#reserve(wanted, signal);
    else {
      assertSame(known, wanted);
      if (known.state === "returned") throw new Declined("this payment was taken back");
    }
    for (let way = 0; way <= 2 * WAYS_MAX; way++) {
      signal.throwIfAborted();
      const { send, swap } = workOf(store, wanted.paymentId);
      if (send !== undefined) {
        const token = await this.#tokenOf(send, wanted, signal);
        if (token !== undefined) return token;
      } else if (swap !== undefined) {
        await this.#afterSwap(swap, wanted, signal);
      } else {
        await this.#begin(wanted, signal);
      }
    }
    throw new Declined("every way to pay failed; see `wallet history`");
  }

  /** Plans, and sets the most that it may cost aside in the budgets. */
  async #reserve(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#engine.context;
    const plan = await this.#plan(wanted, signal);
    const costMax = plan.amount + plan.feeMax;
    const nowMs = clock.nowMs();
    store.transact((tx) => {
      const trouble = wanted.isConfirmed
        ? undefined
        : budgetTrouble(tx, { ...wanted, costMax }, { budgets: this.#options.budgets, nowMs });
      if (trouble !== undefined) throw new Declined(`${trouble}; confirm it to pay all the same`);
      tx.putOutgoing({
        paymentId: wanted.paymentId,
        subject: wanted.subject,
        payee: wanted.payee,
        amount: wanted.amount,
        cost: costMax,
        state: "reserved",
        createdMs: nowMs,
      });
    });
  }

  /** The best way to pay that was not tried; money that is about to be free is waited for, not long. */
  async #plan(wanted: Wanted, signal: AbortSignal): Promise<PricedPlan> {
    const { clock } = this.#engine.context;
    const untilMs = clock.monotonicMs() + COMING_MONEY_MS;
    for (;;) {
      const plan = await this.#planNow(wanted, signal);
      if (plan.kind !== "insufficient") return plan;
      if (!await moneyMoved(this.#engine, { untilMs, signal })) throw new Declined(plan.reason);
    }
  }

  /** @throws {Declined} When what could be tried was tried. */
  async #planNow(
    wanted: Wanted,
    signal: AbortSignal,
  ): Promise<PricedPlan | { readonly kind: "insufficient"; readonly reason: string }> {
    const { context } = this.#engine;
    const homeMint = this.#options.homeMint();
    const planning = await planningOf(context, wanted.accepted, {
      signal,
      ...homeMint === undefined ? {} : { homeMint },
    });
    const terms = {
      ...planning.terms,
      feeMax: wanted.feeMax,
      ...wanted.costMax === undefined ? {} : { costMax: wanted.costMax },
    };
    const work = workOf(context.store, wanted.paymentId);
    const plans = rankPlans(planning.holdings, wanted.accepted, wanted.amount, terms);
    const failedCount =
      work.all.filter((operation) => operation.status === "failed" && !wasShort(operation)).length;
    const next = plans.find((plan) => !wasTried(work, plan));
    if (next !== undefined && failedCount < WAYS_MAX) {
      return { ...next, cost: planning.costOf(next, wanted.amount) };
    }
    if (plans.length > 0) {
      throw new Declined(work.all[0]?.reason ?? "every way to pay was tried and failed");
    }
    const plan = planPayment(planning.holdings, wanted.accepted, wanted.amount, terms);
    return plan.kind === "insufficient" ? plan : { kind: "insufficient", reason: "no way to pay" };
  }

  /** Begins the best way to pay that was not tried: one operation, which its parent's name finds again. */
  async #begin(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const { context } = this.#engine;
    const plan = await this.#plan(wanted, signal);
    const reserved = context.store.outgoing(wanted.paymentId);
    if (reserved === undefined || plan.amount + plan.feeMax > reserved.cost) {
      throw new Declined("what is left to try costs more than what was set aside");
    }
    if (plan.kind === "direct") {
      await this.#beginSend(plan.mint, wanted, plan.feeMax);
      return;
    }
    const { cost } = plan;
    if (cost?.arriving === undefined || cost.swapFeeMax === undefined) {
      throw new Declined("the swap can no longer be afforded");
    }
    await beginSwap(context, {
      from: plan.from,
      to: plan.to,
      amount: cost.arriving,
      feeMax: cost.swapFeeMax,
      parent: parentOf(wanted.paymentId),
    });
  }

  async #beginSend(mint: MintUrl, wanted: Wanted, maxFee: bigint): Promise<void> {
    await beginSend(this.#engine.context, {
      mint,
      amount: wanted.amount,
      includeFees: true,
      maxFee,
      parent: parentOf(wanted.paymentId),
      ...wanted.lock === undefined ? {} : { lock: wanted.lock },
    });
  }

  async #afterSwap(swap: Operation, wanted: Wanted, signal: AbortSignal): Promise<void> {
    const ended = await arrivedSwap(this.#engine, swap.id, signal);
    if (ended.status === "attention") {
      throw new Declined(`the swap needs a person: ${ended.reason ?? ended.state}`);
    }
    if (ended.status === "failed") return;
    const { all } = workOf(this.#engine.context.store, wanted.paymentId);
    if (all.some((operation) => operation.kind === "send")) {
      throw new Declined("the token could not be made after the swap; the money is here, swapped");
    }
    const left = this.#reserveAgain(wanted) - wanted.amount - ended.fee;
    await this.#beginSend(swap.peerMint!, wanted, left > 0n ? left : 0n);
  }

  /**
   * What is set aside for a payment whose token is still to be made. The swap that has ended may have
   * been booked as all that the payment cost: then the rest is set aside anew.
   *
   * @throws {Declined} If that is above a budget by now.
   */
  #reserveAgain(wanted: Wanted): bigint {
    const { store, clock } = this.#engine.context;
    const nowMs = clock.nowMs();
    return store.transact((tx) => {
      const payment = tx.outgoing(wanted.paymentId)!;
      if (payment.state === "reserved") return payment.cost;
      const most = wanted.amount + wanted.feeMax;
      const cost = wanted.costMax === undefined || most < wanted.costMax ? most : wanted.costMax;
      const expense = { ...wanted, costMax: cost - payment.cost };
      const trouble = wanted.isConfirmed
        ? undefined
        : budgetTrouble(tx, expense, { budgets: this.#options.budgets, nowMs });
      if (trouble !== undefined) throw new Declined(`${trouble}; confirm it to pay all the same`);
      tx.putOutgoing({ ...payment, cost });
      return cost;
    });
  }

  /** The token, as soon as it exists; undefined when the send failed. */
  async #tokenOf(
    send: Operation,
    wanted: Wanted,
    signal: AbortSignal,
  ): Promise<PaymentOutcome | undefined> {
    const { context } = this.#engine;
    let operation = send;
    while (!hasToken(operation)) {
      operation = await this.#engine.drive(send.id, { signal });
      if (hasToken(operation)) break;
      if (operation.status === "failed") return undefined;
      if (operation.status !== "open") {
        throw new Declined(`the payment is ${operation.state}: ${operation.reason ?? "no token"}`);
      }
      await pause(context.clock, operation, signal);
    }
    const plan = operation.plan as SendPlan;
    assertSameKey(plan.lock, wanted);
    if (!wanted.accepted.includes(operation.mint)) {
      throw new Declined(`this payment id was used for a token of ${operation.mint}`);
    }
    if (plan.wantsReclaim && operation.state !== "claimed") {
      throw new Declined("this payment is being taken back");
    }
    const token = encodeToken({
      mint: operation.mint,
      unit: WALLET_UNIT,
      proofs: tokenProofs(context, operation as Operation<SendPlan>),
    });
    markDelivered(context, operation.id);
    const { paymentId } = wanted;
    const payment = settlePayment(context.store, paymentId);
    return { status: "ready", paymentId, token, costSat: Number(payment?.cost ?? wanted.amount) };
  }

  #read(request: PaymentRequest): Wanted {
    const { priceSat, budgetSat, maxFeeSat, lockTo, locktimeS } = request;
    const { random, clock } = this.#engine.context;
    const paymentId = request.paymentId ?? random.bytes(16).toHex();
    if (typeof paymentId !== "string" || !isName(paymentId, PAYMENT_NAME_CHARS_MAX)) {
      throw new Declined(`a payment id of 1 to ${PAYMENT_NAME_CHARS_MAX} characters is wanted`);
    }
    const { subject = "", payee = "" } = request;
    if (subject.length > SUBJECT_CHARS_MAX || payee.length > SUBJECT_CHARS_MAX) {
      throw new Declined(`names of at most ${SUBJECT_CHARS_MAX} characters are wanted`);
    }
    if (!Number.isSafeInteger(priceSat) || priceSat < 1 || BigInt(priceSat) > AMOUNT_SAT_MAX) {
      throw new Declined("a price of 1 sat or more is wanted");
    }
    if (lockTo !== undefined && !isPoint(lockTo)) {
      throw new Declined("the payee's key is no key: 33 bytes in hex are wanted");
    }
    if (locktimeS !== undefined && locktimeS * 1000 > clock.nowMs() + LOCK_MS_MAX) {
      throw new Declined("the payee wants the token locked for longer than 30 days");
    }
    return {
      paymentId,
      accepted: request.acceptedMints.slice(0, ACCEPTED_MAX).flatMap((url) =>
        mintUrlOf(url, { allowPrivate: this.#options.allowPrivate ?? false }) ?? []
      ),
      amount: BigInt(priceSat),
      subject,
      payee,
      isConfirmed: request.confirmed ?? false,
      feeMax: maxFeeSat === undefined ? feeMaxOf(BigInt(priceSat)) : satOf(maxFeeSat),
      ...budgetSat === undefined ? {} : { costMax: satOf(budgetSat) },
      ...lockTo === undefined
        ? {}
        : { lock: { publicKey: lockTo, ...locktimeS === undefined ? {} : { locktimeS } } },
    };
  }
}

function assertSame(
  known: Pick<OutgoingPayment, "amount" | "subject" | "payee">,
  wanted: Wanted,
): void {
  const isSame = known.amount === wanted.amount && known.subject === wanted.subject &&
    known.payee === wanted.payee;
  if (!isSame) throw new Declined("this payment id was used for something else");
}

/** @throws {Declined} For a token that its payee could not spend. */
function assertSameKey(lock: Wanted["lock"], wanted: Wanted): void {
  if (lock?.publicKey === wanted.lock?.publicKey) return;
  throw new Declined("this payment id was used for another key");
}

/** The most that fees may be when nobody says: small payments cost relatively more. */
function feeMaxOf(amount: bigint): bigint {
  return 20n + amount / 10n;
}

function isName(text: string, charsMax: number): boolean {
  return text.length > 0 && text.length <= charsMax;
}

function satOf(amount: number): bigint {
  if (!Number.isSafeInteger(amount) || amount < 0) {
    throw new Declined("limits are whole numbers of sat");
  }
  return BigInt(amount);
}

/** Only our own errors have messages that are known to hold no secret. */
function reasonOf(error: unknown): string {
  if (error instanceof Declined || error instanceof SeedmintError) return error.message;
  if (isSeedmintError(error) || error instanceof RangeError || error instanceof TypeError) {
    return error.message;
  }
  return error instanceof DOMException ? "it was cancelled" : "the wallet made a mistake";
}
