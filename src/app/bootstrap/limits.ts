/** Limits of setting up another host, each with its reason. */

/** How long a host may take to answer at all, in seconds. */
export const CONNECT_S_MAX = 15;

/** One look at the host, in milliseconds: it runs a few dozen small programs. */
export const LOOK_MS_MAX = 60_000;

/** Installing packages on a slow line, in milliseconds. */
export const INSTALL_MS_MAX = 900_000;

/** Bringing a file of some hundred megabytes over a slow line, in milliseconds. */
export const UPLOAD_MS_MAX = 1_800_000;

/** How long the node there may take until it answers, in milliseconds. */
export const START_MS_MAX = 90_000;

/** Between two looks whether it does. */
export const START_POLL_MS = 1_000;

/** What the host may print, each stream: a hostile one prints without end. */
export const OUTPUT_BYTES_MAX: number = 256 * 1024;

/** Of the last lines of a program that failed. */
export const SHOWN_LINES_MAX = 12;
export const SHOWN_CHARS_MAX = 300;

/** Keys that a host may offer: there are four kinds in use. */
export const HOST_KEYS_MAX = 16;

/** Free disk below which nothing is installed, in MiB: runtime, program and packages take 400. */
export const DISK_MB_MIN = 1_024;

/** How far the host's clock may be off, in seconds: offers dated 15 minutes ahead are not read. */
export const CLOCK_OFF_S_MAX = 60;

/** Files of the program and their bytes: there are some 1,100 of 6 MB. */
export const TREE_FILES_MAX = 20_000;
export const TREE_BYTES_MAX: number = 256 * 1024 * 1024;

/** Looks whether a node that answers lends, too: its engine and its mints are asked within seconds. */
export const LENDING_TRIES_MAX = 8;
