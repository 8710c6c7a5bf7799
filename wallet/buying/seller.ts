/**
 * One seller as this wallet knows it, shared by all sessions that buy of it: what is prepaid there, what
 * of it is verified, and whether it cheated.
 */
import { GROUP_BYTES, UNITS_PER_MSAT, UNITS_PER_SAT, unitsOf } from "../credit_units.ts";
import { avoidSeller } from "../operations/avoid_seller.ts";
import type { SagaContext } from "../operations/saga.ts";
import type { SellerAccount, StripPart } from "../store/buying_store.ts";
import type { TransactOptions, WalletTransaction } from "../store/wallet_store.ts";
import type { Answer, SellerTerms } from "./buying_api.ts";
import { CREDIT_AGE_MS_MAX, USED_PER_WRITE, WASTE_PART } from "./limits.ts";
import { Prepaid, TOP_UPS_AT_RISK_MAX, type TopUp } from "./prepaid.ts";

/** See the head of this file. */
export class Seller {
  readonly peerId: string;
  readonly prepaid: Prepaid;
  readonly #context: SagaContext;
  readonly #listeners = new Set<() => void>();
  #written: bigint;
  /** Of what is written, what outlives a power cut. */
  #synced: bigint;
  #lost: bigint;
  /** Whether nothing was heard of it yet. */
  #isFresh = true;
  /** What was used when the seller last said that nothing is left. */
  #emptyAt: bigint | undefined;
  /** Whether it is on disk that something is bought of it. */
  #isMarked: boolean;
  /** Whether a process was killed that bought of it, and what that forgot is not settled yet. */
  #isInterrupted: boolean;

  constructor(context: SagaContext, peerId: string) {
    this.#context = context;
    this.peerId = peerId;
    const account = forgiven(context, peerId);
    const { used, lost } = account ?? { used: 0n, lost: 0n };
    this.prepaid = new Prepaid({ used, ...sumsOf(account) });
    this.#written = used;
    this.#synced = used;
    this.#lost = lost;
    this.#isMarked = account?.openMs !== undefined;
    this.#isInterrupted = this.#isMarked;
  }

