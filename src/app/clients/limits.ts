/** Limits of looking at container clients. */

/** The largest file of a client that is read: containerd's own default dump is below 16 KiB. */
export const FILE_BYTES_MAX = 1 << 20;

/** The most files of one directory that are read: distributions ship fewer than ten. */
export const FILES_MAX = 1000;

/** How long a client may take to tell its version (in ms). */
export const VERSION_MS_MAX = 5_000;

/** How long a client may take to pull a few bytes (in ms): the daemons retry for a while. */
export const PULL_MS_MAX = 60_000;

/** How much of what a client printed is kept (in characters). */
export const OUTPUT_CHARS_MAX = 4_096;
