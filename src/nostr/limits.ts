/** Limits of the Nostr layer. A relay or a client is a stranger: each has a reason beside it. */

/** What one event may weigh. */
export interface EventLimits {
  /** UTF-16 units of `content`. */
  readonly contentCharsMax: number;
  readonly tagCountMax: number;
  /** Strings in one tag. */
  readonly tagItemCountMax: number;
  /** UTF-16 units of all tags together. */
  readonly tagCharsMax: number;
}

/** Events as common relays take them: a 64 KiB message with a long follow list fits. */
export const EVENT_LIMITS: EventLimits = {
  contentCharsMax: 128 * 1024,
  tagCountMax: 2500,
  tagItemCountMax: 64,
  tagCharsMax: 192 * 1024,
};

/** What one filter may ask. */
export interface FilterLimits {
  /** Values of all lists of one filter together. */
  readonly valueCountMax: number;
  /** UTF-16 units of one value. */
  readonly valueCharsMax: number;
  /** Different `#x` conditions in one filter. */
  readonly tagNameCountMax: number;
}

/** strfry's own limits are 3 tag conditions and 1,024 bytes a value; ours are near. */
export const FILTER_LIMITS: FilterLimits = {
  valueCountMax: 1000,
  valueCharsMax: 1024,
  tagNameCountMax: 4,
};

/** Limits of one WebSocket, ours and theirs. */
export interface SocketLimits {
  /** Bytes of one message; a longer one ends the connection before it is buffered. */
  readonly messageBytesMax: number;
  /** Bytes that may wait for a slow reader before it is cut off. */
  readonly queueBytesMax: number;
  /** Silence after which a ping is sent. */
  readonly pingMs: number;
  /** Further silence after which the connection is dead. */
  readonly pongMs: number;
  /** How long the other side may take to answer a close. */
  readonly closeMs: number;
}

/** A connection of the pool: relays send one event per message. */
export const CLIENT_SOCKET_LIMITS: SocketLimits = {
  messageBytesMax: 256 * 1024,
  queueBytesMax: 1024 * 1024,
  pingMs: 30_000,
  pongMs: 20_000,
  closeMs: 1000,
};

/** Bytes of an HTTP head, asked or answered: cookies and long header lines have no place here. */
export const HTTP_HEAD_BYTES_MAX = 8 * 1024;

/** Control frames (ping, pong, close) a second and at once, above which a socket is being flooded. */
export const CONTROL_FRAMES = { perSecond: 10, burst: 50 } as const;

/** How the pool treats its relays. */
export interface PoolLimits {
  readonly socket: SocketLimits;
  readonly event: EventLimits;
  /** Relays that one pool talks to. */
  readonly relayCountMax: number;
  /** From nothing to an open WebSocket. */
  readonly connectMs: number;
  /** From `EVENT` to `OK`, the connecting included. */
  readonly publishMs: number;
  /** From the start of a query to its `EOSE`, per relay, the connecting included. */
  readonly queryMs: number;
  /** Events that one relay may give to one query, whatever its `limit` says. */
  readonly queryEventsMax: number;
  /** Bytes that one relay may give to one query. */
  readonly queryBytesMax: number;
  /** Subscriptions open at a time on one relay; further queries wait. */
  readonly subscriptionsMax: number;
  /** Live subscriptions among them. */
  readonly liveSubscriptionsMax: number;
  /** Events a second taken from one relay; a faster one is read more slowly. */
  readonly eventsPerSecond: number;
  /** Events taken at once before {@link eventsPerSecond} holds. */
  readonly eventsBurst: number;
  /** A bad signature counts 10, anything else wrong 1; at this sum the relay is dropped. */
  readonly faultsMax: number;
  /** Events for subscriptions that are closed already; they are normal for a moment after. */
  readonly strayMessagesMax: number;
  /** Ids a subscription remembers to give each event once. */
  readonly seenIdsMax: number;
  /** Waiting time after a first failure; it doubles. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Waiting time of a relay that broke the protocol. */
  readonly penaltyMs: number;
  /** How long nothing is published to a relay that answered `rate-limited:`. */
  readonly rateLimitedMs: number;
  /** An unused connection is closed after this. */
  readonly idleMs: number;
  /** How long a new connection waits for the relay's own limits (NIP-11). */
  readonly informationGraceMs: number;
  /** Deadline of that fetch. */
  readonly informationMs: number;
  readonly informationBytesMax: number;
  /** How long an answer, or that there is none, is remembered. */
  readonly informationKeptMs: number;
}

/** Defaults of the pool. */
export const POOL_LIMITS: PoolLimits = {
  socket: CLIENT_SOCKET_LIMITS,
  event: EVENT_LIMITS,
  relayCountMax: 16,
  connectMs: 5000,
  publishMs: 7000,
  queryMs: 5000,
  queryEventsMax: 500,
  queryBytesMax: 2 * 1024 * 1024,
  subscriptionsMax: 16,
  liveSubscriptionsMax: 8,
  eventsPerSecond: 500,
  eventsBurst: 2000,
  faultsMax: 50,
  strayMessagesMax: 2000,
  seenIdsMax: 10_000,
  backoffMinMs: 1000,
  backoffMaxMs: 300_000,
  penaltyMs: 60_000,
  rateLimitedMs: 10_000,
  idleMs: 60_000,
  informationGraceMs: 300,
  informationMs: 3000,
  informationBytesMax: 64 * 1024,
  informationKeptMs: 3_600_000,
};
