/**
 * Parents and groups of a response that arrived together, hashed together: in a few calls of the
 * kernel, where a call, its views and a comparison for each would cost a fifth of the hashing.
 */
import { GROUP_BYTES, PARENT_BYTES } from "./geometry.ts";
import { CV_BYTES, kernel, WINDOW_BYTES } from "./kernel/mod.ts";

/** Where groups begin in the kernel's window: what is before is the kernel's own, for parents. */
const GROUPS_AT = GROUP_BYTES;

/** The most groups of one batch. */
export const BATCH_GROUPS_MAX = (WINDOW_BYTES - GROUPS_AT) / GROUP_BYTES;

/** The most parents of one batch: hashing them leaves the groups in the window alone. */
const PARENTS_MAX = GROUPS_AT / PARENT_BYTES;

/** Groups hashed as soon as so many were copied in, while they are in the core's cache. */
const HASH_GROUPS = 8;

const CV_WORDS = CV_BYTES / 4;

/** Chaining values as computed. One batch is hashed and compared at a time in a thread. */
const groupCvs = new Uint8Array(BATCH_GROUPS_MAX * CV_BYTES);
const parentCvs = new Uint8Array(PARENTS_MAX * CV_BYTES);
const groupWords = new Int32Array(groupCvs.buffer);
const parentWords = new Int32Array(parentCvs.buffer);

/** Copies the chaining value at word `from` of `source` to word `at` of `target`. */
export function copyCv(source: Int32Array, from: number, target: Int32Array, at: number): void {
  for (let word = 0; word < CV_WORDS; word++) target[at + word] = source[from + word]!;
}

function isSameCv(a: Int32Array, b: Int32Array, at: number): boolean {
  let difference = 0;
  for (let word = at; word < at + CV_WORDS; word++) difference |= a[word]! ^ b[word]!;
  return difference === 0;
}

/**
 * Items in response order, each with what it must hash to. None is proven before {@link proven} says
 * so, and all of them have to be added and looked at before anything else uses the kernel.
 */
export class Batch {
  /** A group by its place among the groups, a parent by -1 minus its place among the parents. */
  readonly #order = new Int16Array(BATCH_GROUPS_MAX + PARENTS_MAX);
  #count = 0;
  #isRootFirst = false;

  readonly #indexes = new Float64Array(BATCH_GROUPS_MAX);
  readonly #groups: Uint8Array[] = [];
  readonly #groupsExpected = new Int32Array(BATCH_GROUPS_MAX * CV_WORDS);
  #hashedCount = 0;

  readonly #pairs = new Uint8Array(PARENTS_MAX * PARENT_BYTES);
  /** The same bytes, for whoever takes chaining values out of them. */
  readonly pairWords: Int32Array = new Int32Array(this.#pairs.buffer);
  readonly #parentsExpected = new Int32Array(PARENTS_MAX * CV_WORDS);
  #parentCount = 0;

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#groups.length === BATCH_GROUPS_MAX || this.#parentCount === PARENTS_MAX;
  }

  clear(): void {
    this.#count = 0;
    this.#groups.length = 0;
    this.#hashedCount = 0;
    this.#parentCount = 0;
  }

  /** Takes group `index`; its chaining value is to be that at word `at` of `expected`. */
  addGroup(
    index: number,
    bytes: Uint8Array,
    isRoot: boolean,
    expected: Int32Array,
    at: number,
  ): void {
    const place = this.#groups.length;
    kernel.window.set(bytes, startOf(place));
    this.#groups.push(bytes);
    this.#indexes[place] = index;
    copyCv(expected, at, this.#groupsExpected, place * CV_WORDS);
    this.#add(place, isRoot);
    if (place + 1 - this.#hashedCount === HASH_GROUPS) this.#hashGroups();
  }

  /** Takes a parent, as {@link addGroup}. @returns The word of {@link pairWords} where it lies. */
  addParent(pair: Uint8Array, isRoot: boolean, expected: Int32Array, at: number): number {
    const place = this.#parentCount++;
    this.#pairs.set(pair, place * PARENT_BYTES);
    copyCv(expected, at, this.#parentsExpected, place * CV_WORDS);
    this.#add(-1 - place, isRoot);
    return place * 2 * CV_WORDS;
  }

  #add(item: number, isRoot: boolean): void {
    if (isRoot) this.#isRootFirst = true;
    else if (this.#count === 0) this.#isRootFirst = false;
    this.#order[this.#count++] = item;
  }

  /** Hashes everything. @returns How many items from the first on are what they must be. */
  proven(): number {
    this.#hashParents();
    this.#hashGroups();
    for (let item = 0; item < this.#count; item++) {
      const place = this.#order[item]!;
      const isSame = place >= 0
        ? isSameCv(groupWords, this.#groupsExpected, place * CV_WORDS)
        : isSameCv(parentWords, this.#parentsExpected, (-1 - place) * CV_WORDS);
      if (!isSame) return item;
    }
    return this.#count;
  }

  #hashParents(): void {
    if (this.#parentCount === 0) return;
    const pairs = this.#pairs.subarray(0, this.#parentCount * PARENT_BYTES);
    kernel.parentCvs(pairs, parentCvs, 0);
    if (this.#isRootFirst) kernel.parentCv(pairs.subarray(0, PARENT_BYTES), true, parentCvs, 0);
  }

  #hashGroups(): void {
    const { length } = this.#groups;
    const isAlone = this.#isRootFirst && this.#order[0] === 0;
    while (this.#hashedCount < length) {
      const first = this.#hashedCount;
      let end = first;
      while (end < length && this.#isFullAfter(first, end) && !isAlone) end++;
      this.#hashedCount = Math.max(end, first + 1);
      const bytes = this.groupBytes(first, this.#hashedCount);
      const index = this.#indexes[first]!;
      if (end > first) kernel.groupCvs(bytes, index, groupCvs, first * CV_BYTES);
      else kernel.groupCv(bytes, index, isAlone, groupCvs, first * CV_BYTES);
    }
  }

  /** Whether the group at `place` is full and follows those from `first` on without a gap. */
  #isFullAfter(first: number, place: number): boolean {
    return this.#groups[place]!.length === GROUP_BYTES &&
      this.#indexes[place] === this.#indexes[first]! + place - first;
  }

  /** The item's place: a group's, or -1 minus a parent's. */
  placeOf(item: number): number {
    return this.#order[item]!;
  }

  /** The bytes of the parent at `place`. */
  pairAt(place: number): Uint8Array {
    return this.#pairs.subarray(place * PARENT_BYTES, (place + 1) * PARENT_BYTES);
  }

  /** The group at `place` as it was given. */
  groupAt(place: number): Uint8Array {
    return this.#groups[place]!;
  }

  indexAt(place: number): number {
    return this.#indexes[place]!;
  }

  /** Groups from `first` up to `end` in the kernel's window, where they lie side by side. */
  groupBytes(first: number, end: number): Uint8Array {
    const last = this.#groups[end - 1]!;
    return kernel.window.subarray(startOf(first), startOf(end - 1) + last.length);
  }
}

function startOf(place: number): number {
  return GROUPS_AT + place * GROUP_BYTES;
}
