/**
 * Buying of one seller in one fetch: which payment is due, which was never answered, and when a seller
 * has cheated.
 *
 *     next: avoided? refused too often? ─▶ declined
 *           something handed over and not answered ─▶ the same again
 *           enough is there ─▶ nothing
 *           too much at risk ─▶ nothing; or, when the seller says that nothing is left: wait a little for
 *                               what may be on its way, and then it has cheated
 *           otherwise ─▶ the next top-up, marked on disk first
 */
import { GROUP_BYTES, UNITS_PER_SAT, unitsOf } from "../credit_units.ts";
import { CHANNEL_UPDATES_MAX } from "../channel/limits.ts";
import { STRIP_PARTS_MAX } from "../operations/limits.ts";
import { channelNetOf, ChannelPurse } from "../channel/purse.ts";
import { type ChannelPlan, endChannel, messageOfPart } from "../operations/channel_plan.ts";
import type { SagaContext } from "../operations/saga.ts";
import type { Operation } from "../operations/operation.ts";
import {
  lockedUntilMs,
  revealPart,
  type StripPlan,
  tokenOfPart,
} from "../operations/strip_plan.ts";
import type { Budgets } from "../payments/budgets.ts";
import type { StripPart } from "../store/buying_store.ts";
import type { WalletReads, WalletTransaction } from "../store/wallet_store.ts";
import type { MintUrl } from "../types.ts";
import type {
  Answer,
  BuyerOptions,
  BuyingSession,
  BuyRequest,
  Due,
  SellerTerms,
} from "./buying_api.ts";
import { Declined, reasonOf } from "./declined.ts";
import { HIDDEN_LEFT_MIN, REFUSALS_MAX, STRIP_PARTS_FIRST } from "./limits.ts";
import { budgetLeft, type Spending, spendTrouble, stripCount, stripFeeMax } from "./policy.ts";
import type { TopUp } from "./prepaid.ts";
import { isFinal, type Seller } from "./seller.ts";
import { type PartKind, serves, type StripMaker, type StripOrder } from "./strip_maker.ts";
import { rested, waitFor } from "./waiting.ts";

/** Times that a session waits for something before it gives up on one call. */
const WAITS_MAX = 8;

/** What a session works with. */
export interface SessionParts {
  readonly context: SagaContext;
  readonly maker: StripMaker;
  readonly seller: Seller;
  readonly budgets: Budgets;
  readonly buyer: BuyerOptions;
  /** When the buyer was made, in milliseconds since 1970. */
  readonly buyerSinceMs: number;
  readonly accepted: readonly MintUrl[];
  readonly onClose: (session: Session) => void;
}

/** What {@link Session.next} must wait for. */
interface Wait {
  readonly due: "wait";
  readonly until: (signal: AbortSignal | undefined) => Promise<void>;
}

/** See the head of this file. */
export class Session implements BuyingSession {
  readonly terms: SellerTerms;
  readonly kind: PartKind;
  readonly #parts: SessionParts;
  readonly #request: BuyRequest;
  readonly #purchase: { readonly id: string; readonly createdMs: number };
  readonly #purse: ChannelPurse;
  readonly #listeners = new Set<() => void>();
  readonly #off: () => void;
  readonly #total: bigint | undefined;
  /** Channels that were signed anew. */
  readonly #renewed = new Set<string>();
  #used = 0n;
  #writtenUsed = 0n;
  #refusalCount = 0;
  #paidCount = 0;
  #channelSat: number | undefined;
  #lastRefusal = "";
  #isActionable = false;
  #isClosed = false;

  constructor(parts: SessionParts, request: BuyRequest) {
    const { context, seller, accepted } = parts;
    const { terms, bytesMax, peerId } = request;
    this.#parts = parts;
    this.#request = request;
    this.terms = terms;
    this.#channelSat = terms.channelSat;
    this.kind = {
      peer: peerId,
      publicKey: terms.p2pk,
      minTopUpSat: terms.minTopUpSat,
      accepted,
      locktimeMin: terms.locktimeMin,
    };
    this.#purse = new ChannelPurse(context, this.kind);
    this.#total = bytesMax === undefined ? undefined : unitsOf(bytesMax, terms.priceMsatPerMiB);
    this.#purchase = { id: context.random.bytes(16).toHex(), createdMs: context.clock.nowMs() };
    this.#off = seller.onChange(() => this.#look());
  }

  /** Whether a top-up has to be made before anything can be bought. */
  get needsMoney(): boolean {
    return this.#wantsPayment() && this.#hidden().length === 0 &&
      this.#purse.channel === undefined && this.#unanswered() === undefined;
  }

