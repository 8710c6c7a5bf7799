/** Making an image of a collection that was fetched: somebody else made it, so it is checked. */
import { createHash } from "node:crypto";
import { SeedmintError } from "../../../src/core/errors.ts";
import { type Hash, type Sha256, sha256FromBytes } from "../../../src/core/hash.ts";
import { readCollection, readWhole } from "../../read_whole.ts";
import type { BlobStore } from "../../store/blob_store.ts";
import { MANIFEST_BYTES_MAX, MEDIA_TYPES, parseManifest } from "../manifest/mod.ts";
import { type Digest, sha256Of } from "../names.ts";
import { INDEX_FILE, layoutBlobs } from "./layout.ts";
import { HASH_PIECE_BYTES } from "./limits.ts";

/** What a collection turned out to be. */
export interface AdoptedLayout {
  /** The manifest or index that the image is named by. */
  readonly root: Digest;
  /** Digests of the blobs that are here, each checked. */
  readonly digests: readonly Digest[];
}

/**
 * Checks that the blobs of `collection` that are here have the digests that it names them by.
 *
 * @throws {SeedmintError} `protocol` if it is no collection, `invalid` if it is no image; `corrupt` if a
 * blob has another digest: whoever made the collection lied.
 */
export async function checkLayout(
  store: BlobStore,
  collection: Hash,
  options: { readonly signal?: AbortSignal } = {},
): Promise<AdoptedLayout> {
  const children = await readCollection(store, collection);
  const root = await rootOf(store, children.find(({ name }) => name === INDEX_FILE)?.hash);
  const digests: Digest[] = [];
  for (const { digest, hash } of layoutBlobs(children).values()) {
    if (store.status(hash)?.state !== "complete") continue;
    const sha256 = await sha256OfBlob(store, hash, options.signal);
    if (sha256 !== sha256Of(digest)) {
      throw new SeedmintError(
        "corrupt",
        `Cannot use the image ${collection}: its blob ${hash} has the digest sha256:${sha256}, and it ` +
          `is listed as ${digest}; take it from another publisher`,
      );
    }
    digests.push(digest);
  }
  return { root, digests };
}

/** The SHA-256 of a blob that is here whole; computed once, then the store knows it. */
export async function sha256OfBlob(
  store: BlobStore,
  hash: Hash,
  signal?: AbortSignal,
): Promise<Sha256> {
  const known = store.status(hash)?.sha256;
  if (known !== undefined) return known;
  await using reader = await store.openReader(hash);
  const hasher = createHash("sha256");
  const buffer = new Uint8Array(HASH_PIECE_BYTES);
  for (let offset = 0; offset < reader.size;) {
    signal?.throwIfAborted();
    const count = await reader.read(offset, buffer);
    if (count === 0) break;
    hasher.update(buffer.subarray(0, count));
    offset += count;
  }
  const sha256 = sha256FromBytes(hasher.digest());
  store.setAttributes(hash, { sha256 });
  return sha256;
}

async function rootOf(store: BlobStore, index: Hash | undefined): Promise<Digest> {
  if (index === undefined || store.status(index)?.state !== "complete") {
    throw noImage(`it has no ${INDEX_FILE}`);
  }
  const bytes = await readWhole(store, index, MANIFEST_BYTES_MAX);
  const [root, ...others] = parseManifest(MEDIA_TYPES.ociIndex, bytes).children;
  if (root === undefined || others.length > 0) {
    throw noImage(`its ${INDEX_FILE} does not name one manifest`);
  }
  return root.digest;
}

function noImage(why: string): SeedmintError {
  return new SeedmintError("invalid", `Cannot use the collection as an image: ${why}`);
}
