/** One private message, as it is written and read, whichever way it travels. */

/** How a message travels: NIP-04 (kind 4), or NIP-17 (kind 14 in a gift wrap of kind 1059). */
export type PrivateKind = "nip04" | "nip17";

/** Direct message of NIP-04. */
export const KIND_NIP04 = 4;

/** What the sender signs around a message (NIP-59). */
export const KIND_SEAL = 13;

/** The message of NIP-17, never signed itself. */
export const KIND_CHAT = 14;

/** What hides the seal from relays, signed with a key used once (NIP-59). */
export const KIND_GIFT_WRAP = 1059;

/** A message that was opened; its sender is proven. */
export interface PrivateMessage {
  /**
   * What the message is known by, 64 hex digits: of NIP-17 the rumor's id, computed anew, so that one
   * message in several wraps is one; of NIP-04 the event's.
   */
  readonly id: string;
  readonly kind: PrivateKind;
  /** Nostr key, 64 hex digits. */
  readonly sender: string;
  /** Whom it is addressed to, 64 hex digits. */
  readonly recipient: string;
  readonly text: string;
  /** When it was written, in seconds since 1970, as the sender says. */
  readonly sentAtS: number;
}

/** A message to be sent. */
export interface OutgoingMessage {
  readonly kind: PrivateKind;
  /** Nostr key, 64 hex digits. */
  readonly recipient: string;
  readonly text: string;
}
