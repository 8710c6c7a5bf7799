/**
 * The credit of one payer while answers use it up.
 *
 * On disk stands what was paid, used and drawn; in memory what is left of the slice that was drawn last
 * and what was charged since. Charging is a subtraction; the disk is asked once in a slice, and in that
 * one transaction what was charged becomes a sale and the next slice is drawn. A crash loses to the
 * payer at most the slice, and to us at most the chunk group that was served beyond it. A slice is
 * written without waiting for the disk when the one before has reached it: a power cut in the milliseconds
 * until then may give that slice back to its payer.
 *
 *      paid = used + drawn + free          on disk
 *             drawn = charged + left       in memory; left is below 0 after the grace
 */
import { shownMsat, UNITS_PER_SAT } from "../credit_units.ts";
import type { SagaContext } from "../operations/saga.ts";
import type { WalletTransaction } from "../store/wallet_store.ts";

/** Milliseconds of a day. */
const DAY_MS = 86_400_000;

/** What an answer is charged for. */
export interface Charge {
  /** The blob or collection that was asked for. */
  readonly root: string;
  readonly priceMsatPerMiB: number;
  /** Most that is drawn at a time, in units. */
  readonly sliceUnits: bigint;
}

/** A sale that is only in memory. */
export interface Unbooked {
  readonly payer: string;
  readonly root: string;
  readonly bytes: number;
  readonly units: bigint;
}

/** What was charged of one root since the last transaction. Below 0 when more was given back. */
interface Charged {
  bytes: number;
  units: number;
}

/** See the head of this file. */
export class LiveCredit {
  readonly payer: string;
  /** Answers that use it. */
  meterCount = 0;
  readonly #context: Pick<SagaContext, "store" | "clock" | "fault">;
  readonly #charged = new Map<string, Charged>();
  readonly #waiters = new Set<() => void>();
  /** Units on disk that nobody drew. */
  #free: bigint;
  /** Units on disk that we drew; up to a slice. */
  #drawn = 0n;
  /** Units that may be charged without asking the disk. */
  #left = 0;
  /** Whether the slice drawn last is on disk for good. */
  #isFlushed = true;
  #isOver = false;

  constructor(context: Pick<SagaContext, "store" | "clock" | "fault">, payer: string) {
    this.payer = payer;
    this.#context = context;
    this.#free = this.#freeOf(context.store);
  }

  /** All that is left, in units; below 0 after the grace, or when a payment turned out dead. */
  get units(): bigint {
    return this.#free + BigInt(this.#left);
  }

  /** The same in msat, 0 for less. */
  get msat(): number {
    return shownMsat(this.units);
  }

  /** Whether something is drawn or charged that the disk does not know as used or free. */
  get isOpen(): boolean {
    return this.#drawn > 0n || this.#charged.size > 0;
  }

