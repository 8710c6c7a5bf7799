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
