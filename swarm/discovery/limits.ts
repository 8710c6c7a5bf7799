/** Limits of discovery. Adverts are written by strangers; each limit has a reason beside it. */

/** What one advert may weigh, and how it ages. */
export const ADVERT_LIMITS = {
  /** UTF-16 units of the content before it is parsed at all: ours are below 3,000. */
  contentCharsMax: 8192,
  /** Tags of one advert. */
  tagCountMax: 256,
  /** SHA-256 digests of one advert: an image has one for each index and manifest. */
  digestCountMax: 128,
  addrCountMax: 16,
  /** Characters of one multiaddr: relayed addresses name two peers and stay below 200. */
  addrCharsMax: 256,
  mintCountMax: 16,
  mintCharsMax: 256,
  /** The least payment that an advert may name: a bitcoin in sat. Who wants more is not dealt with. */
  minTopUpSatMax: 100_000_000,
  /** The longest locktime that an advert may ask for, in minutes: 30 days. */
  locktimeMinMax: 30 * 24 * 60,
  /** Lifetime of what we publish; it is refreshed at a third of it. */
  lifetimeS: 3 * 3600,
  /** Lifetime of an advert that names none, as those of the seed system. */
  impliedLifetimeS: 6 * 3600,
  /** The longest lifetime believed, whatever an advert says: relays rarely delete. */
  lifetimeMaxS: 24 * 3600,
  /** How far in the future an advert may be dated: clocks differ. */
  futureS: 900,
  /** Lifetime of the signature that binds peer and Nostr key; it is renewed at half of it. */
  bindingS: 7 * 24 * 3600,
} as const;

/** How {@link NostrDiscovery} asks. */
export interface DiscoveryLimits {
  /** Authors whose adverts of one blob are looked at. */
  readonly authorsMax: number;
  /** Events asked of each relay for one blob. */
  readonly eventsMax: number;
  /** Different blobs that adverts may name for one SHA-256; all but one are lies or re-encodings. */
  readonly hashesPerDigestMax: number;
  /** Nodes whose adverts are kept to be asked for anything. */
  readonly nodesMax: number;
  /** Nodes given for one query after those that advertise the blob. */
  readonly nodeHintsMax: number;
  /** How long nodes wait for the adverts, which say more. */
  readonly advertsFirstMs: number;
  /** How long the list of nodes is gathered. */
  readonly gatherNodesMs: number;
  /** How long an answer is given again without asking. */
  readonly foundMs: number;
  /** How long it is remembered that nobody answered. */
  readonly nothingMs: number;
  /** How long the list of nodes is used before it is asked again. */
  readonly nodesMs: number;
  /** Queries whose answers are remembered. */
  readonly cacheEntriesMax: number;
}

/** Defaults of {@link NostrDiscovery}. */
export const DISCOVERY_LIMITS: DiscoveryLimits = {
  authorsMax: 32,
  eventsMax: 64,
  hashesPerDigestMax: 4,
  nodesMax: 128,
  nodeHintsMax: 16,
  advertsFirstMs: 300,
  gatherNodesMs: 1000,
  foundMs: 20_000,
  nothingMs: 2000,
  nodesMs: 60_000,
  cacheEntriesMax: 512,
};

/** How {@link NostrAnnouncer} publishes. */
export interface AnnouncerLimits {
  /** Blobs with adverts of their own; above it only collections, tagged and pinned blobs have one. */
  readonly singleBlobsMax: number;
  /** Adverts in any case. */
  readonly advertsMax: number;
  /** Changes within this time are published together. */
  readonly debounceMs: number;
  readonly publishesPerSecond: number;
  readonly publishesBurst: number;
  /** How long the other relays may still answer once one has taken an advert. */
  readonly graceMs: number;
  /** How often it is looked whether a relay that was down is back, to be given all adverts again. */
  readonly missedLookMs: number;
  /** Waiting time after no relay took an event; it doubles. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** How long it is remembered when a withdrawn advert was last published. */
  readonly withdrawnKeptS: number;
}

/** Defaults of {@link NostrAnnouncer}. */
export const ANNOUNCER_LIMITS: AnnouncerLimits = {
  singleBlobsMax: 1000,
  advertsMax: 5000,
  debounceMs: 200,
  publishesPerSecond: 5,
  publishesBurst: 100,
  graceMs: 500,
  missedLookMs: 300_000,
  retryMinMs: 2000,
  retryMaxMs: 300_000,
  withdrawnKeptS: 24 * 3600,
};

/** Peers that {@link StaticDiscovery} holds. */
export const STATIC_PEERS_MAX = 256;

/** Addresses kept of one peer when several sources name it. */
export const MERGED_ADDRS_MAX = 32;
