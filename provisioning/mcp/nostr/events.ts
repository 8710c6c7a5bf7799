/**
 * Messages of MCP as ContextVM puts them into events: JSON-RPC in the content of an ephemeral event of
 * kind 25910, with `p` the recipient and, in answers, `e` the event that is answered. Encrypted, that
 * signed event is the NIP-44 plaintext of a gift wrap of kind 1059, or 21059 which relays do not keep,
 * from a key used once.
 */
import type { Random } from "../../../src/core/ports.ts";
import {
  conversationKeyOf,
  type NostrEvent,
  nostrPublicKey,
  openText,
  sealText,
  signEvent,
  verifyEvent,
} from "../../../src/nostr/mod.ts";
import { CONTEXT_VM_LIMITS } from "../limits.ts";

/** Kinds of ContextVM. */
export const KIND_MESSAGE = 25910;
export const KIND_WRAP = 1059;
export const KIND_WRAP_EPHEMERAL = 21059;

/** Tags that say what a server can do; they go with its first answer in a session. */
export const DISCOVERY_TAGS: readonly (readonly string[])[] = [
  ["name", "seedmint"],
  ["support_encryption"],
  ["support_encryption_ephemeral"],
];

/** Whether an event is a gift wrap. */
export function isWrap(event: NostrEvent): boolean {
  return event.kind === KIND_WRAP || event.kind === KIND_WRAP_EPHEMERAL;
}

/**
 * The message inside a gift wrap, its own signature checked.
 *
 * @returns Undefined for anything else. Never throws.
 */
export function openWrap(wrap: NostrEvent, secretKey: Uint8Array): NostrEvent | undefined {
  if (wrap.content.length > CONTEXT_VM_LIMITS.contentCharsMax) return undefined;
  try {
    const text = openText(wrap.content, conversationKeyOf(secretKey, wrap.pubkey));
    const inner = verifyEvent(JSON.parse(text));
    return inner?.kind === KIND_MESSAGE ? inner : undefined;
  } catch {
    return undefined;
  }
}

/** Puts a signed message into a gift wrap. @throws {Error} If it is longer than NIP-44 takes. */
export function wrapMessage(
  message: NostrEvent,
  options: {
    readonly recipient: string;
    readonly kind: number;
    readonly nowS: number;
    readonly random: Random;
  },
): NostrEvent {
  const { recipient, kind, nowS, random } = options;
  const onceKey = newSecretKey(random);
  return signEvent({
    kind,
    created_at: nowS,
    tags: [["p", recipient]],
    content: sealText(
      JSON.stringify(message),
      conversationKeyOf(onceKey, recipient),
      random.bytes(32),
    ),
  }, onceKey);
}

/** A key that is good; nearly every 32 bytes are. */
function newSecretKey(random: Random): Uint8Array {
  for (;;) {
    const key = random.bytes(32);
    try {
      nostrPublicKey(key);
      return key;
    } catch {
      // One of the few numbers that are no key.
    }
  }
}
