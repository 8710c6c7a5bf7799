/** Limits of images, each with the reason for its size. */

/** Blobs of one image: an index of sixteen platforms with 127 layers each fits. */
export const IMAGE_BLOBS_MAX = 10_000;

/** Digests of manifests in the advert of an image: some are left for what the announcer adds. */
export const ADVERT_DIGESTS_MAX = 100;

/** An image is marked as used at most this often: the store's own clock of uses is as coarse. */
export const USE_INTERVAL_MS = 60_000;

/** Between two looks at what peers read, so that the blobs of an image grow old together. */
export const REFRESH_INTERVAL_MS: number = 10 * 60 * 1000;

/** Manifests whose last use is remembered. */
export const USES_MAX = 4096;

/** A manifest used within this time may belong to an image that is being pulled. */
export const FRESH_MS: number = 10 * 60 * 1000;

/** Entries of an archive: twice the blobs of the largest image, for its directories. */
export const TAR_ENTRIES_MAX: number = 2 * IMAGE_BLOBS_MAX;

/** Bytes of a long name or of attributes in an archive. */
export const TAR_EXTRA_BYTES_MAX: number = 64 * 1024;

/** Images in one layout or archive: what a registry of a small site exports at once. */
export const LAYOUT_IMAGES_MAX = 256;

/** Bytes of the file that says that a directory is a layout; it has about thirty. */
export const LAYOUT_FILE_BYTES_MAX = 4096;

/** Bytes hashed between two looks at whether anybody still waits. */
export const HASH_PIECE_BYTES: number = 1024 * 1024;

/** How long after an answer its image is marked as used: what asked is served by then. */
export const MARK_DELAY_MS = 1000;
