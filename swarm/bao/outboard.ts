/** Hashing a blob of unknown size as its bytes come: the hash alone, or with the outboard. */
import { type Hash, hashFromBytes } from "../../src/core/hash.ts";
import { GROUP_BYTES } from "./geometry.ts";
import { GroupCvs } from "./group_cvs.ts";
import { CV_BYTES, kernel } from "./kernel/mod.ts";
import { type Outboard, subtreeOfCvs } from "./tree.ts";

/**
 * Computes hash and outboard in one pass over the bytes. Keeps 32 bytes for every 16 KiB seen.
 *
 * @example
 * const builder = new OutboardBuilder();
 * for await (const bytes of stream) builder.update(bytes);
 * const { hash, size, parents } = builder.finish();
 */
export class OutboardBuilder {
  readonly #cvs = new GroupCvs();
  /** The group being filled. Group 0 waits here until it is known not to be the whole blob. */
  readonly #group = new Uint8Array(GROUP_BYTES);
  #filled = 0;
  #finished = false;

  /**
   * Takes the next bytes, which may be reused afterwards.
   *
   * @throws {TypeError} After {@link finish}.
   */
  update(bytes: Uint8Array): void {
    this.#assertUnfinished();
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#filled === GROUP_BYTES) {
        this.#cvs.appendGroup(this.#group, this.#cvs.count, false);
        this.#filled = 0;
      }
      if (this.#filled === 0 && rest.length > GROUP_BYTES) {
        rest = this.#takeWhole(rest);
        continue;
      }
      const taken = Math.min(rest.length, GROUP_BYTES - this.#filled);
      this.#group.set(rest.subarray(0, taken), this.#filled);
      this.#filled += taken;
      rest = rest.subarray(taken);
    }
  }

  /**
   * Ends the blob.
   *
   * @throws {TypeError} If called twice.
   */
  finish(): Outboard {
    this.#assertUnfinished();
    this.#finished = true;
    const size = this.#cvs.count * GROUP_BYTES + this.#filled;
    const isOneGroup = this.#cvs.count === 0;
    const last = this.#group.subarray(0, this.#filled);
    this.#cvs.appendGroup(last, this.#cvs.count, isOneGroup);
    const { cv, parents } = subtreeOfCvs(this.#cvs.bytes, true);
    return { hash: hashFromBytes(cv), size, parents };
  }

  /** Hashes whole groups straight from `bytes`, all but what may be the last one of the blob. */
  #takeWhole(bytes: Uint8Array): Uint8Array {
    const count = Math.ceil(bytes.length / GROUP_BYTES) - 1;
    const groups = bytes.subarray(0, count * GROUP_BYTES);
    this.#cvs.appendGroups(groups, this.#cvs.count);
    return bytes.subarray(groups.length);
  }

  #assertUnfinished(): void {
    if (this.#finished) {
      throw new TypeError("Cannot use a finished hasher or builder again: make a new one");
    }
  }
}

/** The hash of `bytes`. */
export function hashBytes(bytes: Uint8Array): Hash {
  if (bytes.length > GROUP_BYTES) return new Hasher().update(bytes).digest();
  const root = new Uint8Array(CV_BYTES);
  kernel.groupCv(bytes, 0, true, root, 0);
  return hashFromBytes(root);
}

/**
 * BLAKE3-256 of bytes as they come.
 *
 * @example
 * const hash = new Hasher().update(head).update(tail).digest();
 */
export class Hasher {
  readonly #builder = new OutboardBuilder();

  /**
   * Takes the next bytes, which may be reused afterwards.
   *
   * @throws {TypeError} After {@link digest}.
   */
  update(bytes: Uint8Array): this {
    this.#builder.update(bytes);
    return this;
  }

  /**
   * The hash of all bytes given.
   *
   * @throws {TypeError} If called twice.
   */
  digest(): Hash {
    return this.#builder.finish().hash;
  }
}
