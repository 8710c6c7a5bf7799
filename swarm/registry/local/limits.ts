/** Limits of the push registry, each with the reason for its size. */

/** Uploads under way: clients send at most ten layers at a time, and a few clients push at once. */
export const UPLOADS_MAX = 128;

/** An upload that nobody continues for so long is dropped: clients that resume do it in minutes. */
export const UPLOAD_IDLE_MS: number = 60 * 60 * 1000;

/** Bytes of one upload: larger than any layer, smaller than what fills most disks. */
export const UPLOAD_BYTES_MAX: number = 256 * 1024 * 1024 * 1024;

/** An orphan is dropped once it is so old: a push of many layers sends its manifest last. */
export const ORPHAN_MS: number = 24 * 60 * 60 * 1000;

/** Between two rounds of tidying up. */
export const TIDY_INTERVAL_MS: number = 10 * 60 * 1000;

/** Bytes read of the store at a time for a client. */
export const READ_BYTES: number = 1024 * 1024;

/** Random bytes of an upload's id: not to be guessed. */
export const UPLOAD_ID_BYTES = 16;
