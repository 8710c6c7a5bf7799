/** Every bound and deadline of the mirror, each with its reason. */

/** What tests may shorten. */
export interface MirrorLimits {
  /** A source that was confirmed counts for so long: nobody pulls an image slower than that unless its
   * blobs are asked for, and then they are being fetched. */
  readonly confirmedMs: number;
  /** A registry that gave wrong bytes of a blob is not believed for so long that it has it: the client
   * asks it itself meanwhile. */
  readonly spoiledMs: number;
  /** What our credential was authorised for so long ago is private again. */
  readonly authorizedMs: number;
  /** A tag's registry may take so long while an earlier answer is known; then that one is given, stale. */
  readonly staleAfterMs: number;
  /** An upstream's answer about a manifest may take so long in all, redirects and tokens included. */
  readonly upstreamMs: number;
  /** Peers have so long to bring a manifest before its registry is asked as well. */
  readonly swarmFirstMs: number;
  /** Looking for peers ends after so long: whoever answers later is slower than the origin. */
  readonly lookMs: number;
  /** A peer is asked what it holds for so long. */
  readonly askMs: number;
  /** The same digest is looked for again after so long at the earliest. */
  readonly lookAgainMs: number;
  /** A blob's fetch waits so long for a peer before it begins at its registry. */
  readonly lookFirstMs: number;
  /** Before registries are asked whether they have an image's blobs, peers have so long to say so. */
  readonly confirmFirstMs: number;
  /** Confirming an image's blobs takes so long at most: a 404 after that is still quick. */
  readonly confirmMs: number;
  /** Under a stranger's hint, upstream joins when no byte came for so long. */
  readonly hintSilenceMs: number;
  /** It also joins when the hint's peers would need longer than this for the rest. */
  readonly hintLeftMs: number;
  /** How long a hint's peers have before their rate is held against them. */
  readonly hintGraceMs: number;
  /** When so long nothing came of a blob that clients read as it comes, its source is changed: the
   * registry brings it whole. */
  readonly streamStallMs: number;
  /** The SHA-256 of a blob that came as clients read it is checked when they have it, or so long after. */
  readonly unreadMs: number;
  /** A registry that sends nothing for so long has failed, and the client goes elsewhere. */
  readonly stallMs: number;
  /** An answer waits so long for its first bytes before its head goes out: what fails until then is a 404. */
  readonly headMs: number;
  /** A fetch whose last client left goes on for so long: clients reconnect. */
  readonly lingerMs: number;
  /** How often a reader looks whether what it waits for has come. */
  readonly pollMs: number;
  /** Who told a falsehood about a digest is not believed for so long. */
  readonly banMs: number;
}

/** The limits of a node. */
export const MIRROR_LIMITS: MirrorLimits = {
  confirmedMs: 10 * 60_000,
  spoiledMs: 10 * 60_000,
  authorizedMs: 60 * 60_000,
  staleAfterMs: 3000,
  upstreamMs: 8000,
  swarmFirstMs: 400,
  lookMs: 3000,
  askMs: 1000,
  lookAgainMs: 10_000,
  lookFirstMs: 400,
  confirmFirstMs: 100,
  confirmMs: 5000,
  hintSilenceMs: 2000,
  hintLeftMs: 15_000,
  hintGraceMs: 3000,
  streamStallMs: 6000,
  unreadMs: 2000,
  stallMs: 30_000,
  headMs: 5000,
  lingerMs: 5000,
  pollMs: 10,
  banMs: 24 * 60 * 60_000,
};

/** Answers being worked out at the same time; a client opens a handful. */
export const SHARED_MAX = 1024;

/** Peers looked at in one search. */
export const HINTS_MAX = 32;

/** Peers asked at the same time what they hold. */
export const ASKING_MAX = 8;

/** Digests of one image that peers are asked for: images have some dozens, models some hundreds. */
export const ASKED_DIGESTS_MAX = 1024;

/** Digests whose claims are remembered; the one used longest ago is forgotten first. */
export const CLAIMED_DIGESTS_MAX = 16_384;

/** Peers remembered for one digest. */
export const CLAIMS_PER_DIGEST_MAX = 16;

/** Liars remembered. */
export const BANNED_MAX = 4096;

/** Different blobs tried for one digest on strangers' words, before upstream alone is left. */
export const FALSE_HINTS_MAX = 3;

/** Registries are asked for this many of an image's blobs at the same time. */
export const CONFIRMING_MAX = 8;

/** Manifests that peers gave remembered, until their registry was asked: some seconds each. */
export const FROM_PEERS_MAX = 1024;

/** Confirmed sources remembered. */
export const CONFIRMED_MAX = 65_536;

/** Blobs being fetched at the same time; further clients are told to come again. */
export const FLIGHTS_MAX = 256;

/** Blobs of answered images fetched at the same time ahead of their clients. */
export const PREFETCHES_MAX = 4;

/** Images that are followed until they are whole; the oldest is let go first. */
export const PULLS_MAX = 256;

/** Bytes of one piece of a body. */
export const PIECE_BYTES: number = 256 * 1024;

/** Bytes of manifests kept in memory, so that one in use is answered without the disk. */
export const MANIFEST_CACHE_BYTES: number = 16 * 1024 * 1024;

/** The most referrers that an answer has, those of upstream and ours together. */
export const REFERRERS_MAX = 4096;