  /** Charges groups from the first on, as long as anything is left before each. Returns how many. */
  take(groupSizes: readonly number[], charge: Charge): number {
    if (this.#isOver) return 0;
    const { root, priceMsatPerMiB } = charge;
    const now: Charged = { bytes: 0, units: 0 };
    let count = 0;
    for (const size of groupSizes) {
      const units = size * priceMsatPerMiB;
      if (this.#left < units && this.#free > 0n) this.#refill(charge, now);
      if (this.#left <= 0) break;
      this.#left -= units;
      this.#note(root, size, units);
      now.bytes += size;
      now.units += units;
      count++;
    }
    return count;
  }

  /** Takes a charge back: the bytes were not sent. */
  giveBack(bytes: number, { root, priceMsatPerMiB }: Charge): void {
    const units = bytes * priceMsatPerMiB;
    this.#left += units;
    this.#note(root, -bytes, -units);
    if ((this.#charged.get(root)?.units ?? 0) < 0) this.#correct();
    this.#wake();
  }

  /** Resolves once something is left. @throws `signal.reason` */
  more(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.units > 0n) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#waiters.delete(woken);
        signal.removeEventListener("abort", aborted);
      };
      const woken = () => {
        end();
        resolve();
      };
      const aborted = () => {
        end();
        reject(signal.reason);
      };
      this.#waiters.add(woken);
      signal.addEventListener("abort", aborted, { once: true });
    });
  }

  /** What was charged and is not on disk yet; below 0 for what was given back of what is. */
  *unbooked(): Iterable<Unbooked> {
    for (const [root, { bytes, units }] of this.#charged) {
      yield { payer: this.payer, root, bytes, units: BigInt(units) };
    }
  }

  /** Payments moved: reads what is there now. One that died is taken back from what is drawn, too. */
  refresh(): void {
    this.#free = this.#freeOf(this.#context.store);
    if (this.#free < 0n && this.isOpen) this.settle();
    this.#wake();
  }

  /** Books what was charged, and gives back what was drawn and is left. */
  settle(): void {
    if (this.isOpen) this.#write(() => 0n);
  }

  /** Settles, and charges nothing any more. */
  end(): void {
    this.#isOver = true;
    this.settle();
  }

  /** What was booked as sold was not sent: on disk at once, so that a crash costs no more than a slice. */
  #correct(): void {
    try {
      this.settle();
    } catch {
      // It stays in memory, and is written with the next slice.
    }
  }

  /**
   * Books what was charged, and draws the next slice. What is charged at this moment is not sent yet: it
   * stays a part of what is drawn, unless that is most of a slice.
   */
  #refill({ root, priceMsatPerMiB, sliceUnits }: Charge, now: Charged): void {
    const isKept = BigInt(now.units) * 2n <= sliceUnits;
    this.#write((tx) => {
      const free = this.#freeOf(tx);
      const units = free < sliceUnits ? free : sliceUnits;
      if (units <= 0n) return 0n;
      tx.drawCredit(this.payer, { units, priceMsatPerMiB });
      return units;
    }, { isLazy: this.#isFlushed, ...(isKept ? { kept: { root, ...now } } : {}) });
    this.#flush();
  }

  /** Brings the slice to the disk while it is being served. One that fails is waited for next time. */
  #flush(): void {
    this.#isFlushed = false;
    this.#context.store.flush().then(() => {
      this.#isFlushed = true;
    }, () => {});
  }

  /** The one transaction. Memory follows once it is on disk. */
  #write(
    draw: (tx: WalletTransaction) => bigint,
    options: { readonly isLazy?: boolean; readonly kept?: Charged & { readonly root: string } } =
      {},
  ): void {
    const { isLazy = false, kept } = options;
    const { store, fault, clock } = this.#context;
    const day = Math.floor(clock.nowMs() / DAY_MS);
    fault("sell.slice.before-commit");
    const { units, free } = store.transact((tx) => {
      const account = tx.creditAccount(this.payer);
      // A backup that was taken over knows nothing of what is only in memory.
      if (account === undefined) return { units: 0n, free: 0n };
      const drawn = account.drawn < this.#drawn ? account.drawn : this.#drawn;
      if (drawn > 0n) tx.returnCredit(this.payer, drawn);
      for (const [root, charged] of this.#charged) {
        const isKept = root === kept?.root;
        const bytes = charged.bytes - (isKept ? kept.bytes : 0);
        const units = charged.units - (isKept ? kept.units : 0);
        if (units === 0 && bytes === 0) continue;
        tx.addSale({
          day,
          payer: this.payer,
          kind: "content",
          root,
          bytes,
          units: BigInt(units),
        });
      }
      const units = draw(tx);
      return { units, free: this.#freeOf(tx) };
    }, { isLazy });
    this.#charged.clear();
    if (kept !== undefined) {
      const { root, bytes, units } = kept;
      this.#charged.set(root, { bytes, units });
    }
    this.#drawn = units;
    this.#left = Number(units) - (kept?.units ?? 0);
    this.#free = free;
    fault("sell.slice.after-commit");
  }

  #freeOf(reads: Pick<WalletTransaction, "creditAccount">): bigint {
    const account = reads.creditAccount(this.payer);
    if (account === undefined) return 0n;
    return account.paid * UNITS_PER_SAT - account.used - account.drawn;
  }

  #note(root: string, bytes: number, units: number): void {
    const charged = this.#charged.get(root);
    if (charged === undefined) this.#charged.set(root, { bytes, units });
    else {
      charged.bytes += bytes;
      charged.units += units;
    }
  }

  #wake(): void {
    if (this.#waiters.size === 0 || this.units <= 0n) return;
    for (const woken of [...this.#waiters]) woken();
  }
}
