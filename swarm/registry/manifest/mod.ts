/**
 * Manifests as registries keep them: OCI image manifests and indexes, Docker's of schema 2, and the
 * artifact manifest of old. They are read strictly, and never changed: a manifest is its bytes.
 *
 * Vocabulary: a *manifest* lists blobs (an *image* its configuration and layers, an *artifact* whatever
 * it is made of), an *index* lists manifests; a *descriptor* is one entry of either; the *subject* is
 * the manifest that another one is about; a *foreign* layer is one that registries do not hand out.
 *
 * May import: `src/core`, `swarm/registry/{names,ports}.ts`.
 */
export { accepts } from "./accept.ts";
export { buildIndex, EMPTY_INDEX } from "./build_index.ts";
export { descriptorJson, descriptorOf } from "./descriptor.ts";
export { CHILDREN_MAX, INDEX_DEPTH_MAX, MANIFEST_BYTES_MAX } from "./limits.ts";
export {
  essenceOf,
  isIndexType,
  isManifestType,
  MANIFEST_TYPES,
  MEDIA_TYPES,
} from "./media_types.ts";
export {
  type ManifestKind,
  parseConfigPlatform,
  type ParsedManifest,
  parseManifest,
  referrerOf,
} from "./parse_manifest.ts";
export {
  formatPlatform,
  hostPlatform,
  isSamePlatform,
  matchesPlatform,
  parsePlatform,
  type Platform,
} from "./platform.ts";
export { digestOfBytes } from "./digest.ts";
