/**
 * Content: BLAKE3 hashes, the Bao tree over chunk groups of 16 KiB, outboards, and verified ranges.
 * Bit-compatible with iroh's bao-tree at block size 4.
 *
 * Vocabulary: a *chunk* is BLAKE3's 1 KiB, a *group* is 16 of them and the unit of everything here;
 * a *chaining value* (CV) is what a subtree hashes to; a *parent* is the pair of its children's
 * chaining values; the *outboard* is all parents in pre-order.
 *
 * May import: `src/core`. Needs no permission, except that {@link HashPool} reads the files it is
 * given, and starts threads only where it may read this program's own folder.
 */
export * from "./geometry.ts";
export { BaoDecoder, type BaoDecoderOptions, type DecodedSink } from "./decoder.ts";
export {
  type HashedFile,
  type HashFileOptions,
  HashPool,
  type HashPoolOptions,
} from "./pool/hash_pool.ts";
export { hashBytes, Hasher, OutboardBuilder } from "./outboard.ts";
export {
  type KnownPair,
  PlainVerifier,
  type PlainVerifierOptions,
  verifiableStart,
} from "./plain_verifier.ts";
export { type EncodedItem, encodedItems, encodedSize, truncateRanges } from "./ranges.ts";
export type { Outboard } from "./tree.ts";
export { validateGroups, type ValidateOptions } from "./validate.ts";
