/** Opening private messages. Whoever made them is a stranger until the last check has passed. */
import {
  conversationKeyOf,
  decryptNip04,
  eventIdOf,
  type NostrEvent,
  nostrPublicKey,
  openText,
  readEvent,
  tagValue,
  verifyEvent,
} from "../nostr.ts";
import { EVENT_LIMITS } from "../limits.ts";
import { PRIVATE_LIMITS } from "./limits.ts";
import {
  KIND_CHAT,
  KIND_GIFT_WRAP,
  KIND_NIP04,
  KIND_SEAL,
  type PrivateMessage,
} from "./message.ts";

/** Base64 of version 2, 32 bytes of nonce, 32 or more of text and 32 of a code. */
const NIP44_FORM = /^A[g-v][A-Za-z0-9+/]{130,}={0,2}$/;

/** Base64 of the text, and of 16 bytes. */
const NIP04_FORM = /^[A-Za-z0-9+/]+={0,2}\?iv=[A-Za-z0-9+/]{22}==$/;

/** What opens messages. */
export interface PrivateReader {
  /** 32 bytes. */
  readonly secretKey: Uint8Array;
  /** That of the secret, 64 hex digits, where it is known already. */
  readonly publicKey?: string;
  /** Keeps the keys shared with senders, which are costly to compute. */
  readonly conversationKeys?: ConversationKeys;
}

/** Keys shared with others, each computed once; the one used longest ago is forgotten. */
export class ConversationKeys {
  readonly #keys = new Map<string, Uint8Array>();
  readonly #countMax: number;

  constructor(options: { readonly countMax: number }) {
    this.#countMax = options.countMax;
  }

  /** @throws {Error} If `publicKey` is no point of the curve. */
  of(secretKey: Uint8Array, publicKey: string): Uint8Array {
    const key = this.#keys.get(publicKey) ?? conversationKeyOf(secretKey, publicKey);
    this.#keys.delete(publicKey);
    this.#keys.set(publicKey, key);
    if (this.#keys.size > this.#countMax) this.#keys.delete(this.#keys.keys().next().value!);
    return key;
  }
}

/**
 * Opens a message that is addressed to the owner of the key: kind 4, or a gift wrap.
 *
 * @param event Of a checked signature.
 * @returns The message, or undefined for anything that is not whole, true and for us. Never throws.
 */
export async function openPrivate(
  event: NostrEvent,
  reader: PrivateReader,
): Promise<PrivateMessage | undefined> {
  const { content, kind } = event;
  if (content.length > PRIVATE_LIMITS.contentCharsMax) return undefined;
  try {
    // What has not even the form costs no computing of keys.
    if (kind === KIND_GIFT_WRAP && NIP44_FORM.test(content)) return unwrap(event, reader);
    if (kind === KIND_NIP04 && NIP04_FORM.test(content)) return await openDirect(event, reader);
  } catch {
    // Not encrypted to us, or not decently: there is nothing to tell anybody.
  }
  return undefined;
}

async function openDirect(
  event: NostrEvent,
  reader: PrivateReader,
): Promise<PrivateMessage | undefined> {
  const recipient = ownKeyOf(reader);
  if (tagValue(event, "p") !== recipient) return undefined;
  const text = await decryptNip04(event.content, {
    secretKey: reader.secretKey,
    publicKey: event.pubkey,
  });
  const { id, pubkey: sender, created_at: sentAtS } = event;
  return { id, kind: "nip04", sender, recipient, text, sentAtS };
}

function unwrap(event: NostrEvent, reader: PrivateReader): PrivateMessage | undefined {
  const { secretKey } = reader;
  // The key of a wrap is used once, so keeping what is shared with it would only push out others.
  const sealText = openText(event.content, conversationKeyOf(secretKey, event.pubkey));
  const shape = readEvent(JSON.parse(sealText), EVENT_LIMITS);
  if (shape?.kind !== KIND_SEAL) return undefined;
  const seal = verifyEvent(shape);
  if (seal === undefined) return undefined;
  const shared = reader.conversationKeys?.of(secretKey, seal.pubkey) ??
    conversationKeyOf(secretKey, seal.pubkey);
  const rumor = readRumor(JSON.parse(openText(seal.content, shared)));
  // Whoever signed the seal wrote the message, or someone is passing off another's words.
  if (rumor === undefined || rumor.pubkey !== seal.pubkey) return undefined;
  return {
    id: rumor.id,
    kind: "nip17",
    sender: rumor.pubkey,
    // The seal opens with our key, so it was meant for us, whatever a copy of it says.
    recipient: tagValue(rumor, "p") ?? ownKeyOf(reader),
    text: rumor.content,
    sentAtS: rumor.created_at,
  };
}

function ownKeyOf(reader: PrivateReader): string {
  return reader.publicKey ?? nostrPublicKey(reader.secretKey);
}

/** A rumor has no signature, and may come without its id; the id is computed in any case. */
function readRumor(raw: unknown): NostrEvent | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  const members = raw as Record<string, unknown>;
  const event = readEvent({ ...members, id: "0".repeat(64), sig: "0".repeat(128) });
  if (event === undefined || event.kind !== KIND_CHAT) return undefined;
  const id = eventIdOf(event);
  if (members.id !== undefined && members.id !== id) return undefined;
  return { ...event, id };
}
