/**
 * Nostr: events, a pool of relays, an embedded relay. Vocabulary: an event is signed by its author
 * and has a kind and tags; a relay keeps events and answers filters; a pool uses several relays as
 * one; an address (`kind:pubkey:d`) is what a newer event takes over from an older one.
 *
 * May import: `src/core`; `src/sqlite`, `nostr-tools` in `nostr.ts` only; `node:crypto`.
 */
export { type Filter, matchesFilter } from "./filter.ts";
export { addressOf, KIND_DELETION, kindClass, PRIVATE_KINDS } from "./kinds.ts";
export { POOL_LIMITS, type PoolLimits } from "./limits.ts";
export * from "./nostr.ts";
export * from "./private/mod.ts";
export {
  type PublishOutcome,
  type PublishReport,
  RelayPool,
  type RelayPoolOptions,
  type RelayStatus,
} from "./relay_pool.ts";
export { parseRelayUrl } from "./relay_url.ts";
export * from "./relay/mod.ts";
