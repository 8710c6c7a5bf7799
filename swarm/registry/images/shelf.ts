/** Manifests that are here, wherever they came from: remembered by the index, or found in the store. */
import type { Bytes } from "../../../src/core/bytes.ts";
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type { BlobStore } from "../../store/blob_store.ts";
import type { ManifestEntry, RegistryIndex } from "../index/mod.ts";
import { readManifestBytes } from "../local/mod.ts";
import { MANIFEST_BYTES_MAX, parseManifest } from "../manifest/mod.ts";
import { type Digest, sha256Of } from "../names.ts";

/** Reads manifests by digest. */
export class Shelf {
  readonly #store: BlobStore;
  readonly #index: RegistryIndex;

  constructor(parts: { readonly store: BlobStore; readonly index: RegistryIndex }) {
    this.#store = parts.store;
    this.#index = parts.index;
  }

  /** The manifest, if its bytes are here; one that the index does not know is read and remembered. */
  async find(digest: Digest, mediaType?: string): Promise<ManifestEntry | undefined> {
    const known = this.#index.manifests.get(digest);
    if (known !== undefined && this.#store.status(known.hash)?.state === "complete") return known;
    const record = this.#store.findBySha256(sha256Of(digest));
    if (record?.state !== "complete" || record.size > MANIFEST_BYTES_MAX) return undefined;
    const bytes = await readManifestBytes(this.#store, record.hash);
    if (bytes === undefined) return undefined;
    const manifest = parseManifest(mediaType ?? record.mediaType, bytes);
    if (manifest.digest !== digest) throw wrongDigest(digest);
    this.#index.manifests.put(manifest, record.hash);
    return this.#index.manifests.get(digest);
  }

  /** The bytes of a small blob; undefined if it is not here or larger than a manifest. */
  async bytesOf(digest: Digest): Promise<Bytes | undefined> {
    const record = this.#store.findBySha256(sha256Of(digest));
    if (record?.state !== "complete" || record.size > MANIFEST_BYTES_MAX) return undefined;
    return await readManifestBytes(this.#store, record.hash);
  }
}

/** Whether `error` says that what should be a manifest is none. */
export function isNoManifest(error: unknown): boolean {
  return isSeedmintError(error, "invalid");
}

function wrongDigest(digest: Digest): SeedmintError {
  return new SeedmintError(
    "corrupt",
    `Cannot read the manifest ${digest}: the bytes here have another digest; verify the store`,
  );
}
