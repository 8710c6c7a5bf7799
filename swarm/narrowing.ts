/**
 * What a fetched blob is stored as. The user's word counts first; after it, a provider or a
 * collection may only narrow who sees a blob, and never changes one that is here already and not
 * public: whoever lists a private blob, or grants it, does not publish it.
 */
import type { Hash } from "../src/core/hash.ts";
import type { BlobAttributes, BlobStore, Visibility } from "./store/blob_store.ts";

type Known = Pick<BlobStore, "status">;

/** The attributes of `hash`, of which its provider says that it is of this visibility. */
export function narrowedAttributes(
  store: Known,
  blob: { readonly hash: Hash; readonly visibility: Visibility | undefined },
  given: BlobAttributes | undefined,
): BlobAttributes {
  const { hash, visibility } = blob;
  if (visibility === undefined || visibility === "public") return given ?? {};
  if (given?.visibility !== undefined) return given;
  const known = store.status(hash)?.visibility ?? "public";
  return known === "public" ? { ...given, visibility } : given ?? {};
}

/** The attributes of `child`, which comes as a part of the collection `root`. */
export function childAttributes(
  store: Known,
  blob: { readonly root: Hash; readonly child: Hash },
  given: BlobAttributes | undefined,
): BlobAttributes {
  const { root, child } = blob;
  // A blob that was here before the collection stays as it is.
  if (store.status(child) !== undefined) return given ?? {};
  const visibility = store.status(root)?.visibility;
  return narrowedAttributes(store, { hash: child, visibility }, given);
}
