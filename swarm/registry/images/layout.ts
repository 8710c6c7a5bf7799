/** An image as an OCI image layout: the names of its parts, and what they tell. */
import { utf8 } from "../../../src/core/bytes.ts";
import type { Hash } from "../../../src/core/hash.ts";
import type { CollectionChild } from "../../collection.ts";
import { type Digest, isDigest, sha256Of } from "../names.ts";

/** The file that says that a directory is a layout. */
export const LAYOUT_FILE = "oci-layout";

/** What is in it. */
export const LAYOUT_BYTES: Uint8Array<ArrayBuffer> = utf8('{"imageLayoutVersion":"1.0.0"}');

/** The index of a layout. */
export const INDEX_FILE = "index.json";

const BLOBS = "blobs/sha256/";

/** A blob of a layout, and of the swarm. */
export interface LayoutBlob {
  readonly digest: Digest;
  readonly hash: Hash;
  /** Bytes. */
  readonly size: number;
  readonly mediaType?: string;
}

/** The name of a blob in a layout. */
export function layoutName(digest: Digest): string {
  return `${BLOBS}${sha256Of(digest)}`;
}

/** The digest that a name in a layout claims; undefined for other files. */
export function layoutDigest(name: string): Digest | undefined {
  if (!name.startsWith(BLOBS)) return undefined;
  const digest = `sha256:${name.slice(BLOBS.length)}`;
  return isDigest(digest) ? digest : undefined;
}

/**
 * Which blob a collection says has which digest: as good as whoever made the collection, until the
 * SHA-256 of the bytes was checked. Files that are no blobs of a layout are left out.
 */
export function layoutBlobs(children: readonly CollectionChild[]): Map<Digest, LayoutBlob> {
  const blobs = new Map<Digest, LayoutBlob>();
  for (const { name, hash, size, mediaType } of children) {
    const digest = layoutDigest(name);
    if (digest === undefined) continue;
    blobs.set(digest, { digest, hash, size, ...(mediaType === undefined ? {} : { mediaType }) });
  }
  return blobs;
}
