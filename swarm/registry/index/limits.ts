/** Limits of the index, each with the reason for its size. */

/** A tag that was found unchanged, or a credential that was taken again, is written this seldom. */
export const FRESH_WRITE_MS: number = 5 * 60 * 1000;

/** Moments of tags and authorisations kept in memory between two writes. */
export const FRESH_MAX = 4096;

/** Mappings remembered: about 100 MB of index, and the layers of a hundred thousand images. */
export const MAPPINGS_MAX = 1_000_000;

/** Mappings forgotten at once when there are too many, the oldest first. */
export const MAPPINGS_DROPPED = 10_000;

/** Manifests whose parsed form is kept in memory. */
export const MANIFEST_CACHE_MAX = 256;

/** Entries of one page, whatever a client asks for. */
export const PAGE_MAX = 1000;

/** Referrers answered for one subject; more than that nobody attaches. */
export const REFERRERS_MAX = 4096;
