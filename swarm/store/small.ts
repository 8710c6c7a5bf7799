/** What is done to bytes that are in memory: digests, and the check of small blobs. */
import { createHash } from "node:crypto";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import { sha256FromBytes } from "../../src/core/hash.ts";
import { hashBytes, OutboardBuilder } from "../bao/mod.ts";
import type { BlobAttributes, ImportOptions, IngestOptions } from "./blob_store.ts";
import { INLINE_BYTES_MAX } from "./limits.ts";
import { unexpectedError } from "./store_error.ts";

/** SHA-256 of what is in memory. */
export function sha256Of(bytes: Uint8Array): Sha256 {
  return sha256FromBytes(createHash("sha256").update(bytes).digest());
}

/** Hash, parents and SHA-256 of what is in memory. */
export function digestsOf(
  bytes: Uint8Array,
): { readonly hash: Hash; readonly sha256: Sha256; readonly parents: Uint8Array<ArrayBuffer> } {
  const builder = new OutboardBuilder();
  builder.update(bytes);
  const { hash, parents } = builder.finish();
  return { hash, parents, sha256: sha256Of(bytes) };
}

/** @throws {SeedmintError} `corrupt` unless `found` is what the importer expects. */
export function checkExpected(
  name: string,
  found: { readonly hash: Hash; readonly sha256: Sha256 },
  expected: ImportOptions["expected"],
): void {
  if (expected?.hash !== undefined && expected.hash !== found.hash) {
    throw unexpectedError(name, expected.hash, found.hash);
  }
  if (expected?.sha256 !== undefined && expected.sha256 !== found.sha256) {
    throw unexpectedError(name, `sha256:${expected.sha256}`, `sha256:${found.sha256}`);
  }
}

/** @throws {SeedmintError} `corrupt` unless every item is small and has its hash. */
export function checkSmall(
  items: readonly { readonly hash: Hash; readonly bytes: Uint8Array }[],
): void {
  for (const { hash, bytes } of items) {
    if (bytes.length > INLINE_BYTES_MAX) {
      throw new RangeError(
        `Cannot import ${hash} as a small blob: at most ${INLINE_BYTES_MAX} bytes wanted, ${bytes.length} found`,
      );
    }
    const found = hashBytes(bytes);
    if (found !== hash) throw unexpectedError("a small blob", hash, found);
  }
}

/** The attributes among `options`, without what else an ingest or an import is told. */
export function attributesIn(options: IngestOptions | ImportOptions): BlobAttributes {
  const { visibility, kind, mediaType, name, tag, pinned } = options;
  return {
    ...(visibility === undefined ? {} : { visibility }),
    ...(kind === undefined ? {} : { kind }),
    ...(mediaType === undefined ? {} : { mediaType }),
    ...(name === undefined ? {} : { name }),
    ...(tag === undefined ? {} : { tag }),
    ...(pinned === undefined ? {} : { pinned }),
  };
}

/** `stream`, which also ends with an error when `signal` is aborted while nothing comes. */
export function abortable(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  if (signal === undefined) return stream;
  return stream.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(), { signal });
}
