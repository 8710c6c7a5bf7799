/** Every bound and deadline of a cascade, each with a sentence. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** The libp2p protocol by which members of a fleet pass on bytes that they are still receiving. */
export const CASCADE_PROTOCOL = "/seedmint/cascade/1";

/**
 * Content is cut into so many parts at most, each with a tree of its own: a member passes on one part
 * to several others and the rest to hardly anybody, so that it sends no more than it receives.
 */
export const PARTS_MAX = 4;

/** Content is not cut into parts smaller than this: each costs a search and a request upstream. */
export const PART_BYTES_MIN = 2 * MIB;

/**
 * Children of a member over all parts, each a quarter of what it receives: those that ask it first,
 * who are as many as it receives, and one more.
 */
export const SEATS = 5;

/** Children in a part that is not the member's own, as long as it has no parent there: it begins. */
export const AWAY_SEATS = 1;

/** The same where content has one part: a tree that everybody serves in. */
export const WHOLE_SEATS = 3;

/** Children more, for who found no seat anywhere: a slower stream is better than one upstream. */
export const URGENT_SEATS = 1;

/** Members that ask the same member first: as many as it can take, so that all find a seat at once. */
export const ASK_ARITY = 4;

/** Members tried in place of the first one of all when that cannot be reached. */
export const BACKUP_COUNT = 3;

/** Members asked in one search. */
export const ASKS_MAX = 32;

/** Members asked before any seat will do: a search must not take longer than what it saves. */
export const CHOOSY_ASKS_MAX = 12;

/** Parents lost for one part before it is read from upstream. */
export const PARENTS_MAX = 24;

/** Members between a reader of upstream and its last descendant; longer ways are refused. */
export const PATH_MAX = 64;

/** Members named in one answer. */
export const PEERS_MAX = 8;

/** Addresses of a member in one message. */
export const ADDRS_MAX = 6;

/** Characters of one address. */
export const ADDR_LENGTH_MAX = 256;

/** Characters of a peer id. */
export const PEER_ID_LENGTH_MAX = 128;

/** Bytes of one message: a path, or a few peers with their addresses. */
export const MESSAGE_BYTES_MAX = 16 * KIB;

/** How long an answer to a question may take, dialling included, before the next member is asked. */
export const ANSWER_MS = 1_000;

/** A search that takes longer ends at upstream. */
export const SEARCH_MS = 2_500;

/** A member that could not be reached is not asked again for so long. */
export const AVOID_MS = 10_000;

/**
 * A member that found its seat elsewhere looks once more, after so long, whether the one above it in
 * the order has begun by now: so a fleet that starts within a moment ends up in one even tree.
 */
export const SETTLE_MS = 1_000;

/** So much later for each member between it and the first of all: those above have settled by then. */
export const SETTLE_PER_STEP_MS = 150;

/** A parent with nothing to send says so this often. */
export const TICK_MS = 400;

/** A parent that sends says this often how far it is itself. */
export const TIP_MS = 1_000;

/** Over so long it is judged how fast a parent sends. */
export const JUDGED_MS = 3_000;

/** A parent that has so many bytes more than it sent is the reason why they are not here. */
export const LAG_BYTES_MIN = MIB;

/** Such a parent is left when it sends fewer bytes a second. */
export const RATE_FLOOR = 256 * KIB;

/** And when it gets more than so many times what it sends. */
export const LAG_FACTOR_MAX = 3;

/** How often a child looks whether its parent still speaks. */
export const WATCH_MS = 200;

/** A parent that says nothing at all for so long is left. */
export const SILENCE_MS = 1_600;

/** A parent that ticks and brings no byte for so long is left, as its own parents have not acted. */
export const BYTELESS_MS = 5_000;

/** So much longer for each member between a child and upstream, so that the nearest acts alone. */
export const BYTELESS_PER_STEP_MS = 700;

/** Who had no byte for so long takes no children: it has nothing for them. */
export const STARVING_MS = 4_000;

/** Longer between two looks means that this process was busy, and no parent is to blame. */
export const LOOK_GAP_MS_MAX = 600;

/** Upstream may take so long to its first byte: connecting and its token dance included. */
export const UPSTREAM_FIRST_MS = 6_000;

/** Upstream that then sends nothing for so long is asked again from where it stopped. */
export const UPSTREAM_SILENCE_MS = 3_000;

/** Attempts at upstream without a byte in between. */
export const UPSTREAM_ATTEMPTS_MAX = 3;

/** The pause before the second attempt, more or less; it doubles. */
export const UPSTREAM_PAUSE_MS = 250;

/** How often a part that failed upstream looks for a member once more. */
export const ROUNDS_MAX = 3;

/** Bytes read from the growing file and sent at once: what one child costs in memory. */
export const PIECE_BYTES = 128 * KIB;

/** A child that takes nothing for so long is let go. */
export const CHILD_STALL_MS = 10_000;

/** A child's first message must have come after this time. */
export const ASK_MS = 5_000;

/** Streams of one member: parts of several layers at once. */
export const STREAMS_PER_PEER_MAX = 128;

/** Children over all contents. */
export const CHILDREN_MAX = 256;

/** Digests for which it is remembered who asked here, while this node does not fetch them itself. */
export const ROSTER_DIGESTS_MAX = 4_096;

/** Members remembered for one digest. */
export const ROSTER_PEERS_MAX = 16;

/** How long that is remembered: longer than a large layer takes on a slow line. */
export const ROSTER_MS = 120_000;
