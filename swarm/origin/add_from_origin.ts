/** Adding a blob that is known only by where it is and, perhaps, by its SHA-256. */
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { Origin } from "../ports.ts";
import type { BlobAttributes, BlobRecord, BlobStore } from "../store/blob_store.ts";

/** Options of {@link addFromOrigin}. */
export interface AddFromOriginOptions {
  readonly store: BlobStore;
  readonly origin: Origin;
  readonly sha256?: Sha256;
  readonly hash?: Hash;
  readonly attributes?: BlobAttributes;
  readonly signal?: AbortSignal;
  /** Called with the bytes so far, and with the size if the origin tells it. */
  readonly onProgress?: (progress: { readonly bytes: number; readonly size?: number }) => void;
}

/**
 * Reads a blob from `origin` into the store, and keeps it only if it hashes to what is expected.
 * Its BLAKE3 is in the record. A blob that is here already is not read again.
 *
 * @throws {SeedmintError} `corrupt` if the origin sent something else: nothing is kept; and what
 * {@link Origin.open} throws.
 */
export async function addFromOrigin(options: AddFromOriginOptions): Promise<BlobRecord> {
  const { store, origin, sha256, hash } = options;
  const known = (sha256 === undefined ? undefined : store.findBySha256(sha256)) ??
    (hash === undefined ? undefined : store.status(hash));
  if (known?.state === "complete") return known;
  const signal = options.signal ?? new AbortController().signal;
  const opened = await origin.open({ offset: 0, signal });
  if (opened.offset !== 0) {
    await opened.body.cancel();
    throw new SeedmintError("protocol", `Cannot add from origin ${origin.id}: it left out bytes`);
  }
  const size = opened.size;
  try {
    return await store.importStream(opened.body, {
      ...options.attributes,
      signal,
      onProgress: (bytes) => options.onProgress?.(size === undefined ? { bytes } : { bytes, size }),
      expected: {
        ...(hash === undefined ? {} : { hash }),
        ...(sha256 === undefined ? {} : { sha256 }),
      },
    });
  } catch (error) {
    if (!isSeedmintError(error, "corrupt")) throw error;
    throw new SeedmintError(
      "corrupt",
      `Cannot add from origin ${origin.id}: its bytes are not those that the digest names; nothing was kept`,
      { cause: error },
    );
  }
}
