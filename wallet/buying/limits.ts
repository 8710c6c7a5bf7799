/** Limits of buying, each with its reason. */

/** Bytes that one minimum top-up may pay for: what a seller who vanishes may keep twice of. */
export const TOP_UP_MIB_MAX = 256;

/** Sat that a minimum top-up may always be, however low the price: less is eaten by fees. */
export const TOP_UP_SAT_FREE = 64;

/** Longest that a seller may want payments locked, in minutes: what it never redeems is away so long. */
export const LOCKTIME_MIN_MAX = 24 * 60;

/** How much longer than that strips are locked, in minutes: so long can they be handed over. */
export const STRIP_USE_MIN = 60;

/** Mints of a seller that are looked at. */
export const SELLER_MINTS_MAX = 50;

/** Longest peer id taken as a name, in characters: one of Ed25519 has 52. */
export const PEER_ID_CHARS_MAX = 128;

/** A new strip is begun when so few top-ups are left: making one takes as long as several last. */
export const HIDDEN_LEFT_MIN = 3;

/**
 * Top-ups of the first strip of a fetch whose size nobody told; later ones have twice as many as it has
 * paid so far. What is locked and not needed is away for hours, and another seller may need it.
 */
export const STRIP_PARTS_FIRST = 4;

/** Longest time that making a strip takes before a session goes on without, swap between mints included. */
export const STRIP_MS = 30_000;

/** Ways to pay for a strip that are tried one after the other. */
export const STRIP_WAYS_MAX = 3;

/** Final refusals of payments after which a session stops: each is a top-up that may be gone. */
export const REFUSALS_MAX = 2;

/**
 * When a seller says that nothing is left, and by our own count there is more than a top-up, then bytes
 * are on their way: not one of them in so long, and it has cheated.
 */
export const REST_MS = 3_000;

/** What is told to be left is nothing when it buys less than this, in bytes: a chunk group. */
export const NOTHING_BYTES = 16_384;

/** Sellers keep unused credit so long; what is older is written off. */
export const CREDIT_AGE_MS_MAX = 7 * 24 * 3_600_000;

/**
 * Of what was verified, a seller may have sent this part more on streams that broke off: about as much as
 * the last ranges that are raced. It is given up, at most half a top-up at a time.
 */
export const WASTE_PART = 32n;

/**
 * What is used is written each time this part of a top-up more is: a process that is killed forgets less
 * than one such part. A power cut may forget what came since the last payment, but less than a top-up and
 * one such part: from a top-up on, the next write waits for the disk.
 */
export const USED_PER_WRITE = 4n;

/** Sessions of one seller at a time: each fetch has one. */
export const SESSIONS_PER_SELLER_MAX = 64;

/** Sellers remembered at a time that nothing is being bought of. */
export const IDLE_SELLERS_MAX = 1_000;
