/**
 * Who asks whom. Every member puts the members into the same order for one part of one content, from
 * their names alone, so that nobody has to talk about it: a heap in which each member asks the one
 * above it, and that one the next, until somebody who is at it is found. The first of all is where
 * those meet who have nobody in between.
 */
import { createHash } from "node:crypto";
import type { Sha256 } from "../../src/core/hash.ts";
import { ASK_ARITY, BACKUP_COUNT, PART_BYTES_MIN, PARTS_MAX } from "./limits.ts";

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

/** Where one member stands for one content. */
interface Place {
  readonly peerId: string;
  /** What it is ordered by. */
  readonly rank: string;
  /** The part that it is to pass on. */
  readonly home: number;
}

/** The part of `sha256` that `peerId` is to pass on to several others. */
export function homeOf(sha256: Sha256, peerId: string, partCount: number): number {
  return placeOf(sha256, peerId, partCount).home;
}

function placeOf(sha256: Sha256, peerId: string, partCount: number): Place {
  const rank = createHash("sha256").update(`${sha256} ${peerId}`).digest("hex");
  return { peerId, rank, home: Number.parseInt(rank.slice(-4), 16) % partCount };
}

/** The order of the members for one content; made once, asked for each part. */
export class Order {
  /** Peer ids for each part. */
  readonly #ids: readonly (readonly string[])[];

  constructor(
    options: {
      readonly sha256: Sha256;
      readonly members: Iterable<string>;
      readonly partCount: number;
    },
  ) {
    const { sha256, partCount } = options;
    const places = [...new Set(options.members)]
      .map((peerId) => placeOf(sha256, peerId, partCount))
      .sort((a, b) => a.rank < b.rank ? -1 : 1);
    // Members that have the part as their own come first: others end up below them.
    this.#ids = Array.from({ length: partCount }, (_, part) => {
      const own = places.filter((place) => place.home === part);
      const others = places.filter((place) => place.home !== part);
      return [...own, ...others].map((place) => place.peerId);
    });
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
    const own = ids.indexOf(peerId);
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
