/** Reads small blobs in one piece. */
import type { Bytes } from "../src/core/bytes.ts";
import type { Hash } from "../src/core/hash.ts";
import { COLLECTION_BYTES_MAX, type CollectionChild, decodeCollection } from "./collection.ts";
import type { BlobStore } from "./store/blob_store.ts";

/**
 * All bytes of a complete blob, or the first `bytesMax + 1` of one that is larger, so that the
 * caller notices.
 */
export async function readWhole(
  store: Pick<BlobStore, "openReader">,
  hash: Hash,
  bytesMax: number,
): Promise<Bytes> {
  await using reader = await store.openReader(hash);
  const bytes = new Uint8Array(Math.min(reader.size, bytesMax + 1));
  let at = 0;
  while (at < bytes.length) {
    const count = await reader.read(at, bytes.subarray(at));
    if (count === 0) break;
    at += count;
  }
  return bytes.subarray(0, at);
}

/**
 * The children of a collection that the store holds whole.
 *
 * @throws {SeedmintError} `protocol` if the blob is no collection, `not-found` if it is not held.
 */
export async function readCollection(
  store: Pick<BlobStore, "openReader">,
  root: Hash,
): Promise<readonly CollectionChild[]> {
  return decodeCollection(await readWhole(store, root, COLLECTION_BYTES_MAX));
}
