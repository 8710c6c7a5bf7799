/** What is known of a blob besides its bytes: how attributes given later change what was known. */
import type { Sha256 } from "../../src/core/hash.ts";
import type { BlobAttributes, BlobKind, Visibility } from "./blob_store.ts";
import { TEXT_LENGTH_MAX } from "./limits.ts";

/** The part of a record that people and the network give, not the bytes. */
export interface Attributes {
  readonly kind: BlobKind;
  readonly visibility: Visibility;
  readonly pinned: boolean;
  readonly mediaType: string | undefined;
  readonly name: string | undefined;
  readonly sha256: Sha256 | undefined;
}

/** What a blob that nothing was said of has. */
export const DEFAULT_ATTRIBUTES: Attributes = {
  kind: "blob",
  visibility: "public",
  pinned: false,
  mediaType: undefined,
  name: undefined,
  sha256: undefined,
};

/**
 * What is known after `given` was said. What is given replaces what was known, except that `pinned`
 * only ever adds a pin and a collection stays one; what is not given stays, so that fetching a
 * private blob again does not publish it.
 */
export function mergeAttributes(
  known: Attributes | undefined,
  given: BlobAttributes & { readonly sha256?: Sha256 | undefined },
): Attributes {
  const base = known ?? DEFAULT_ATTRIBUTES;
  return {
    kind: given.kind === "collection" ? "collection" : base.kind,
    visibility: given.visibility ?? base.visibility,
    pinned: base.pinned || given.pinned === true,
    mediaType: given.mediaType ?? base.mediaType,
    name: given.name ?? base.name,
    sha256: given.sha256 ?? base.sha256,
  };
}

/** @throws {RangeError} If a text is empty or longer than a store keeps. */
export function checkAttributes(given: BlobAttributes): void {
  for (const field of ["mediaType", "name", "tag"] as const) {
    const text = given[field];
    if (text !== undefined) checkText(field, text);
  }
}

/** @throws {RangeError} If `text` is empty or longer than a store keeps. */
export function checkText(field: string, text: string): void {
  if (text.length === 0 || text.length > TEXT_LENGTH_MAX) {
    throw new RangeError(
      `Cannot set the ${field} of a blob: 1 to ${TEXT_LENGTH_MAX} characters wanted, ${text.length} found`,
    );
  }
}
