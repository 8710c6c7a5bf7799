/** The credit of all payers that are being served, and the meters of their answers. */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import { shownMsat, UNITS_PER_SAT } from "../credit_units.ts";
import type { SagaContext } from "../operations/saga.ts";
import { LINGER_MS } from "./limits.ts";
import { type Charge, LiveCredit, type Unbooked } from "./live_credit.ts";
import type { Meter } from "./selling_api.ts";

/** What an answer is charged for, and when its reader is told that credit runs out. */
export interface MeterRequest {
  readonly payer: string;
  readonly root: string;
  readonly priceMsatPerMiB: number;
  /** The least payment at that price, in sat. */
  readonly topUpSat: number;
}

/** One account for each payer that an answer is under way to, shared by all of its answers. */
export class CreditAccounts implements AsyncDisposable {
  readonly #context: SagaContext;
  readonly #live = new Map<string, LiveCredit>();
  readonly #lingering = new Map<string, () => void>();

  constructor(context: SagaContext) {
    this.#context = context;
  }

  /** What a payer has left, in msat; 0 for less. */
  msatOf(payer: string): number {
    return shownMsat(this.unitsOf(payer));
  }

  /** The same in units, which may be below 0. */
  unitsOf(payer: string): bigint {
    const live = this.#live.get(payer);
    if (live !== undefined) return live.units;
    const account = this.#context.store.creditAccount(payer);
    if (account === undefined) return 0n;
    return account.paid * UNITS_PER_SAT - account.used - account.drawn;
  }

  /** Whether an answer to the payer is under way. */
  isInUse(payer: string): boolean {
    return (this.#live.get(payer)?.meterCount ?? 0) > 0;
  }

  open(request: MeterRequest): Meter {
    const credit = this.#of(request.payer);
    credit.meterCount++;
    return new CreditMeter(credit, request, () => this.#left(credit));
  }

  /** Payments of the payer moved. */
  refresh(payer: string): void {
    this.#live.get(payer)?.refresh();
  }

  /** Sales that are only in memory. */
  *unbooked(): Iterable<Unbooked> {
    for (const credit of this.#live.values()) yield* credit.unbooked();
  }

  /** Writes down all that is only in memory: of one payer, or of all. */
  settle(payer?: string): void {
    if (payer !== undefined) this.#live.get(payer)?.settle();
    else for (const credit of this.#live.values()) credit.settle();
  }

  /** Books what was drawn when the last process died: it was served, or is lost to its payer. */
  recover(): void {
    const { store, clock } = this.#context;
    const day = Math.floor(clock.nowMs() / 86_400_000);
    for (;;) {
      const drawn = store.creditAccounts({ isDrawn: true })
        .filter(({ payer }) => !this.#live.has(payer));
      if (drawn.length === 0) return;
      store.transact((tx) => {
        for (const { payer, drawn: units } of drawn) {
          tx.returnCredit(payer, units);
          tx.addSale({ day, payer, kind: "lost", root: "", bytes: 0, units });
        }
      });
    }
  }

  /** Gives back what is drawn; meters that are still open have nothing left then. */
  [Symbol.asyncDispose](): Promise<void> {
    for (const cancel of this.#lingering.values()) cancel();
    this.#lingering.clear();
    const all = [...this.#live.values()];
    this.#live.clear();
    return Promise.resolve().then(() => {
      for (const credit of all) credit.end();
    });
  }

  #of(payer: string): LiveCredit {
    this.#lingering.get(payer)?.();
    this.#lingering.delete(payer);
    const found = this.#live.get(payer);
    if (found !== undefined) return found;
    const credit = new LiveCredit(this.#context, payer);
    this.#live.set(payer, credit);
    return credit;
  }

  /** The next answer to the same payer often comes at once: its slice is kept for a moment. */
  #left(credit: LiveCredit): void {
    if (--credit.meterCount > 0 || this.#live.get(credit.payer) !== credit) return;
    this.#lingering.set(
      credit.payer,
      this.#context.clock.timer(LINGER_MS, () => this.#close(credit)),
    );
  }

  #close(credit: LiveCredit): void {
    this.#lingering.delete(credit.payer);
    try {
      credit.settle();
      this.#live.delete(credit.payer);
    } catch (error) {
      const passes = isSeedmintError(error);
      this.#context.emit({
        event: "attention",
        message: passes
          ? `Sales could not be written down and are tried again: ${messageOf(error)}`
          : "Sales of a moment do not fit the books, as after a backup was taken over: they are left out",
      });
      if (!passes) {
        this.#live.delete(credit.payer);
        return;
      }
      credit.meterCount++;
      this.#left(credit);
    }
  }
}

/** One answer's view of its reader's credit. */
class CreditMeter implements Meter {
  readonly #credit: LiveCredit;
  readonly #charge: Charge;
  readonly #lowUnits: bigint;
  readonly #onClosed: () => void;
  /** Bytes charged and not given back. */
  #bytes = 0;
  #isClosed = false;

  constructor(credit: LiveCredit, request: MeterRequest, onClosed: () => void) {
    const sliceUnits = BigInt(request.topUpSat) * UNITS_PER_SAT;
    this.#credit = credit;
    this.#charge = { ...request, sliceUnits };
    this.#lowUnits = sliceUnits / 2n;
    this.#onClosed = onClosed;
  }

  get creditMsat(): number {
    return this.#credit.msat;
  }

  get isLow(): boolean {
    return this.#credit.units < this.#lowUnits;
  }

  take(groupSizes: readonly number[]): number {
    if (this.#isClosed) return 0;
    const count = this.#credit.take(groupSizes, this.#charge);
    for (let index = 0; index < count; index++) this.#bytes += groupSizes[index]!;
    return count;
  }

  giveBack(bytes: number): void {
    const some = this.#isClosed ? 0 : Math.min(bytes, this.#bytes);
    if (some <= 0) return;
    this.#bytes -= some;
    this.#credit.giveBack(some, this.#charge);
  }

  more(signal: AbortSignal): Promise<void> {
    return this.#credit.more(signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#onClosed();
    }
    return Promise.resolve();
  }
}
