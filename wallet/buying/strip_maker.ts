/**
 * Makes strips of top-ups for sellers, at most one at a time for each seller and kind of top-up:
 *
 *     fees set aside in the budgets ─▶ (swap into a mint that the seller takes ─▶) strip ─▶ ready
 *
 * What a strip and its swap cost is one row of the budgets; each top-up is a row of its own, written when
 * it is revealed. So what is spent counts, and what will come back does not.
 */
import type { Clock } from "../../src/core/ports.ts";
import type { Engine } from "../operations/engine.ts";
import { beginChannel } from "../operations/channel_plan.ts";
import type { Operation } from "../operations/operation.ts";
import { beginStrip, lockedUntilMs, type StripPlan } from "../operations/strip_plan.ts";
import { beginSwap, hasArrived } from "../operations/swap_plan.ts";
import { moneyMoved } from "../planner/coming_money.ts";
import { COMING_MONEY_MS } from "../planner/limits.ts";
import {
  arrivedSwap,
  letGo,
  parentOf,
  pause,
  paymentIdOf,
  settlePayment,
  wasTried,
  workOf,
} from "../planner/payment_work.ts";
import type { Payments } from "../planner/payments.ts";
import { planStrip, type StripWay } from "../planner/plan_strip.ts";
import type { WalletReads } from "../store/wallet_store.ts";
import type { MintUrl } from "../types.ts";
import { Declined } from "./declined.ts";
import { STRIP_MS, STRIP_USE_MIN, STRIP_WAYS_MAX } from "./limits.ts";

const MINUTE_MS = 60_000;

/** Which top-ups serve a session. */
export interface PartKind {
  /** The seller. */
  readonly peer: string;
  readonly publicKey: string;
  /** What the seller takes at least, in sat. */
  readonly minTopUpSat: number;
  readonly accepted: readonly MintUrl[];
  readonly locktimeMin: number;
}

/** What a strip is made for. */
export interface StripOrder {
  readonly kind: PartKind;
  /** What for, in the budgets. */
  readonly subject: string;
  /** Top-ups at most. */
  readonly count: number;
  /** What a channel is to be able to pay, in sat, where one is wanted instead of a strip. */
  readonly channelNet?: bigint;
  readonly feeMaxOf: (amount: bigint) => bigint;
  /** Why so much is not spent, in words. */
  readonly spendTrouble: (reads: WalletReads, costMax: bigint) => string | undefined;
}

/** Options of {@link StripMaker}. */
export interface StripMakerOptions {
  readonly payments: Payments;
  /** Breaks ties. */
  readonly homeMint: () => MintUrl | undefined;
  /** @default {STRIP_MS} */
  readonly deadlineMs?: number;
}

/** A strip that is being made. */
interface Making {
  readonly promise: Promise<void>;
  readonly stop: AbortController;
}

