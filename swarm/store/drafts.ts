/** Blobs whose size is claimed and not proven: one draft for each claim, bounded in number. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import { DRAFTS_MAX, DRAFTS_PER_BLOB_MAX } from "./limits.ts";

/** A claim. */
export interface Claim {
  readonly hash: Hash;
  /** Claimed size in bytes. */
  readonly size: number;
}

/** Drafts by hash and claimed size. */
export class Drafts<T extends Claim> {
  readonly #byHash: Map<Hash, Map<number, T>> = new Map();
  #count = 0;

  get(claim: Claim): T | undefined {
    return this.#byHash.get(claim.hash)?.get(claim.size);
  }

  /**
   * The draft of `claim`, made by `make` if it is the first.
   *
   * @throws {SeedmintError} `busy` when too many are open.
   */
  open(claim: Claim, make: () => T): T {
    const sizes = this.#byHash.get(claim.hash) ?? new Map<number, T>();
    const known = sizes.get(claim.size);
    if (known !== undefined) return known;
    if (sizes.size >= DRAFTS_PER_BLOB_MAX || this.#count >= DRAFTS_MAX) {
      throw new SeedmintError(
        "busy",
        `Cannot ingest blob ${claim.hash}: ${sizes.size} sizes are claimed for it and ${this.#count} blobs are being fetched without a proven size; try again later`,
        { retryable: true },
      );
    }
    const draft = make();
    this.#byHash.set(claim.hash, sizes.set(claim.size, draft));
    this.#count++;
    return draft;
  }

  /** Forgets one draft; says whether it was there. */
  delete(draft: T): boolean {
    const sizes = this.#byHash.get(draft.hash);
    if (sizes?.get(draft.size) !== draft) return false;
    sizes.delete(draft.size);
    this.#count--;
    if (sizes.size === 0) this.#byHash.delete(draft.hash);
    return true;
  }

  /** Forgets and returns all drafts of `hash`. */
  take(hash: Hash): T[] {
    const drafts = [...this.#byHash.get(hash)?.values() ?? []];
    for (const draft of drafts) this.delete(draft);
    return drafts;
  }

  *[Symbol.iterator](): Generator<T> {
    for (const sizes of [...this.#byHash.values()]) yield* [...sizes.values()];
  }
}