  /** Prepares what will be needed first. */
  begin(): void {
    this.#isActionable = this.#wantsPayment();
    if (this.needsMoney) this.#refill();
  }

  async next({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Due> {
    try {
      for (let waits = 0; waits <= WAITS_MAX; waits++) {
        signal?.throwIfAborted();
        const step = this.#step();
        if (step.due !== "wait") {
          this.#isActionable = false;
          // Whoever sees a token may use it up: that it is out is on disk before.
          if (step.due === "pay") await this.#parts.context.store.flush();
          return step;
        }
        await step.until(signal);
      }
      throw new Declined("the top-ups were needed elsewhere each time");
    } catch (error) {
      return { due: "declined", reason: signal?.aborted ? "the fetch is over" : reasonOf(error) };
    }
  }

  answered(id: Uint8Array, answer: Answer): void {
    this.#guarded(() => {
      const { context, seller } = this.#parts;
      const part = context.store.stripPart(id.toHex());
      if (part === undefined || part.peer !== this.kind.peer) return;
      if (answer.answer === "refused" && isFinal(answer) && part.state !== "credited") {
        this.#refusalCount++;
        this.#lastRefusal = answer.code;
        endChannel(context, part.operationId, `its seller refused a balance (${answer.code})`);
      }
      if (answer.answer === "refused") this.#purse.refresh(part.operationId).catch(() => {});
      seller.answered(part, answer);
      if (answer.answer === "credited") seller.told(answer.creditMsat, this.terms);
    });
  }

  told(creditMsat: number): void {
    this.#guarded(() => this.#parts.seller.told(creditMsat, this.terms));
  }

  takesChannels(channelSat: number): void {
    if (Number.isSafeInteger(channelSat) && channelSat >= 0) this.#channelSat = channelSat;
  }

