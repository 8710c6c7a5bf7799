/** Every bound of running a fetch, each with a sentence. */

/** How often the scheduler looks at the time: a tenth of its shortest deadline and less. */
export const TICK_MS = 50;

/** Verified groups are told to the scheduler in runs of up to 1 MiB, or at the next tick. */
export const TOLD_GROUPS_MAX = 64;

/** Discovery that found nobody after this time counts as ended; late hints are still taken. */
export const DISCOVERY_MS_MAX = 15_000;

/** How long sources may take to let go after they were told to stop. */
export const STOP_MS_MAX = 1000;

/** Progress is told at most this often. */
export const PROGRESS_MS = 100;

/** Times a fetch starts anew because the store lost what it had: an eviction, or a removal. */
export const ROUND_COUNT_MAX = 3;

/** A child of a collection larger than this is fetched like a blob, from several sources. */
export const SMALL_CHILD_BYTES_MAX = 1024 * 1024;

/** Small children in one request, so that its list and what a lost connection costs stay bounded. */
export const CHILDREN_PER_RUN_MAX = 16_384;

/** Small children in one request at least, where so many are left: less is not worth a round trip. */
export const CHILDREN_PER_RUN_MIN = 64;

/** Bytes of small children in one request. */
export const CHILD_RUN_BYTES_MAX = 64 * 1024 * 1024;

/** Large children fetched at the same time. */
export const LARGE_CHILDREN_MAX = 4;

/** Providers asked for runs of small children at the same time. */
export const CHILD_SOURCES_MAX = 8;

/** Children fetched one by one, from origins of their own or as a last resort, at the same time. */
export const SINGLE_CHILDREN_MAX = 8;

/** A run of children without a child or a byte for so long is asked elsewhere. */
export const CHILD_PROGRESS_MS = 2000;

/** Small children still missing after so long are bought although a cheaper provider is at work. */
export const CHILD_CHEAPER_FIRST_MS = 5000;

/** Failures of one provider in a row after which it is not asked for more children. */
export const CHILD_FAILURES_MAX = 3;

/** Sources looked at in one fetch; a little more than the scheduler remembers. */
export const FETCH_SOURCES_MAX = 80;
