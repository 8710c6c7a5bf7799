/** How much there may be of each thing in a catalog, with the reason. */

/** Bytes of a catalog: some 20,000 files with their hashes and origins. */
export const CATALOG_BYTES_MAX: number = 8 * 1024 * 1024;

/** Releases, images and files of one catalog, all together. */
export const ENTRIES_MAX = 20_000;

/** Files of one release: as many platforms and formats as anybody builds. */
export const RELEASE_FILES_MAX = 512;

/** Blobs of one image, over all its platforms: manifests, configurations and layers. */
export const IMAGE_BLOBS_MAX = 4096;

/** Blobs that all images of one catalog list together: each is held in memory by its digest. */
export const MAPPINGS_MAX = 60_000;

/** Places where one file may be had besides the swarm. */
export const ORIGINS_MAX = 8;

/** Characters of a URL, as browsers and servers hold it. */
export const URL_CHARS_MAX = 2048;

/** Characters of the name of a file or a release. */
export const NAME_CHARS_MAX = 255;

/** Characters of a version. */
export const VERSION_CHARS_MAX = 128;

/** Characters of a media type, and of an image's reference with its registry, repository and tag. */
export const MEDIA_TYPE_CHARS_MAX = 127;
export const REFERENCE_CHARS_MAX = 512;

/** Characters of what a release says about itself. */
export const NOTES_CHARS_MAX: number = 16 * 1024;

/** Bytes of a seal: its text is fixed but for signatures, of which there are few. */
export const SEAL_BYTES_MAX: number = 16 * 1024;

/** Days that a catalog holds unless its publisher says otherwise, and at most. */
export const CATALOG_DAYS = { usual: 30, max: 400 } as const;

/** How far ahead the clock of a publisher may be, in seconds. */
export const CATALOG_CLOCK_SKEW_S: number = 60 * 60;

/** The highest sequence: nobody gets there one by one, and there is room to count on. */
export const SEQUENCE_MAX: number = 2 ** 40;
