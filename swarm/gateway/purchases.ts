/**
 * What was bought lately, so that a broken download costs nothing again: within the grace time a
 * group that a purse paid for is sent once more for nothing. In all at most twice what was paid for.
 */
import type { Hash } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupSizeAt } from "../bao/geometry.ts";
import { PURCHASE_RUNS_MAX, PURCHASES_MAX } from "./limits.ts";

/** The groups of one blob that one purse paid for. */
export class Purchase {
  readonly #size: number;
  #groups: RangeSet = RangeSet.EMPTY;
  #paidBytes = 0;
  #againBytes = 0;
  expiresMs = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** How many bytes of `groups`, whole groups counted, would have to be paid for now. */
  owedBytes(groups: RangeSet): number {
    const wantedBytes = bytesOf(groups, this.#size);
    const boughtBytes = bytesOf(groups.intersect(this.#groups), this.#size);
    const freeBytes = Math.min(boughtBytes, this.#paidBytes - this.#againBytes);
    return wantedBytes - freeBytes;
  }

  /** Takes group `index` as one that is sent again; false when it must be paid for. */
  sendAgain(index: number): boolean {
    const size = groupSizeAt(index, this.#size);
    if (!this.#groups.has(index) || this.#againBytes + size > this.#paidBytes) return false;
    this.#againBytes += size;
    return true;
  }

  /** Whether group `index` was paid for within the grace time. */
  isBought(index: number): boolean {
    return this.#groups.has(index);
  }

  /** Notes that `groups` were paid for. */
  paid(groups: RangeSet, expiresMs: number): void {
    this.#paidBytes += bytesOf(groups, this.#size);
    const all = this.#groups.union(groups);
    // What is not remembered is sent again in exchange for money alone.
    if (all.runCount <= PURCHASE_RUNS_MAX) this.#groups = all;
    this.expiresMs = expiresMs;
  }

  /** Takes back {@link sendAgain} of what was not sent after all. */
  notSentAgain(bytes: number): void {
    this.#againBytes -= bytes;
  }

  /** Takes back {@link paid}. */
  notPaid(groups: RangeSet): void {
    this.#paidBytes -= bytesOf(groups, this.#size);
    this.#groups = this.#groups.subtract(groups);
  }
}

/** Purchases by purse and blob. */
export class Purchases {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #graceMs: number;
  /** The one opened longest ago first. */
  readonly #purchases = new Map<string, Purchase>();

  constructor(
    options: { readonly clock: Pick<Clock, "monotonicMs">; readonly graceMs: number },
  ) {
    this.#clock = options.clock;
    this.#graceMs = options.graceMs;
  }

  /** When what is paid now stops being sent again. */
  graceEndMs(): number {
    return this.#clock.monotonicMs() + this.#graceMs;
  }

  /** The purchase of `blob` by a purse, if there is one within its grace time. */
  find(viewerId: string, hash: Hash): Purchase | undefined {
    const known = this.#purchases.get(`${viewerId} ${hash}`);
    return known !== undefined && this.#clock.monotonicMs() < known.expiresMs ? known : undefined;
  }

  /** As {@link find}, or a new one that others of this purse will find. */
  open(viewerId: string, blob: { readonly hash: Hash; readonly size: number }): Purchase {
    const known = this.find(viewerId, blob.hash);
    if (known !== undefined) return known;
    const nowMs = this.#clock.monotonicMs();
    for (const [oldest, { expiresMs }] of this.#purchases) {
      if (this.#purchases.size < PURCHASES_MAX && nowMs < expiresMs) break;
      this.#purchases.delete(oldest);
    }
    const purchase = new Purchase(blob.size);
    purchase.expiresMs = this.graceEndMs();
    const key = `${viewerId} ${blob.hash}`;
    this.#purchases.delete(key);
    this.#purchases.set(key, purchase);
    return purchase;
  }
}

/** Content bytes of whole `groups` of a blob of `size` bytes. */
export function bytesOf(groups: RangeSet, size: number): number {
  let bytes = 0;
  for (const { start, end } of groups) {
    bytes += (end - start - 1) * GROUP_BYTES + groupSizeAt(end - 1, size);
  }
  return bytes;
}