  verified(bytes: number): void {
    if (this.#isClosed || !Number.isSafeInteger(bytes) || bytes <= 0) return;
    this.#guarded(() => this.#used += this.#parts.seller.verified(bytes, this.terms));
  }

  onDue(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Writes what was used, for who asks what was paid. */
  write(): void {
    if (this.#used === this.#writtenUsed) return;
    this.#parts.context.store.transact((tx) => this.#writeIn(tx));
    this.#parts.seller.write();
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isClosed = true;
    this.#off();
    this.#listeners.clear();
    this.#guarded(() => this.write());
    this.#guarded(() => this.#parts.onClose(this));
    return Promise.resolve();
  }

  #step(): Due | Wait {
    const { seller, context } = this.#parts;
    if (this.#isClosed) throw new Declined("the session is over");
    const { trouble } = seller;
    if (trouble !== undefined) throw new Declined(trouble);
    if (this.#refusalCount >= REFUSALS_MAX) {
      throw new Declined(`it refused ${this.#refusalCount} payments (${this.#lastRefusal})`);
    }
    const renewal = this.#renewal();
    if (renewal !== undefined) return renewal;
    const again = this.#unanswered();
    if (again !== undefined) return paying(again, context.store);
    if (!this.#isLow()) return { due: "nothing" };
    const hidden = this.#hidden();
    const topUp = this.#topUp(hidden[0]);
    if (!seller.prepaid.mayRisk(topUp)) return this.#blocked(topUp);
    const revealed = hidden.length === 0 ? this.#signBalance() : this.#reveal(hidden);
    if (revealed !== undefined) return paying(revealed, context.store);
    return { due: "wait", until: (signal) => waitFor(this.#make(), signal) };
  }

  /** What was handed over, is of use to the seller still, and was never answered: the oldest. */
  #unanswered(): StripPart | undefined {
    const { store, clock } = this.#parts.context;
    const parts = store.stripParts({ peer: this.kind.peer, states: ["revealed"] });
    const oldest = parts.find((part) => {
      const operation = store.operation<StripPlan>(part.operationId)!;
      const { over } = operation.plan as ChannelPlan;
      return operation.state === "ready" && over === undefined &&
        lockedUntilMs(operation.plan) > clock.nowMs() &&
        operation.plan.lock.publicKey === this.kind.publicKey;
    });
    if (oldest === undefined || oldest.place === 0 || oldest.ys.length > 0) return oldest;
    // Of a channel that is open the last balance counts for all before it.
    return parts.findLast(({ operationId }) => operationId === oldest.operationId);
  }

  /** Helps a seller whose mint rotated the keyset of a channel out: once for each channel. */
  #renewal(): Wait | undefined {
    const { stale } = this.#purse;
    if (stale === undefined || this.#renewed.has(stale.id)) return undefined;
    const least = BigInt(this.terms.minTopUpSat) * UNITS_PER_SAT;
    if (!this.#parts.seller.prepaid.mayRisk({ least, value: UNITS_PER_SAT })) return undefined;
    this.#renewed.add(stale.id);
    return {
      due: "wait",
      until: async (signal) => {
        try {
          const keyset = await this.#purse.renewalOf(stale, signal === undefined ? {} : { signal });
          const { id: operationId } = stale;
          this.#purse.sign(stale, (tx, next) => this.#book(tx, { ...next, operationId }), keyset);
          this.#parts.seller.reload();
        } catch {
          // Its seller may be lucky another time; what is due now is paid in another way.
        }
      },
    };
  }

  /** Top-ups that nobody has seen and that the seller would take. */
  #hidden(): StripPart[] {
    const { store, clock } = this.#parts.context;
    const known = new Map<string, boolean>();
    return store.stripParts({ peer: this.kind.peer, states: ["hidden"] }).filter((part) => {
      const id = part.operationId;
      if (!known.has(id)) {
        // What came out of a backup may have been handed over since: it rests until it comes back.
        const isOld = store.proof(part.ys[0]!)?.needsRecheck === true;
        known.set(id, !isOld && this.#isUsable(store.operation<StripPlan>(id)!, clock));
      }
      return known.get(id);
    });
  }

  #isUsable(operation: Operation<StripPlan>, clock: SagaContext["clock"]): boolean {
    return operation.kind === "strip" && operation.state === "ready" &&
      operation.status === "open" && serves(operation, this.kind, clock) &&
      this.#parts.context.store.mint(operation.mint)?.blockedReason === undefined;
  }

  #topUp(part: StripPart | undefined): TopUp {
    const least = BigInt(this.terms.minTopUpSat) * UNITS_PER_SAT;
    return { least, value: part === undefined ? least : part.net * UNITS_PER_SAT };
  }

  /** Half a top-up or less is there, and not all that is to come is covered by it. */
  #isLow(): boolean {
    const { prepaid } = this.#parts.seller;
    if (!prepaid.isLow(this.#topUp(undefined))) return false;
    const remaining = this.#remaining();
    if (remaining === undefined) return true;
    const group = unitsOf(GROUP_BYTES, this.terms.priceMsatPerMiB);
    return prepaid.there < (remaining > group ? remaining : group);
  }

  #remaining(): bigint | undefined {
    if (this.#total === undefined) return undefined;
    return this.#total > this.#used ? this.#total - this.#used : 0n;
  }

  #wantsPayment(): boolean {
    return this.#isLow() && this.#parts.seller.prepaid.mayRisk(this.#topUp(undefined));
  }

  /** No more may be at risk. */
  #blocked(topUp: TopUp): Due | Wait {
    const { seller, context } = this.#parts;
    if (seller.isBlockedByRefusals(topUp)) {
      throw new Declined("payments that it refused are locked to it still; they come back later");
    }
    if (!seller.saysEmpty) return { due: "nothing" };
    return {
      due: "wait",
      until: async (signal) => {
        if (await rested(context.clock, seller, signal)) {
          seller.avoid("it says that nothing is left, and did not deliver what was paid for");
        }
      },
    };
  }

  /** Marks the first top-up as handed over, within the budgets, before its token is read. */
  #reveal(hidden: readonly StripPart[]): StripPart {
    const { context, seller } = this.#parts;
    const part = hidden[0]!;
    // What counts as verified from here on must not be fetched, and paid, again after a crash.
    this.#request.beforePaying?.();
    const revealed = revealPart(context, part, (tx) => this.#book(tx, part));
    seller.writtenIn();
    seller.reload();
    if (hidden.length <= HIDDEN_LEFT_MIN && this.#count() > 0) this.#refill();
    return revealed;
  }

  /** The next top-up from a channel, signed and on disk; undefined when there is none that serves. */
  #signBalance(): StripPart | undefined {
    const { channel } = this.#purse;
    if (channel === undefined) return undefined;
    const { id: operationId } = channel;
    this.#request.beforePaying?.();
    const part = this.#purse.sign(channel, (tx, next) => this.#book(tx, { ...next, operationId }));
    if (part === undefined) return undefined;
    this.#parts.seller.writtenIn();
    this.#parts.seller.reload();
    if (this.#purse.isLow && this.#count() > 0) this.#refill();
    return part;
  }

  /** A top-up as it leaves: within the budgets, and counted. */
  #book(
    tx: WalletTransaction,
    part: Pick<StripPart, "paymentId" | "operationId" | "net" | "gross">,
  ): void {
    const { context: { clock }, seller } = this.#parts;
    const trouble = this.#spendTrouble(tx, part.gross);
    if (trouble !== undefined) throw new Declined(trouble);
    tx.putOutgoing({
      paymentId: part.paymentId,
      subject: this.#request.subject,
      payee: this.kind.peer,
      amount: part.net,
      cost: part.gross,
      state: "spent",
      operationId: part.operationId,
      createdMs: clock.nowMs(),
    });
    seller.writeIn(tx);
    this.#writeIn(tx);
    this.#paidCount++;
  }

  /** Begins a strip; whoever needs it hears of trouble when it is needed. */
  #refill(): void {
    this.#make().catch(() => {});
  }

  async #make(): Promise<void> {
    const { maker } = this.#parts;
    const trouble = this.#spendTrouble(this.#parts.context.store, BigInt(this.terms.minTopUpSat));
    if (trouble !== undefined) throw new Declined(trouble);
    await maker.make(this.#order());
  }

  #order(): StripOrder {
    const { maxFeeSat } = this.#parts.buyer;
    // What a fetch of unknown size needs shows in what it has paid so far.
    const guess = this.#total === undefined
      ? Math.max(STRIP_PARTS_FIRST, 2 * this.#paidCount)
      : undefined;
    const isShort = guess !== undefined && guess <= STRIP_PARTS_MAX;
    // One refusal is enough: what a channel holds is away until it expires.
    const channelNet = isShort || this.#refusalCount > 0
      ? undefined
      : channelNetOf(this.#count(CHANNEL_UPDATES_MAX), {
        minTopUpSat: this.terms.minTopUpSat,
        ...this.#channelSat === undefined ? {} : { channelSat: this.#channelSat },
      }, this.#purse.held);
    return {
      kind: this.kind,
      subject: this.#request.subject,
      count: Math.max(1, isShort ? this.#count(guess) : this.#count()),
      ...channelNet === undefined ? {} : { channelNet },
      feeMaxOf: (amount) => maxFeeSat === undefined ? stripFeeMax(amount) : BigInt(maxFeeSat),
      spendTrouble: (reads, costMax) => this.#spendTrouble(reads, costMax),
    };
  }

  /** How many top-ups more this fetch can use. */
  #count(countMax?: number): number {
    const { context, budgets, buyer, seller } = this.#parts;
    const hidden = this.#hidden().reduce((sum, part) => sum + part.net, this.#purse.room);
    const { there } = seller.prepaid;
    const leftSat = budgetLeft(context.store, this.#spending, {
      budgets,
      buyer,
      nowMs: context.clock.nowMs(),
    });
    return stripCount({
      remaining: this.#remaining(),
      covered: (there > 0n ? there : 0n) + hidden * UNITS_PER_SAT,
      minTopUpSat: this.terms.minTopUpSat,
      leftSat,
      ...countMax === undefined ? {} : { countMax },
    });
  }

  get #spending(): Spending {
    const { subject } = this.#request;
    return { subject, payee: this.kind.peer, sinceMs: this.#parts.buyerSinceMs };
  }

  #spendTrouble(reads: WalletReads, costMax: bigint): string | undefined {
    const { budgets, buyer, context } = this.#parts;
    return spendTrouble(reads, { ...this.#spending, costMax }, {
      budgets,
      buyer,
      nowMs: context.clock.nowMs(),
    });
  }

  #writeIn(tx: WalletTransaction): void {
    tx.putPurchase({
      ...this.#purchase,
      peer: this.kind.peer,
      subject: this.#request.subject,
      priceMsatPerMiB: this.terms.priceMsatPerMiB,
      used: this.#used,
    });
    this.#writtenUsed = this.#used;
  }

  /** Tells once each time that a payment falls due. */
  #look(): void {
    if (this.#isClosed) return;
    const was = this.#isActionable;
    this.#isActionable = this.#wantsPayment();
    if (was || !this.#isActionable) return;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch {
        // Whoever listens must not stop what counts.
      }
    }
  }

  /** Trouble with the disk must not end a fetch here: the next payment will say so. */
  #guarded(task: () => void): void {
    try {
      task();
    } catch (error) {
      const { emit } = this.#parts.context;
      emit({ event: "attention", message: `Buying could not be noted: ${reasonOf(error)}` });
    }
  }
}

function paying(part: StripPart, reads: WalletReads): Due {
  const id = Uint8Array.fromHex(part.paymentId);
  const isBalance = reads.signedBalance(part.paymentId) !== undefined;
  const token = isBalance ? messageOfPart(reads, part) : tokenOfPart(reads, part);
  return { due: "pay", payment: { id, token } };
}
