/** Limits of the embedded relay. Its clients are strangers: each limit has a reason beside it. */
import { EVENT_LIMITS, type EventLimits, FILTER_LIMITS, type FilterLimits } from "../limits.ts";
import type { SocketLimits } from "../limits.ts";

/** What the relay allows. */
export interface RelayLimits {
  readonly socket: SocketLimits;
  readonly event: EventLimits;
  readonly filter: FilterLimits;
  /** Connections at a time. */
  readonly connectionsMax: number;
  /**
   * Connections at a time from one address, or one /64 of IPv6. Hosts behind one NAT share it, and so
   * does all that comes through a reverse proxy.
   */
  readonly connectionsPerAddressMax: number;
  /** From accepting a connection to the end of its HTTP head. */
  readonly headMs: number;
  /** Subscriptions of one connection. */
  readonly subscriptionsMax: number;
  /** Filters of one subscription. */
  readonly filtersMax: number;
  /** Values in all open filters of one connection: they are held in memory. */
  readonly openValuesMax: number;
  /** Stored events that one filter gives at most, and gives when it names no limit. */
  readonly limitMax: number;
  /** Messages of any kind a second from one connection; a faster one is read more slowly. */
  readonly messagesPerSecond: number;
  readonly messagesBurst: number;
  /** Milliseconds of searching a second for one connection; in debt it waits for its next turn. */
  readonly searchMsPerSecond: number;
  readonly searchBurstMs: number;
  /** The same for all connections together: the rest of the node's thread is not the relay's. */
  readonly searchMsPerSecondAll: number;
  readonly searchBurstMsAll: number;
  /** Events a second from one connection; what is over is refused before its signature is checked. */
  readonly eventsPerSecond: number;
  readonly eventsBurst: number;
  /** Events a second from all: a signature costs about a millisecond of the node's own thread. */
  readonly eventsPerSecondAll: number;
  readonly eventsBurstAll: number;
  /** Events with a wrong shape or signature before a connection is ended. */
  readonly invalidEventsMax: number;
  /** Seconds that an event may lie in the future: clocks differ. */
  readonly futureS: number;
  /** How far the time of an authentication may be off (NIP-42 says about ten minutes). */
  readonly authAgeS: number;
  /** Keys that one connection may prove. */
  readonly authKeysMax: number;
  /** How long a client may leave an answer unread before it is cut off. */
  readonly stallMs: number;
  /** Events kept; above it the one received longest ago goes. */
  readonly eventsMax: number;
  /** Events kept of one author; above it new ones are refused. */
  readonly eventsPerAuthorMax: number;
  /** Single-letter tags of one event, each of which is an index entry. */
  readonly indexedTagsMax: number;
  /** Between two removals of what has expired. */
  readonly sweepMs: number;
}

/** Defaults of the relay. */
export const RELAY_LIMITS: RelayLimits = {
  socket: {
    messageBytesMax: 128 * 1024,
    queueBytesMax: 1024 * 1024,
    pingMs: 30_000,
    pongMs: 20_000,
    closeMs: 1000,
  },
  event: { ...EVENT_LIMITS, tagCountMax: 2000 },
  filter: { ...FILTER_LIMITS, valueCountMax: 500 },
  connectionsMax: 2000,
  connectionsPerAddressMax: 256,
  headMs: 5000,
  subscriptionsMax: 32,
  filtersMax: 10,
  openValuesMax: 2000,
  limitMax: 500,
  messagesPerSecond: 100,
  messagesBurst: 500,
  searchMsPerSecond: 100,
  searchBurstMs: 500,
  searchMsPerSecondAll: 400,
  searchBurstMsAll: 1000,
  eventsPerSecond: 20,
  eventsBurst: 300,
  eventsPerSecondAll: 300,
  eventsBurstAll: 2000,
  invalidEventsMax: 10,
  futureS: 900,
  authAgeS: 600,
  authKeysMax: 4,
  stallMs: 15_000,
  eventsMax: 100_000,
  eventsPerAuthorMax: 10_000,
  indexedTagsMax: 1000,
  sweepMs: 60_000,
};
