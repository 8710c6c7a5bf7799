/** What is complete in the store, as a registry delivers it. */
import type { Bytes } from "../../../src/core/bytes.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { readWhole } from "../../read_whole.ts";
import type { BlobReader, BlobRecord, BlobStore } from "../../store/blob_store.ts";
import { MANIFEST_BYTES_MAX } from "../manifest/mod.ts";
import type { Digest } from "../names.ts";
import type { BlobDelivery } from "../ports.ts";
import { READ_BYTES } from "./limits.ts";

/**
 * Delivers a complete blob of the store, which is kept from eviction until the delivery ends; for HEAD
 * nothing is opened.
 *
 * @throws {SeedmintError} `not-found` if it went meanwhile.
 */
export async function openStoredBlob(
  store: Pick<BlobStore, "openReader">,
  blob: { readonly digest: Digest; readonly record: BlobRecord; readonly isHead: boolean },
): Promise<BlobDelivery> {
  const { digest, record, isHead } = blob;
  let reader = isHead ? undefined : await store.openReader(record.hash);
  return {
    digest,
    size: record.size,
    record,
    async *read({ start, end }, signal) {
      reader ??= await store.openReader(record.hash);
      yield* readRange(reader, { start, end, signal });
    },
    async [Symbol.asyncDispose]() {
      await reader?.[Symbol.asyncDispose]();
    },
  };
}

/** Bytes of a manifest that the store holds; undefined if it does not, or not whole. */
export async function readManifestBytes(
  store: Pick<BlobStore, "openReader" | "status">,
  hash: Hash,
): Promise<Bytes | undefined> {
  if (store.status(hash)?.state !== "complete") return undefined;
  try {
    return await readWhole(store, hash, MANIFEST_BYTES_MAX);
  } catch (error) {
    // Evicted or found damaged this very moment.
    if (isSeedmintError(error, "not-found")) return undefined;
    throw error;
  }
}

async function* readRange(
  reader: BlobReader,
  options: { readonly start: number; readonly end: number; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const { start, signal } = options;
  const end = Math.min(options.end, reader.size);
  const buffer = new Uint8Array(Math.max(0, Math.min(READ_BYTES, end - start)));
  for (let offset = start; offset < end;) {
    signal.throwIfAborted();
    const count = await reader.read(offset, buffer.subarray(0, end - offset));
    if (count === 0) return;
    yield buffer.subarray(0, count);
    offset += count;
  }
}
