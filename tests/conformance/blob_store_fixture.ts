/** What the suite for blob stores and the tests of each store share. */
import { createHash } from "node:crypto";
import { type ErrorCode, isSeedmintError } from "../../src/core/errors.ts";
import { type Hash, type Sha256, sha256FromBytes } from "../../src/core/hash.ts";
import { type Range, RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, PARENT_BYTES } from "../../swarm/bao/geometry.ts";
import { encodedItems, hashBytes, OutboardBuilder } from "../../swarm/bao/mod.ts";
import type { BlobStore } from "../../swarm/store/mod.ts";

/** How a suite opens a store. */
export interface StoreOptions {
  readonly quotaBytes?: number;
  readonly childrenOf?: (bytes: Uint8Array) => Iterable<Hash>;
  readonly clock?: FakeNow;
}

/** A wall clock that a test moves. */
export class FakeNow {
  ms = 1_700_000_000_000;
  readonly nowMs = (): number => this.ms;
}

/** Opens an empty store, closed by the suite. */
export type OpenStore = (options: StoreOptions) => Promise<BlobStore>;

/** Sizes where something changes: none, a byte, a group and its neighbours, several levels. */
export const INTERESTING_SIZES = [
  0,
  1,
  1024,
  GROUP_BYTES - 1,
  GROUP_BYTES,
  GROUP_BYTES + 1,
  2 * GROUP_BYTES,
  3 * GROUP_BYTES + 5,
  1024 * 1024 + 1,
] as const;

/** Bytes that differ from group to group and from seed to seed. */
export function sampleBytes(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let index = 0; index < size; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
  return bytes;
}

/** The Bao response for `ranges` of `bytes`, made without any store. */
export function encodeBytes(bytes: Uint8Array, ranges: RangeSet): Uint8Array<ArrayBuffer> {
  const builder = new OutboardBuilder();
  builder.update(bytes);
  const { parents } = builder.finish();
  const parts: Uint8Array[] = [];
  for (const item of encodedItems(bytes.length, ranges)) {
    parts.push(
      item.kind === "parent"
        ? parents.subarray(item.offset, item.offset + PARENT_BYTES)
        : bytes.subarray(item.index * GROUP_BYTES, item.index * GROUP_BYTES + item.size),
    );
  }
  return joined(parts);
}

/** All `parts` in one. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** Ingests the response for `ranges` of `bytes`, pushed in pieces. */
export async function ingestBytes(
  store: BlobStore,
  bytes: Uint8Array,
  ranges: RangeSet = RangeSet.ALL,
  pieceBytes = 50_000,
): Promise<Range[]> {
  const verified: Range[] = [];
  await using ingest = await store.ingestEncoded(hashBytes(bytes), ranges, {
    size: bytes.length,
    onVerified: (range) => verified.push(range),
  });
  const encoded = encodeBytes(bytes, ranges);
  for (let at = 0; at < encoded.length; at += pieceBytes) {
    await ingest.push(encoded.subarray(at, at + pieceBytes));
  }
  await ingest.finish();
  return verified;
}

/** All that `store` holds of `hash`, read in one go. */
export async function readAll(store: BlobStore, hash: Hash): Promise<Uint8Array> {
  await using reader = await store.openReader(hash);
  const target = new Uint8Array(reader.size + 10);
  return target.subarray(0, await reader.read(0, target));
}

/** SHA-256 of `bytes`. */
export const sha256 = (bytes: Uint8Array): Sha256 =>
  sha256FromBytes(createHash("sha256").update(bytes).digest());

/** Whether an error is expected of `code`. */
export const hasCode = (code: ErrorCode) => (error: unknown): boolean =>
  isSeedmintError(error, code);

/** One sentence of the contract. */
export type Case = readonly [
  string,
  StoreOptions,
  (store: BlobStore, clock: FakeNow) => Promise<void>,
];

/** `bytes` in pieces. */
export function* slices(bytes: Uint8Array, pieceBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** A stand-in for the format of collections: the hashes, one a line, after a first line. */
export function collectionOf(children: readonly Hash[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(["children", ...children].join("\n"));
}

/** What {@link collectionOf} listed. */
export function childrenIn(bytes: Uint8Array): Hash[] {
  const [head, ...children] = new TextDecoder().decode(bytes).split("\n");
  if (head !== "children") throw new SyntaxError("not a collection");
  return children as Hash[];
}

/** Lets pending microtasks run. */
export async function turn(): Promise<void> {
  for (let count = 0; count < 5; count++) await Promise.resolve();
}
