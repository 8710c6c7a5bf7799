/** Amounts of money: whole numbers of a unit. There are no fractions and no floats anywhere. */

/** A unit as mints name it (NUT-01). */
export type Unit = "sat" | "msat";

/** How many msat, the smallest unit, one of each unit is worth. */
const MSAT_OF: Readonly<Record<Unit, bigint>> = { sat: 1000n, msat: 1n };

/** What a Cashu amount holds: unsigned 64 bits (NUT-00). */
const AMOUNT_MAX = (1n << 64n) - 1n;

/** A non-negative amount in one unit; never changes. */
export class Money {
  readonly amount: bigint;
  readonly unit: Unit;

  private constructor(amount: bigint, unit: Unit) {
    this.amount = amount;
    this.unit = unit;
  }

  /**
   * `amount` of `unit`.
   *
   * @throws {RangeError} If it is negative, no whole number, or larger than 64 bits hold.
   */
  static of(amount: bigint | number, unit: Unit): Money {
    if (typeof amount === "number" && !Number.isSafeInteger(amount)) {
      throw new RangeError(`Cannot make money of ${amount}: a whole number wanted`);
    }
    const whole = BigInt(amount);
    if (whole < 0n || whole > AMOUNT_MAX) {
      throw new RangeError(`Cannot make money of ${amount} ${unit}: 0 to 2^64 - 1 wanted`);
    }
    return new Money(whole, unit);
  }

  /** `amount` sat. */
  static sat(amount: bigint | number): Money {
    return Money.of(amount, "sat");
  }

  /**
   * Reads what a user types: `21`, `21 sat`, `21sat`, `21000 msat`, `1_000`.
   *
   * @throws {SyntaxError}
   */
  static parse(text: string): Money {
    const found = /^\s*(\d[\d_]*)\s*(sats?|msats?)?\s*$/i.exec(text);
    const digits = found?.[1]?.replaceAll("_", "");
    if (digits === undefined || digits.length > 20 || BigInt(digits) > AMOUNT_MAX) {
      throw new SyntaxError(
        `Cannot read the amount "${
          text.slice(0, 40)
        }": a whole number wanted, such as 21 or "21 sat"`,
      );
    }
    return Money.of(BigInt(digits), found?.[2]?.toLowerCase().startsWith("m") ? "msat" : "sat");
  }

  /** The sum. @throws {TypeError} If the units differ. */
  plus(other: Money): Money {
    this.#assertSameUnit(other);
    return Money.of(this.amount + other.amount, this.unit);
  }

  /** The difference. @throws {RangeError} If `other` is more. */
  minus(other: Money): Money {
    this.#assertSameUnit(other);
    return Money.of(this.amount - other.amount, this.unit);
  }

  /** Negative, zero or positive, for sorting. */
  compare(other: Money): number {
    this.#assertSameUnit(other);
    return this.amount < other.amount ? -1 : this.amount > other.amount ? 1 : 0;
  }

  get isZero(): boolean {
    return this.amount === 0n;
  }

  /** The same value in `unit`, rounded up to a whole one. */
  ceilTo(unit: Unit): Money {
    const msat = this.amount * MSAT_OF[this.unit];
    return Money.of((msat + MSAT_OF[unit] - 1n) / MSAT_OF[unit], unit);
  }

  /** The same value in `unit`, rounded down to a whole one. */
  floorTo(unit: Unit): Money {
    return Money.of(this.amount * MSAT_OF[this.unit] / MSAT_OF[unit], unit);
  }

  /** As a number for JSON. @throws {RangeError} Above 2^53 - 1. */
  toNumber(): number {
    const number = Number(this.amount);
    if (!Number.isSafeInteger(number)) throw new RangeError(`${this} is too much for a number`);
    return number;
  }

  /** `21 sat` */
  toString(): string {
    return `${this.amount} ${this.unit}`;
  }

  #assertSameUnit(other: Money): void {
    if (other.unit === this.unit) return;
    throw new TypeError(`Cannot reckon with ${this.unit} and ${other.unit} at once`);
  }
}
