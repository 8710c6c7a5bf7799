/**
 * What the registry knows besides bytes, in one SQLite file: which manifests there are and what they
 * list, what belongs to which repository, where tags point, which images are kept, and uploads under
 * way. The bytes of manifests and blobs lie in the blob store alone; losing this file loses no byte.
 *
 * Vocabulary: a *member* is a manifest or blob that a repository has; it is *private* while it was only
 * ever had with a credential; an *authorisation* is the moment our credential was last taken for a
 * repository; an *image* is a manifest kept whole, as a collection; a *mapping* says which blob has a SHA-256.
 *
 * May import: `src/core`, `src/sqlite`, `swarm/registry/{names,ports}.ts`, `swarm/registry/manifest`.
 */
export type { Authorizations } from "./authorizations.ts";
export type { ImageBlob, ImageRow, Images as ImageTable, NewImage } from "./images.ts";
export type { ManifestEntry, Manifests } from "./manifests.ts";
export type { Mappings } from "./mappings.ts";
export type { MemberKind, Members } from "./members.ts";
export { LOCAL_REGISTRY, RegistryIndex } from "./registry_index.ts";
export type { TagRow, Tags } from "./tags.ts";
export type { UploadRow, Uploads } from "./uploads.ts";
