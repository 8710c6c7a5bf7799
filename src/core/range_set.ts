/**
 * Immutable sets of non-negative integers, kept as sorted boundaries: members begin at every even
 * boundary and end before the next odd one. An odd count of boundaries means that the last run has
 * no end, which is how a requester asks for the end of a blob whose size it does not know yet.
 * The same representation as bao-tree's `ChunkRanges`.
 */
import { assert } from "./assert.ts";

/** A run of integers: `start` belongs to it, `end` does not. `end` may be `Infinity`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A set of non-negative integers; here nearly always of chunk groups. */
export class RangeSet {
  static readonly EMPTY: RangeSet = new RangeSet([]);
  static readonly ALL: RangeSet = new RangeSet([0]);

  /** Strictly ascending. */
  readonly boundaries: readonly number[];

  private constructor(boundaries: readonly number[]) {
    this.boundaries = boundaries;
  }

  /** All integers from `start` up to, not including, `end`. */
  static of(start: number, end: number = Infinity): RangeSet {
    assert(Number.isSafeInteger(start) && start >= 0, "a range starts at a non-negative integer");
    if (end <= start) return RangeSet.EMPTY;
    return new RangeSet(end === Infinity ? [start] : [start, end]);
  }

  /** The union of `ranges`, in any order. */
  static from(ranges: Iterable<Range>): RangeSet {
    const sorted = [...ranges].filter((range) => range.end > range.start)
      .sort((a, b) => a.start - b.start);
    const boundaries: number[] = [];
    let end = -1;
    for (const range of sorted) {
      if (range.start > end) {
        if (end >= 0) boundaries.push(end);
        boundaries.push(range.start);
        end = range.end;
      } else if (range.end > end) end = range.end;
      if (end === Infinity) break;
    }
    if (end >= 0 && end !== Infinity) boundaries.push(end);
    return new RangeSet(boundaries);
  }

  /**
   * Reads boundaries that came from outside.
   *
   * @throws {RangeError} If they are not strictly ascending safe non-negative integers.
   */
  static fromBoundaries(boundaries: readonly number[]): RangeSet {
    let previous = -1;
    for (const boundary of boundaries) {
      if (!Number.isSafeInteger(boundary) || boundary <= previous) {
        throw new RangeError(
          `Cannot read a range set: ascending non-negative integers wanted, ${boundary} found after ${previous}`,
        );
      }
      previous = boundary;
    }
    return new RangeSet([...boundaries]);
  }

  get isEmpty(): boolean {
    return this.boundaries.length === 0;
  }

  /** How many integers belong; `Infinity` when the last run has no end. */
  get count(): number {
    let count = 0;
    for (const range of this) count += range.end - range.start;
    return count;
  }

  /** How many runs there are. */
  get runCount(): number {
    return Math.ceil(this.boundaries.length / 2);
  }

  /** The least member, or undefined. */
  get first(): number | undefined {
    return this.boundaries[0];
  }

  *[Symbol.iterator](): Generator<Range> {
    for (let index = 0; index < this.boundaries.length; index += 2) {
      yield { start: this.boundaries[index]!, end: this.boundaries[index + 1] ?? Infinity };
    }
  }

  has(value: number): boolean {
    return (boundariesAtOrBelow(this.boundaries, value) & 1) === 1;
  }

  /** Whether every member of `other` belongs to this set. */
  includes(other: RangeSet): boolean {
    return other.subtract(this).isEmpty;
  }

  intersects(other: RangeSet): boolean {
    return !this.intersect(other).isEmpty;
  }

  equals(other: RangeSet): boolean {
    return this.boundaries.length === other.boundaries.length &&
      this.boundaries.every((boundary, index) => boundary === other.boundaries[index]);
  }

  union(other: RangeSet): RangeSet {
    return RangeSet.#merge(this, other, (a, b) => a || b);
  }

  intersect(other: RangeSet): RangeSet {
    return RangeSet.#merge(this, other, (a, b) => a && b);
  }

  subtract(other: RangeSet): RangeSet {
    return RangeSet.#merge(this, other, (a, b) => a && !b);
  }

  /** The members below `end`. */
  below(end: number): RangeSet {
    return this.intersect(RangeSet.of(0, end));
  }

  /** The `count` least members. */
  take(count: number): RangeSet {
    const taken: Range[] = [];
    let left = count;
    for (const range of this) {
      if (left <= 0) break;
      const end = Math.min(range.end, range.start + left);
      taken.push({ start: range.start, end });
      left -= end - range.start;
    }
    return RangeSet.from(taken);
  }

  toString(): string {
    return [...this].map((range) => `${range.start}..${range.end === Infinity ? "" : range.end}`)
      .join(",");
  }

  /** Walks both boundary lists once and keeps the integers for which `keep` holds. */
  static #merge(a: RangeSet, b: RangeSet, keep: (inA: boolean, inB: boolean) => boolean): RangeSet {
    const boundaries: number[] = [];
    let indexA = 0;
    let indexB = 0;
    let inside = false;
    while (indexA < a.boundaries.length || indexB < b.boundaries.length) {
      const at = Math.min(a.boundaries[indexA] ?? Infinity, b.boundaries[indexB] ?? Infinity);
      if (a.boundaries[indexA] === at) indexA++;
      if (b.boundaries[indexB] === at) indexB++;
      const now = keep((indexA & 1) === 1, (indexB & 1) === 1);
      if (now !== inside) boundaries.push(at);
      inside = now;
    }
    return new RangeSet(boundaries);
  }
}

/** How many of the ascending `boundaries` are `<= value`. */
function boundariesAtOrBelow(boundaries: readonly number[], value: number): number {
  let low = 0;
  let high = boundaries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (boundaries[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
