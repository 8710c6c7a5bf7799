/**
 * Private messages over relays, in NIP-04 and NIP-17. Vocabulary: a rumor is the message itself,
 * unsigned; a seal proves its sender to its recipient alone; a gift wrap hides both from relays; an
 * inbox receives what is addressed to one key, each message once, also what came while it was away.
 *
 * May import: `src/core`, `src/sqlite`, `src/nostr`.
 */
export { buildPrivate, type BuiltMessage, type PrivateSender, privateSizeOf } from "./build.ts";
export { type InboxStatus, PrivateInbox, type PrivateInboxOptions } from "./inbox.ts";
export { buildInboxRelays, KIND_INBOX_RELAYS, readInboxRelays } from "./inbox_relays.ts";
export { PRIVATE_LIMITS, type PrivateLimits } from "./limits.ts";
export {
  KIND_CHAT,
  KIND_GIFT_WRAP,
  KIND_NIP04,
  KIND_SEAL,
  type OutgoingMessage,
  type PrivateKind,
  type PrivateMessage,
} from "./message.ts";
export { ConversationKeys, openPrivate, type PrivateReader } from "./open.ts";
export { MemorySeenIds, type SeenIds, SqliteSeenIds } from "./seen.ts";
export { type SendOptions, sendPrivate, type SentMessage } from "./send.ts";
