/** Indexes that a registry writes itself: answers about referrers, and the one of a layout. */
import { utf8 } from "../../../src/core/bytes.ts";
import type { Descriptor, StoredManifest } from "../ports.ts";
import { descriptorJson } from "./descriptor.ts";
import { digestOfBytes } from "./digest.ts";
import { MEDIA_TYPES } from "./media_types.ts";

/** An OCI index of `manifests`, in the order given: the same ones give the same bytes. */
export function buildIndex(manifests: readonly Descriptor[]): StoredManifest {
  const bytes = utf8(JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: manifests.map(descriptorJson),
  }));
  return { digest: digestOfBytes(bytes), mediaType: MEDIA_TYPES.ociIndex, bytes };
}

/** What is answered about a manifest that nothing refers to. */
export const EMPTY_INDEX: StoredManifest = buildIndex([]);
