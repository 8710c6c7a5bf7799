/** The credit of one purse as one answer uses it up. */
import type { Clock } from "../../src/core/ports.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { groupSizeAt } from "../bao/geometry.ts";
import type { Meter } from "../ports.ts";
import { CREDIT_MS } from "./limits.ts";
import { bytesOf, type Purchase, type Purchases } from "./purchases.ts";

/** What a {@link Charging} is made of. */
export interface ChargingParts {
  readonly meter: Meter;
  readonly purchase: Purchase;
  readonly purchases: Purchases;
  /** Size of the blob in bytes. */
  readonly size: number;
  readonly clock: Clock;
}

/** Groups that may be sent now. */
export interface Charged {
  /** The group before which to stop. */
  readonly end: number;
  /** Those that were paid for just now. */
  readonly paid: RangeSet;
  /** Bytes of those that are sent again for nothing. */
  readonly againBytes: number;
}

/** See the head of this file. */
export class Charging implements AsyncDisposable {
  readonly #parts: ChargingParts;

  constructor(parts: ChargingParts) {
    this.#parts = parts;
  }

  /**
   * Charges the groups from `start` up to `end`, except those that may be sent again for nothing.
   * Waits a while for credit that another answer of this purse used up; then what it returns ends
   * at `start`.
   */
  async charge(start: number, end: number, signal: AbortSignal): Promise<Charged> {
    const { meter, purchase, purchases, size } = this.#parts;
    let paid = RangeSet.EMPTY;
    let againBytes = 0;
    let at = start;
    while (at < end) {
      if (purchase.sendAgain(at)) {
        againBytes += groupSizeAt(at, size);
        at++;
        continue;
      }
      let runEnd = at + 1;
      while (runEnd < end && !purchase.isBought(runEnd)) runEnd++;
      const sizes = Array.from(
        { length: runEnd - at },
        (_, index) => groupSizeAt(at + index, size),
      );
      const count = meter.take(sizes);
      if (count > 0) {
        const groups = RangeSet.of(at, at + count);
        purchase.paid(groups, purchases.graceEndMs());
        paid = paid.union(groups);
        at += count;
      } else if (at > start || !await this.#more(signal)) {
        break;
      }
    }
    return { end: at, paid, againBytes };
  }

  /** Gives back what was charged for groups that were not sent after all. */
  giveBack(charged: Charged): void {
    const { meter, purchase, size } = this.#parts;
    purchase.notSentAgain(charged.againBytes);
    if (charged.paid.isEmpty) return;
    purchase.notPaid(charged.paid);
    meter.giveBack(bytesOf(charged.paid, size));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.meter[Symbol.asyncDispose]();
  }

  async #more(signal: AbortSignal): Promise<boolean> {
    const late = new AbortController();
    const stop = this.#parts.clock.timer(CREDIT_MS, () => late.abort());
    try {
      await this.#parts.meter.more(AbortSignal.any([signal, late.signal]));
      return true;
    } catch {
      return false;
    } finally {
      stop();
    }
  }
}
