/** What people and programs are told of an image. */
import type { Hash } from "../../../src/core/hash.ts";
import type { BlobStore, Visibility } from "../../store/blob_store.ts";
import type { ImageRow, RegistryIndex } from "../index/mod.ts";
import type { Platform } from "../manifest/mod.ts";
import type { Digest, RepositoryName } from "../names.ts";

/** One image, for people and programs. */
export interface ImageInfo {
  readonly name: RepositoryName;
  /** Tags that point to it, as last seen. */
  readonly tags: readonly string[];
  /** Of the manifest or index that it is named by. */
  readonly digest: Digest;
  /** The blob that lists all of it. */
  readonly collection: Hash;
  readonly platforms: readonly Platform[];
  /** Bytes of all that it is made of. */
  readonly size: number;
  /** Bytes of it that no other image has: what removing it frees. */
  readonly ownSize: number;
  readonly visibility: Visibility;
  readonly isPinned: boolean;
  /** Whether every byte of it is here and as it should be. */
  readonly isWhole: boolean;
  /** Milliseconds since 1970. */
  readonly addedMs: number;
  /** Milliseconds since 1970; exact to a minute. */
  readonly lastUsedMs: number;
}

/** What is told of an image. */
export function infoOf(
  { store, index }: { readonly store: BlobStore; readonly index: RegistryIndex },
  row: ImageRow,
): ImageInfo {
  const root = store.status(row.collection);
  let ownSize = 0;
  let isWhole = root?.state === "complete";
  for (const { hash } of index.images.blobsOf(row.collection)) {
    const record = store.status(hash);
    if (record?.state !== "complete") isWhole = false;
    const isShared = index.images.madeOf(hash).some(({ collection }) =>
      collection !== row.collection
    );
    if (!isShared) ownSize += record?.size ?? 0;
  }
  return {
    name: row.name,
    tags: index.tags.of(row.name, row.digest),
    digest: row.digest,
    collection: row.collection,
    platforms: row.platforms,
    size: row.size,
    ownSize,
    visibility: row.visibility,
    isPinned: root?.pinned ?? false,
    isWhole,
    addedMs: row.addedMs,
    lastUsedMs: root?.lastUsedMs ?? row.addedMs,
  };
}
