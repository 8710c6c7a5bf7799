/**
 * The embedded relay. Vocabulary: a client connects, publishes events, and opens subscriptions, each
 * with filters; a storage keeps events; a viewer is a client with the keys it has proven.
 *
 * May import: `src/core`, `src/sqlite`, the rest of `src/nostr`.
 */
export { RELAY_LIMITS, type RelayLimits } from "./limits.ts";
export { RelayServer, type RelayServerOptions, type RelayStats } from "./relay_server.ts";
