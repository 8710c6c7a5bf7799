/** Limits of running programs and of reading the machine, each with the reason for its size. */

/** What a program may print before the rest is dropped: a container list of a thousand leases fits. */
export const OUTPUT_BYTES_MAX: number = 1024 * 1024;

/** A program of ours that takes longer than this hangs: making the largest file system takes a second. */
export const COMMAND_MS_MAX = 30_000;

/** Writing out what waits in memory: gigabytes to a slow disk. */
export const SYNC_MS_MAX = 300_000;

/** How long output may still arrive after a program ended: a child of its own may hold the pipe open. */
export const OUTPUT_LINGER_MS = 250;

/** Between the request to end and the end by force. */
export const KILL_GRACE_MS = 1_000;

/** Of a program's last line in an error: enough to tell, too little to flood a log. */
export const ERROR_LINE_CHARS_MAX = 300;
