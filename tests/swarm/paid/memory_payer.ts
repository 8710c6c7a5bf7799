/**
 * A wallet in memory that buys as `ports.ts` asks: at most two least payments unverified, the next
 * due when half of the last is verified. It notes all that passes, and can be told to fail.
 */
import type {
  DuePayment,
  PayAnswer,
  Payer,
  PaymentAnswer,
  PaymentOffer,
  PaymentTerms,
  PayRequest,
  PaySession,
} from "../../../swarm/ports.ts";

const MIB = 1024 * 1024;

/** Options of {@link MemoryPayer}. */
export interface MemoryPayerOptions {
  /** The most that a MiB may cost. @default {Infinity} */
  readonly priceMaxMsatPerMiB?: number;
  /** What may be spent in all, in msat. @default {Infinity} */
  readonly budgetMsat?: number;
}

/** See the head of this file. */
export class MemoryPayer implements Payer {
  readonly options: MemoryPayerOptions;
  readonly requests: PayRequest[] = [];
  readonly sessions: MemorySession[] = [];
  /** Called before a session opens; what it returns is waited for. */
  beforeOpen: () => Promise<void> = () => Promise.resolve();
  /** Called before a payment is made. */
  beforePay: () => Promise<void> = () => Promise.resolve();
  spentMsat = 0;
  /** Sessions that are not disposed. */
  openCount = 0;
  readonly #accounts = new Map<string, Account>();

  constructor(options: MemoryPayerOptions = {}) {
    this.options = options;
  }

  async open(request: PayRequest): Promise<PayAnswer> {
    this.requests.push(request);
    await this.beforeOpen();
    const { priceMaxMsatPerMiB = Infinity } = this.options;
    if (request.terms.priceMsatPerMiB > priceMaxMsatPerMiB) {
      return { status: "declined", reason: `price-max is ${priceMaxMsatPerMiB} msat per MiB` };
    }
    const session = new MemorySession(
      this,
      request.terms,
      this.#accounts.getOrInsertComputed(request.peerId, () => new Account()),
    );
    this.sessions.push(session);
    this.openCount += 1;
    return { status: "open", session };
  }

  /** Payments handed out, each once. */
  get payments(): readonly PaymentOffer[] {
    return this.sessions.flatMap((session) => session.payments);
  }

  get answers(): readonly (readonly [id: string, answer: PaymentAnswer])[] {
    return this.sessions.flatMap((session) => session.answers);
  }
}

let lastId = 0;

/** What is at one seller, whatever the session. */
class Account {
  readonly unanswered = new Map<string, PaymentOffer>();
  /** Refused payments count too: the seller has them. */
  handedMsat = 0;
  verifiedMsat = 0;
  refusedMsat = 0;

  get atRiskMsat(): number {
    return this.handedMsat - this.verifiedMsat;
  }
}

/** Buying from one seller. */
export class MemorySession implements PaySession {
  readonly terms: PaymentTerms;
  readonly payments: PaymentOffer[] = [];
  readonly answers: (readonly [id: string, answer: PaymentAnswer])[] = [];
  readonly toldMsat: number[] = [];
  verifiedBytes = 0;
  /** The most that was ever handed over and not verified, in msat. */
  atRiskMsatMax = 0;
  /** Calls of `next` under way: never two. */
  #nextCount = 0;
  nextCountMax = 0;
  isDisposed = false;
  readonly #payer: MemoryPayer;
  readonly #account: Account;
  readonly #listeners = new Set<() => void>();

  constructor(payer: MemoryPayer, terms: PaymentTerms, account: Account) {
    this.#payer = payer;
    this.#account = account;
    this.terms = terms;
  }

  get topUpMsat(): number {
    return this.terms.minTopUpSat * 1000;
  }

  async next(): Promise<DuePayment> {
    this.#nextCount += 1;
    this.nextCountMax = Math.max(this.nextCountMax, this.#nextCount);
    try {
      await this.#payer.beforePay();
      const [unanswered] = this.#account.unanswered.values();
      if (unanswered !== undefined) return { due: "pay", payment: unanswered };
      if (!this.#isDue) return { due: "nothing" };
      const { budgetMsat = Infinity } = this.#payer.options;
      if (this.#payer.spentMsat + this.topUpMsat > budgetMsat) {
        return { due: "declined", reason: `the budget of ${budgetMsat / 1000} sat is spent` };
      }
      return { due: "pay", payment: this.#pay() };
    } finally {
      this.#nextCount -= 1;
    }
  }

  answered(id: Uint8Array, answer: PaymentAnswer): void {
    this.answers.push([id.toHex(), answer]);
    const isOver = answer.answer === "credited" ||
      (answer.answer === "refused" && answer.retryMs === undefined);
    const isNews = isOver && this.#account.unanswered.delete(id.toHex());
    if (isNews && answer.answer === "refused") this.#account.refusedMsat += this.topUpMsat;
    this.#tell();
  }

  told(creditMsat: number): void {
    this.toldMsat.push(creditMsat);
    this.#tell();
  }

  verified(bytes: number): void {
    this.verifiedBytes += bytes;
    this.#account.verifiedMsat += bytes * this.terms.priceMsatPerMiB / MIB;
    this.#tell();
  }

  onDue(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.isDisposed) this.#payer.openCount -= 1;
    this.isDisposed = true;
    return Promise.resolve();
  }

  get #isDue(): boolean {
    const { atRiskMsat, refusedMsat } = this.#account;
    return atRiskMsat - refusedMsat <= this.topUpMsat / 2 && atRiskMsat <= this.topUpMsat;
  }

  #pay(): PaymentOffer {
    const id = new Uint8Array(16);
    new DataView(id.buffer).setUint32(0, ++lastId);
    const payment = { id, token: `pay:${this.topUpMsat}` };
    this.payments.push(payment);
    this.#account.unanswered.set(id.toHex(), payment);
    this.#account.handedMsat += this.topUpMsat;
    this.#payer.spentMsat += this.topUpMsat;
    this.atRiskMsatMax = Math.max(this.atRiskMsatMax, this.#account.atRiskMsat);
    return payment;
  }

  #tell(): void {
    if (!this.#isDue) return;
    for (const listener of [...this.#listeners]) listener();
  }
}