  /** Why nothing is bought of it now, in words. */
  get trouble(): string | undefined {
    const account = this.#context.store.sellerAccount(this.peerId);
    const { avoidUntilMs = 0, avoidReason = "it cheated" } = account ?? {};
    if (avoidUntilMs <= this.#context.clock.nowMs()) return undefined;
    return `nothing is bought of it until ${new Date(avoidUntilMs).toISOString()}: ${avoidReason}`;
  }

  /** Whether it says that nothing is left, and nothing came since. */
  get saysEmpty(): boolean {
    return this.#emptyAt === this.prepaid.used;
  }

  /** Content that verified. Returns what it cost, in units. */
  verified(bytes: number, terms: SellerTerms): bigint {
    this.#isFresh = false;
    const cost = this.prepaid.verified(bytes, terms.priceMsatPerMiB);
    const least = BigInt(terms.minTopUpSat) * UNITS_PER_SAT;
    if ((this.prepaid.used - this.#written) * USED_PER_WRITE >= least) {
      this.write({ isLazy: this.prepaid.used - this.#synced <= least });
    }
    this.#changed();
    return cost;
  }

  told(creditMsat: number, terms: SellerTerms): void {
    if (!Number.isSafeInteger(creditMsat) || creditMsat < 0) return;
    this.prepaid.told(creditMsat);
    if (this.#isFresh) this.#settle(creditMsat, terms);
    this.#isFresh = false;
    const group = unitsOf(GROUP_BYTES, terms.priceMsatPerMiB);
    const isEmpty = BigInt(creditMsat) * UNITS_PER_MSAT <= group;
    this.#emptyAt = isEmpty ? this.prepaid.used : undefined;
    this.#changed();
  }

  /** What it said of a payment, for good: on disk. */
  answered(part: StripPart, answer: Answer): void {
    if (!isFinal(answer)) return;
    const state = answer.answer === "credited" ? "credited" : "refused";
    const isOver = part.state === "claimed" || part.state === "returned";
    if (isOver || part.state === "hidden" || part.state === state) return;
    // Who credits what it has refused may; the other way round it has the money.
    if (part.state === "credited") return;
    // Whoever forgets it hands the same payment over again, and hears the same.
    this.#context.store.transact((tx) => void tx.moveStripPart(part.paymentId, state), {
      isLazy: state === "credited",
    });
    this.reload();
  }

  /** Reads the sums again, which change with top-ups. */
  reload(): void {
    const account = this.#context.store.sellerAccount(this.peerId);
    this.#lost = account?.lost ?? 0n;
    this.prepaid.reload(sumsOf(account));
    this.#emptyAt = undefined;
    this.#changed();
  }

  /** Writes what is used; when that is lazy, a power cut may take it back. */
  write({ isLazy = false }: TransactOptions = {}): void {
    const { used } = this.prepaid;
    if (used === (isLazy ? this.#written : this.#synced)) return;
    this.#context.store.transact((tx) => this.writeIn(tx), { isLazy });
    this.#written = used;
    if (!isLazy) this.#synced = used;
    this.#isMarked = true;
  }

  /** As {@link write}, within a transaction; {@link writtenIn} follows it. */
  writeIn(tx: WalletTransaction): void {
    tx.putSellerUse(this.peerId, {
      used: this.prepaid.used,
      lost: this.#lost,
      ...this.#isMarked ? {} : { isOpen: true },
    });
  }

  /** A transaction with {@link writeIn} is on disk. */
  writtenIn(): void {
    this.#written = this.prepaid.used;
    this.#synced = this.#written;
    this.#isMarked = true;
  }

  /** Nothing is bought of it any more, in good order: what it and we count is the same from here on. */
  close(): void {
    if (!this.#isMarked || this.#isInterrupted) return;
    const { used } = this.prepaid;
    this.#context.store.transact(
      (tx) => tx.putSellerUse(this.peerId, { used, lost: this.#lost, isOpen: false }),
      { isLazy: used === this.#synced },
    );
    this.#written = used;
    this.#isMarked = false;
  }

  /** It cheated: nothing is bought of it for a while. What it has of us is given up after that. */
  avoid(reason: string): void {
    const { store, clock, emit } = this.#context;
    // Sessions that saw the same say it once.
    if (this.trouble !== undefined) return;
    this.write();
    store.transact((tx) => avoidSeller(tx, this.peerId, { reason, nowMs: clock.nowMs() }));
    emit({ event: "attention", message: `The seller ${this.peerId} is avoided: ${reason}` });
    this.#changed();
  }

  /**
   * What the seller counted before and we did not, as it says before anything is on its way. Bytes of
   * streams that we broke off: a little for what was delivered is given up, so that it does not add up
   * to what looks like a lie; more is not, whoever is right. When we were killed it may be all that was
   * at risk, since bytes on their way and what was not written yet are forgotten: once, that is ours.
   */
  #settle(creditMsat: number, terms: SellerTerms): void {
    const { missing, used } = this.prepaid;
    const least = BigInt(terms.minTopUpSat) * UNITS_PER_SAT;
    const waste = used / WASTE_PART - this.#lost;
    const half = least / 2n;
    const isWaste = missing <= half && missing <= waste;
    const bound = TOP_UPS_AT_RISK_MAX * least;
    const given = this.#isInterrupted && missing > bound ? bound : missing;
    const isGiven = missing > 0n && (this.#isInterrupted || isWaste);
    this.#isInterrupted = false;
    if (isGiven) this.#lost += given;
    if (isGiven || !this.#isMarked) this.#mark({ isLazy: !isGiven });
    if (!isGiven) return;
    this.prepaid.reload({
      ...sumsOf(this.#context.store.sellerAccount(this.peerId)),
      lost: this.#lost,
    });
    this.prepaid.told(creditMsat);
  }

  /** That something is bought of it is on disk before much of it is. */
  #mark(options: TransactOptions): void {
    const { store } = this.#context;
    if (store.sellerAccount(this.peerId) === undefined) return;
    store.transact((tx) => this.writeIn(tx), options);
    this.#isMarked = true;
    this.#written = this.prepaid.used;
    if (options.isLazy) store.flush().catch(() => {});
    else this.#synced = this.#written;
  }

  /** Called after every change, until the returned function is. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether more than it may risk would be at risk with `topUp`, without what it refused. */
  isBlockedByRefusals(topUp: TopUp): boolean {
    const refused = sumsOf(this.#context.store.sellerAccount(this.peerId)).refused;
    return refused > 0n && !this.prepaid.mayRisk(topUp) &&
      this.prepaid.mayRisk({ ...topUp, value: topUp.value - refused });
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Whether an answer stays as it is. */
export function isFinal(answer: Answer): boolean {
  return answer.answer === "credited" ||
    (answer.answer === "refused" && answer.retryMs === undefined);
}

/** The sums of an account, in units. */
function sumsOf(account: SellerAccount | undefined) {
  return {
    paid: (account?.paid ?? 0n) * UNITS_PER_SAT,
    refused: (account?.refused ?? 0n) * UNITS_PER_SAT,
    lost: account?.lost ?? 0n,
  };
}

/**
 * The account as it counts from now on: what a seller kept is given up once it is dealt with again, and
 * so is what is older than sellers keep credit. What is on its way back is not.
 */
function forgiven(context: SagaContext, peerId: string): SellerAccount | undefined {
  const { store, clock } = context;
  const account = store.sellerAccount(peerId);
  if (account === undefined) return undefined;
  const nowMs = clock.nowMs();
  const isOld = account.movedMs + CREDIT_AGE_MS_MAX <= nowMs;
  const wasAvoided = account.avoidUntilMs !== undefined && account.avoidUntilMs <= nowMs &&
    account.movedMs <= account.avoidUntilMs;
  if (!isOld && !wasAvoided) return account;
  const open = store.stripParts({ peer: peerId, states: ["revealed", "credited", "refused"] })
    .reduce((sum, part) => sum + part.net, 0n);
  const left = account.paid * UNITS_PER_SAT - account.used - account.lost;
  const gone = left - open * UNITS_PER_SAT;
  if (gone <= 0n) return account;
  const lost = account.lost + gone;
  store.transact((tx) => tx.putSellerUse(peerId, { used: account.used, lost }));
  return store.sellerAccount(peerId);
}
