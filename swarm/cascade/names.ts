/** What content is known by while it is on its way: by either hash, as nobody knows the other one yet. */
import type { Hash, Sha256 } from "../../src/core/hash.ts";

/** SHA-256 or BLAKE3 of the whole content; which of them, its members know from whoever asked. */
export type ContentDigest = Sha256 | Hash;

/** Content by the hash that it is checked by. */
export type ContentName =
  | { readonly sha256: Sha256; readonly hash?: never }
  | { readonly hash: Hash; readonly sha256?: never };

/** The hash that `name` holds. */
export function digestIn(name: ContentName): ContentDigest {
  return name.sha256 ?? name.hash;
}

/** Content in words, for errors: `sha256:…` or `blob …`. */
export function wordsOf(name: ContentName): string {
  return name.sha256 === undefined ? `blob ${name.hash}` : `sha256:${name.sha256}`;
}
