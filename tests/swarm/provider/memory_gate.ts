/** A gate with its credit in memory, exact as `ports.ts` asks for, that can be told to break. */
import type { Hash } from "../../../src/core/hash.ts";
import type {
  Gate,
  GateDecision,
  Meter,
  PaymentAnswer,
  PaymentOffer,
  PaymentTerms,
  Viewer,
} from "../../../swarm/ports.ts";

/** msat/2^20: what one byte costs at one msat per MiB. */
const UNITS_PER_MSAT = 1n << 20n;

export const TERMS: PaymentTerms = {
  priceMsatPerMiB: 1000,
  minTopUpSat: 64,
  mints: ["https://mint.example"],
  p2pk: `02${"55".repeat(32)}`,
  locktimeMin: 90,
};

/** What can be made to throw. */
export type Breakable =
  | "isFree"
  | "decide"
  | "pay"
  | "creditOf"
  | "openMeter"
  | "take"
  | "isLow"
  | "creditMsat"
  | "more"
  | "giveBack"
  | "dispose";

interface MemoryAccount {
  /** In msat/2^20. */
  credit: bigint;
  waiting: Set<() => void>;
}

/** Sells all that is not in {@link free}. A payment is the text `pay:<msat>`. */
export class MemoryGate implements Gate {
  terms: PaymentTerms = TERMS;
  readonly free = new Set<Hash>();
  readonly broken = new Set<Breakable>();
  /** Roots that meters were opened for. */
  readonly opened: Hash[] = [];
  readonly asked: PaymentOffer[] = [];
  /** Called before a payment is checked. */
  beforePay: () => Promise<void> = () => Promise.resolve();
  /** Payments by id that are told `pending` before they count. */
  pendingCount = 0;
  givenBackBytes = 0;
  openCount = 0;
  readonly #accounts = new Map<string, MemoryAccount>();
  readonly #payments = new Map<string, PaymentAnswer | "pending">();

  isFree(root: Hash): boolean {
    this.check("isFree");
    return this.free.has(root);
  }

  // deno-lint-ignore require-await -- the port is asynchronous, memory is not
  async decide({ viewer }: { readonly viewer: Viewer }): Promise<GateDecision> {
    this.check("decide");
    return viewer.fleet ? { decision: "free" } : { decision: "pay", ...this.terms };
  }

  async pay(
    { viewer, payment }: { readonly viewer: Viewer; readonly payment: PaymentOffer },
  ): Promise<PaymentAnswer> {
    this.asked.push(payment);
    await this.beforePay();
    this.check("pay");
    const id = payment.id.toHex();
    const known = this.#payments.get(id);
    if (known === "pending") return this.#credited(viewer, id, 64_000);
    if (known !== undefined) {
      return known.answer === "credited"
        ? { answer: "credited", creditMsat: this.creditOf(viewer) }
        : known;
    }
    const match = /^pay:([0-9]{1,12})$/.exec(payment.token ?? "");
    if (match === null) return { answer: "refused", code: "malformed" };
    if (this.pendingCount > 0) {
      this.pendingCount -= 1;
      this.#payments.set(id, "pending");
      return { answer: "pending", retryMs: 5 };
    }
    return this.#credited(viewer, id, Number(match[1]));
  }

  creditOf(viewer: Viewer): number {
    this.check("creditOf");
    return Number(this.unitsOf(viewer.peerId)) / Number(UNITS_PER_MSAT);
  }

  openMeter(
    request: { readonly viewer: Viewer; readonly root: Hash; readonly priceMsatPerMiB: number },
  ): Meter {
    this.check("openMeter");
    this.opened.push(request.root);
    this.openCount += 1;
    return new MemoryMeter(this, this.accountOf(request.viewer.peerId), request.priceMsatPerMiB);
  }

  /** Exactly what a peer has, in msat/2^20. */
  unitsOf(peerId: string): bigint {
    return this.accountOf(peerId).credit;
  }

  /** Gives a peer credit without a payment. */
  give(peerId: string, msat: number): void {
    const account = this.accountOf(peerId);
    account.credit += BigInt(msat) * UNITS_PER_MSAT;
    if (account.credit > 0n) { for (const wake of account.waiting) wake(); }
  }

  accountOf(peerId: string): MemoryAccount {
    let account = this.#accounts.get(peerId);
    if (account === undefined) {
      account = { credit: 0n, waiting: new Set() };
      this.#accounts.set(peerId, account);
    }
    return account;
  }

  check(what: Breakable): void {
    if (this.broken.has(what)) throw new Error(`${what} is broken`);
  }

  #credited(viewer: Viewer, id: string, msat: number): PaymentAnswer {
    this.give(viewer.peerId, msat);
    const answer: PaymentAnswer = { answer: "credited", creditMsat: this.creditOf(viewer) };
    this.#payments.set(id, answer);
    return answer;
  }
}

class MemoryMeter implements Meter {
  readonly #gate: MemoryGate;
  readonly #account: MemoryAccount;
  readonly #price: bigint;

  constructor(gate: MemoryGate, account: MemoryAccount, priceMsatPerMiB: number) {
    this.#gate = gate;
    this.#account = account;
    this.#price = BigInt(priceMsatPerMiB);
  }

  get creditMsat(): number {
    this.#gate.check("creditMsat");
    return Number(this.#account.credit) / Number(UNITS_PER_MSAT);
  }

  get isLow(): boolean {
    this.#gate.check("isLow");
    return this.#account.credit < BigInt(this.#gate.terms.minTopUpSat) * 500n * UNITS_PER_MSAT;
  }

  take(groupSizes: readonly number[]): number {
    this.#gate.check("take");
    let count = 0;
    while (count < groupSizes.length && this.#account.credit > 0n) {
      this.#account.credit -= BigInt(groupSizes[count]!) * this.#price;
      count += 1;
    }
    return count;
  }

  giveBack(bytes: number): void {
    this.#gate.check("giveBack");
    this.#gate.givenBackBytes += bytes;
    this.#account.credit += BigInt(bytes) * this.#price;
  }

  async more(signal: AbortSignal): Promise<void> {
    this.#gate.check("more");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#account.waiting.add(resolve);
    if (this.#account.credit > 0n) resolve();
    try {
      await promise;
    } finally {
      this.#account.waiting.delete(resolve);
      signal.removeEventListener("abort", onAbort);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#gate.openCount -= 1;
    this.#gate.check("dispose");
    return Promise.resolve();
  }
}

/** The `index`th payment, of `msat`. */
export function payment(index: number, msat: number): PaymentOffer {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(0, index);
  return { id, token: `pay:${msat}` };
}

/** What content of `bytes` costs at `priceMsatPerMiB`, in msat/2^20. */
export function costOf(bytes: number, priceMsatPerMiB: number = TERMS.priceMsatPerMiB): bigint {
  return BigInt(bytes) * BigInt(priceMsatPerMiB);
}

/** `msat` in msat/2^20. */
export function unitsOfMsat(msat: number): bigint {
  return BigInt(msat) * UNITS_PER_MSAT;
}
