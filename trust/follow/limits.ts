/** How much a follower does, with the reason. */
import { CATALOG_BYTES_MAX } from "../catalog/mod.ts";

/** Bytes of a publication at an origin or from a peer: a seal and every version of a root. */
export const PUBLICATION_BYTES_MAX: number = 1024 * 1024;

/** Characters of a publication in an event: relays commonly take 64 KiB. */
export const EVENT_CHARS_MAX: number = 48 * 1024;

/** Versions of a root that are asked of the relays at a time. */
export const ROOTS_ASKED = 16;

/** Times that a refresh asks again for versions of a root: enough for the longest chain. */
export const ROOT_ROUNDS_MAX = 8;

/** Publications that one refresh looks at; each costs some signature checks. */
export const PUBLICATIONS_MAX = 64;

/** Catalogs whose seals are good that one refresh tries to get the bytes of. */
export const FETCHES_MAX = 4;

/** How long one way of finding may take. */
export const FIND_MS: number = 10_000;

/** How long the bytes of a catalog may take: the largest at 256 KiB/s, and a little. */
export const FETCH_MS: number = 5_000 + CATALOG_BYTES_MAX / 256;

/** How long an origin may take for a publication. */
export const ORIGIN_MS = 10_000;

/** Redirects of an origin that are followed. */
export const REDIRECTS_MAX = 4;

/** Catalogs that one node follows. */
export const FOLLOWS_MAX = 256;

/** Selectors and publishers of one follow. */
export const SELECTORS_MAX = 64;
export const PUBLISHERS_MAX = 16;

/** Places at which a publication says that the catalog's bytes are. */
export const PUBLICATION_URLS_MAX = 4;

/** Refusals, and troubles with ways of finding, that are told as problems of one catalog. */
export const PROBLEMS_MAX = 4;

/** Keys of one catalog whose highest sequence is kept: those of every root version that mattered. */
export const FLOORS_MAX = 256;

/** How often a catalog is looked for though no relay tells of a new one; give or take a fifth. */
export const REFRESH_MS: number = 30 * 60 * 1000;

/** After a start, so that a fleet that starts at once does not ask at once. */
export const START_JITTER_MS = 5_000;

/** After a relay told of a new one. */
export const LIVE_JITTER_MS = 10_000;

/** Waves of prefetching: a sixteenth of the fleet, as many again, then doubling. */
export const WAVES = 5;

/** From one wave to the next: what a release of some 100 MB takes from origin to the first. */
export const WAVE_MS = 30_000;
