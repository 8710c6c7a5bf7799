/** Limits of manifests, each with the reason for its size. */

/** Bytes of one manifest or index: what the distribution specification asks registries to take. */
export const MANIFEST_BYTES_MAX: number = 4 * 1024 * 1024;

/** What one manifest lists: images have at most 127 layers, artifacts of models some hundreds. */
export const CHILDREN_MAX = 4096;

/** Indexes within indexes that are followed: real ones have one level. */
export const INDEX_DEPTH_MAX = 4;

/** Annotations of one descriptor or manifest; build tools write about a dozen, the conformance suite 390. */
export const ANNOTATIONS_MAX = 1024;

/** Characters of a media type (RFC 6838 allows 127 and one slash between two names). */
export const MEDIA_TYPE_CHARS_MAX = 255;

/** Characters of a platform's part: the longest in use is `windows`. */
export const PLATFORM_CHARS_MAX = 64;

/** Media types looked at in what a client accepts; clients list about eight. */
export const ACCEPT_MAX = 64;
