/** What the rest of `swarm/bao` asks of a BLAKE3 implementation. */

/** Size of a chaining value, and of the root hash, in bytes. */
export const CV_BYTES = 32;

/** Size of {@link Kernel.window}: 64 chunk groups. */
export const WINDOW_BYTES = 2 ** 20;

/**
 * Computes chaining values. Every method reads its input and writes its output before it returns
 * and keeps neither.
 */
export interface Kernel {
  readonly name: "simd" | "plain";
  /**
   * Memory that the kernel reads without a copy: a caller may read a file into it and pass a view of
   * what it filled to {@link groupCv} or {@link groupCvs}. Any call with other bytes may overwrite
   * it, and so may a group that is not full, for a few bytes after its end.
   */
  readonly window: Uint8Array<ArrayBuffer>;
  /**
   * The chaining value of one chunk group, or with `isRoot` the hash of a blob that is one group.
   *
   * @param bytes At most 16 KiB; fewer only for the last group of a blob.
   * @param index Index of the group in its blob.
   * @param target Gets 32 bytes at `offset`.
   */
  groupCv(
    bytes: Uint8Array,
    index: number,
    isRoot: boolean,
    target: Uint8Array,
    offset: number,
  ): void;
  /**
   * The chaining values of consecutive full groups, none of them the root.
   *
   * @param bytes A multiple of 16 KiB.
   * @param firstIndex Index of the first group in its blob.
   * @param target Gets 32 bytes a group at `offset`.
   */
  groupCvs(bytes: Uint8Array, firstIndex: number, target: Uint8Array, offset: number): void;
  /**
   * The chaining value of one parent, or with `isRoot` the hash of the blob.
   *
   * @param pair 64 bytes: the chaining values of its children.
   * @param target Gets 32 bytes at `offset`.
   */
  parentCv(pair: Uint8Array, isRoot: boolean, target: Uint8Array, offset: number): void;
  /**
   * The chaining values of parents, none of them the root.
   *
   * @param pairs 64 bytes a parent.
   * @param target Gets 32 bytes a parent at `offset`; may be the same memory as `pairs` with
   * `offset` 0.
   */
  parentCvs(pairs: Uint8Array, target: Uint8Array, offset: number): void;
}