/** See the head of this file. */
export class StripMaker implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #options: StripMakerOptions;
  readonly #making = new Map<string, Making>();

  constructor(engine: Engine, options: StripMakerOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /**
   * Makes a strip, or waits for the one that is being made.
   *
   * @throws {Declined} With the reason, when there will be none.
   */
  async make(order: StripOrder): Promise<void> {
    const key = keyOf(order.kind);
    const other = this.#making.get(key);
    if (other !== undefined) return await other.promise;
    const stop = new AbortController();
    const promise = this.#withDeadline(order, stop).finally(() => this.#making.delete(key));
    this.#making.set(key, { promise, stop });
    return await promise;
  }

  /** Nobody waits for such top-ups any more: what was not sent is let go. */
  release(kind: PartKind): void {
    this.#making.get(keyOf(kind))?.stop.abort(new Declined("nobody waits for it any more"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#making.values()];
    for (const { stop } of all) stop.abort(new Declined("the wallet is shutting down"));
    await Promise.allSettled(all.map(({ promise }) => promise));
  }

  async #withDeadline(order: StripOrder, stop: AbortController): Promise<void> {
    const { context } = this.#engine;
    const late = new Declined("the mints did not answer in time; what was begun goes on by itself");
    const cancel = context.clock.timer(
      this.#options.deadlineMs ?? STRIP_MS,
      () => stop.abort(late),
    );
    try {
      const begun = this.#begunBefore(order);
      if (begun !== undefined && await this.#untilReady(begun.id, stop.signal)) return;
      const swap = this.#swapBefore(order.kind);
      if (swap !== undefined) await arrivedSwap(this.#engine, swap.id, stop.signal);
      if (await this.#channel(order, stop.signal)) return;
      const { channelNet: _, ...strip } = order;
      await this.#order(strip, stop.signal);
    } finally {
      cancel();
    }
  }

  /** A channel, if one is wanted and can be paid for; else it is a strip. */
  async #channel(order: StripOrder, signal: AbortSignal): Promise<boolean> {
    if (order.channelNet === undefined) return false;
    try {
      await this.#order(order, signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Declined)) throw error;
      return false;
    }
  }

  /** A strip that a process before this one began, or a session that is over; or a channel. */
  #begunBefore({ kind, channelNet }: StripOrder): Operation<StripPlan> | undefined {
    const { store, clock } = this.#engine.context;
    const begun = (of: "channel" | "strip") =>
      (store.operations({ kind: of, status: "open" }) as Operation<StripPlan>[])
        .filter(({ state }) => ["planned", "prepared", "swap-inflight"].includes(state));
    const channel = channelNet === undefined
      ? undefined
      : begun("channel").find((operation) => isLockedFor(operation, kind, clock));
    return channel ?? begun("strip").find((operation) => serves(operation, kind, clock));
  }

  /** Money on its way into a mint of the seller's, for a strip that a process before this one wanted. */
  #swapBefore({ peer, accepted }: PartKind): Operation | undefined {
    const { store } = this.#engine.context;
    return store.operations({ kind: "swap", status: "open" }).find((operation) => {
      const paymentId = paymentIdOf(operation);
      const payment = paymentId === undefined ? undefined : store.outgoing(paymentId);
      return payment?.payee === peer && payment.amount === 0n && !hasArrived(operation) &&
        operation.peerMint !== undefined && accepted.includes(operation.peerMint);
    });
  }

  async #order(order: StripOrder, signal: AbortSignal): Promise<void> {
    const { store, random } = this.#engine.context;
    const paymentId = random.bytes(16).toHex();
    using _kept = this.#options.payments.keep(paymentId);
    try {
      for (let ways = 0; ways < STRIP_WAYS_MAX; ways++) {
        if (await this.#try(order, paymentId, signal)) return;
      }
      throw new Declined("every way to make top-ups failed; see `wallet history`");
    } catch (error) {
      letGo(this.#engine, paymentId);
      throw error;
    } finally {
      settlePayment(store, paymentId);
    }
  }

  /** One way to pay. Returns whether there is a strip. */
  async #try(order: StripOrder, paymentId: string, signal: AbortSignal): Promise<boolean> {
    const { context } = this.#engine;
    const { store } = context;
    const way = await this.#plan(order, paymentId, signal);
    this.#setAside(order, { paymentId, feeMax: way.leg.feeMax });
    const { leg } = way;
    if (leg.kind === "direct") {
      return await this.#strip(order, {
        way,
        mint: leg.mint,
        feeMax: leg.feeMax,
        paymentId,
        signal,
      });
    }
    const { cost } = way;
    if (cost?.arriving === undefined || cost.swapFeeMax === undefined) {
      throw new Declined("the swap can no longer be afforded");
    }
    const swap = await beginSwap(context, {
      from: leg.from,
      to: leg.to,
      amount: cost.arriving,
      feeMax: cost.swapFeeMax,
      parent: parentOf(paymentId),
    });
    const ended = await arrivedSwap(this.#engine, swap.id, signal);
    if (ended.status === "attention") {
      throw new Declined(`a swap needs a person: ${ended.reason ?? ended.state}`);
    }
    if (ended.status === "failed") return false;
    if (store.mint(leg.to)?.blockedReason !== undefined) return false;
    const feeMax = leg.feeMax > ended.fee ? leg.feeMax - ended.fee : 0n;
    return await this.#strip(order, { way, mint: leg.to, feeMax, paymentId, signal });
  }

  async #plan(
    order: StripOrder,
    paymentId: string,
    signal: AbortSignal,
  ): Promise<StripWay & { readonly kind: "way" }> {
    const { context } = this.#engine;
    const work = workOf(context.store, paymentId);
    const homeMint = this.#options.homeMint();
    const untilMs = context.clock.monotonicMs() + COMING_MONEY_MS;
    for (;;) {
      const way = await planStrip(context, {
        accepted: order.kind.accepted,
        net: order.channelNet ?? BigInt(order.kind.minTopUpSat),
        countMax: order.channelNet === undefined ? order.count : 1,
        feeMaxOf: order.feeMaxOf,
        wasTried: (leg) => wasTried(work, leg),
        signal,
        ...homeMint === undefined ? {} : { homeMint },
      });
      if (way.kind === "way") return way;
      if (await moneyMoved(this.#engine, { untilMs, signal })) continue;
      throw new Declined(work.all[0]?.reason ?? way.reason);
    }
  }

  /** Sets the most that the fees may be aside in the budgets. */
  #setAside(
    order: StripOrder,
    fees: { readonly paymentId: string; readonly feeMax: bigint },
  ): void {
    const { store, clock } = this.#engine.context;
    const { paymentId, feeMax } = fees;
    store.transact((tx) => {
      const known = tx.outgoing(paymentId);
      const more = feeMax - (known?.cost ?? 0n);
      if (known !== undefined && more <= 0n) return;
      // Fees for less than one top-up are for nothing.
      const trouble = order.spendTrouble(tx, more + BigInt(order.kind.minTopUpSat));
      if (trouble !== undefined) throw new Declined(trouble);
      tx.putOutgoing({
        paymentId,
        subject: order.subject,
        payee: order.kind.peer,
        amount: 0n,
        cost: feeMax,
        state: "reserved",
        createdMs: clock.nowMs(),
      });
    });
  }

  async #strip(
    order: StripOrder,
    options: {
      readonly way: StripWay & { readonly kind: "way" };
      readonly mint: MintUrl;
      /** Most that is left for fees. */
      readonly feeMax: bigint;
      readonly paymentId: string;
      readonly signal: AbortSignal;
    },
  ): Promise<boolean> {
    const { context } = this.#engine;
    const { kind } = order;
    const nowMs = context.clock.nowMs();
    const untilS = Math.ceil((nowMs + (kind.locktimeMin + STRIP_USE_MIN) * MINUTE_MS) / 1000);
    const request = {
      mint: options.mint,
      peer: kind.peer,
      publicKey: kind.publicKey,
      maxFee: options.feeMax,
      useByMs: nowMs + (this.#options.deadlineMs ?? STRIP_MS),
      parent: parentOf(options.paymentId),
    };
    const { channelNet: net } = order;
    const strip = net !== undefined
      ? beginChannel(context, { ...request, expiryS: untilS, net })
      : beginStrip(context, {
        ...request,
        locktimeS: untilS,
        count: options.way.count,
        net: BigInt(kind.minTopUpSat),
      });
    return await this.#untilReady(strip.id, options.signal);
  }

  /** Whether there are top-ups at the end. */
  async #untilReady(id: string, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#engine.context;
    for (;;) {
      const operation = await this.#engine.drive(id, { signal });
      if (operation.state === "ready") return true;
      if (operation.status === "failed" || operation.status === "done") return false;
      if (operation.status === "attention") {
        throw new Declined(`top-ups need a person: ${operation.reason ?? operation.state}`);
      }
      await pause(clock, operation, signal);
    }
  }
}

/** Whether the top-ups of a strip are of a kind: to whom, worth what, of which mint, and locked so long. */
export function serves(
  operation: Pick<Operation<StripPlan>, "plan" | "mint">,
  kind: PartKind,
  clock: Pick<Clock, "nowMs">,
): boolean {
  const { plan } = operation;
  return isLockedFor(operation, kind, clock) && plan.isForeign !== true &&
    plan.netSat >= kind.minTopUpSat && plan.netSat <= 2 * kind.minTopUpSat;
}

function isLockedFor(
  { plan, mint }: Pick<Operation<StripPlan>, "plan" | "mint">,
  kind: PartKind,
  clock: Pick<Clock, "nowMs">,
): boolean {
  return plan.peer === kind.peer && plan.lock.publicKey === kind.publicKey &&
    kind.accepted.includes(mint) &&
    lockedUntilMs(plan) >= clock.nowMs() + kind.locktimeMin * MINUTE_MS;
}

function keyOf({ peer, publicKey, minTopUpSat, accepted }: PartKind): string {
  return JSON.stringify([peer, publicKey, minTopUpSat, [...accepted].sort()]);
}
