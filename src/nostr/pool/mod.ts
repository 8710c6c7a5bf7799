/**
 * The inside of the relay pool. Vocabulary: a connection is one relay over its whole life, a session
 * one socket to it, a slot the right to one subscription on it.
 *
 * May import: `src/core`, the rest of `src/nostr`.
 */
export { type PublishOutcome, RelayConnection, type RelayStatus } from "./relay_connection.ts";
export { RelaySession } from "./relay_session.ts";
export { Slots } from "./slots.ts";
