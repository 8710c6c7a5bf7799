/**
 * Who asks whom. Every member puts the members into the same order for one part of one content, from
 * their names alone, so that nobody has to talk about it: a heap in which each member asks the one
 * above it, and that one the next, until somebody who is at it is found. The first of all is where
 * those meet who have nobody in between.
 */
import { createHash } from "node:crypto";
import { ASK_ARITY, BACKUP_COUNT, PART_BYTES_MIN, PARTS_MAX } from "./limits.ts";
import type { ContentDigest } from "./names.ts";

/** A stretch of the content, from `start` up to, never including, `end`. */
export interface Part {
  readonly index: number;
  readonly start: number;
  readonly end: number;
}

/** How content of `size` bytes is cut. The same at every member, or they would not match. */
export function partsOf(size: number): readonly Part[] {
  const count = Math.max(1, Math.min(PARTS_MAX, Math.floor(size / PART_BYTES_MIN)));
  const bounds = Array.from({ length: count + 1 }, (_, at) => Math.floor((size * at) / count));
  return Array.from({ length: count }, (_, index) => ({
    index,
    start: bounds[index]!,
    end: bounds[index + 1]!,
  }));
}

/** The order of the members for one content; made once, asked for each part. */
export class Order {
  /** Peer ids for each part. */
  readonly #ids: readonly (readonly string[])[];
  readonly #homes: ReadonlyMap<string, number>;
  /** Where each stands, for each part. */
  readonly #places: readonly ReadonlyMap<string, number>[];

  constructor(
    options: {
      readonly digest: ContentDigest;
      readonly members: Iterable<string>;
      readonly partCount: number;
    },
  ) {
    const { digest, partCount } = options;
    const ids = [...new Set(options.members)]
      .map((peerId) => ({ peerId, rank: rankOf(digest, peerId) }))
      .sort((a, b) => a.rank < b.rank ? -1 : 1)
      .map(({ peerId }) => peerId);
    this.#homes = new Map(ids.map((peerId, index) => [peerId, index % partCount]));
    // Members that have the part as their own come first: others end up below them.
    this.#ids = Array.from({ length: partCount }, (_, part) => [
      ...ids.filter((_id, index) => index % partCount === part),
      ...ids.filter((_id, index) => index % partCount !== part),
    ]);
    this.#places = this.#ids.map((own) => new Map(own.map((peerId, index) => [peerId, index])));
  }

  /** The part that `peerId`, one of the members, is to pass on to several others. */
  homeOf(peerId: string): number {
    return this.#homes.get(peerId)!;
  }

  /**
   * Whom `peerId`, one of the members, asks for a part: those above it in the heap, the nearest first,
   * and then those who stand in for the first of all.
   */
  above(
    peerId: string,
    part: number,
  ): { readonly ancestors: readonly string[]; readonly backups: readonly string[] } {
    const ids = this.#ids[part]!;
    const own = this.#places[part]!.get(peerId)!;
    const ancestors: string[] = [];
    for (let at = own; at > 0;) {
      at = Math.floor((at - 1) / ASK_ARITY);
      ancestors.push(ids[at]!);
    }
    const backups = ids.slice(1, Math.min(1 + BACKUP_COUNT, Math.max(1, own)))
      .filter((id) => !ancestors.includes(id));
    return { ancestors, backups };
  }
}

function rankOf(digest: ContentDigest, peerId: string): string {
  return createHash("sha256").update(`${digest} ${peerId}`).digest("hex");
}
