/**
 * Nostr events and keys: the only file that imports nostr-tools, and only those of its subpaths that
 * load fast. Everything from a relay or a client comes in as `unknown` and passes through
 * {@link readEvent} or {@link verifyEvent}, which copy it into a fresh object: nostr-tools keeps a
 * "verified" mark on an event, and a spread copy with other content would inherit it.
 */
import { decode, npubEncode } from "nostr-tools/nip19";
import {
  decrypt as decryptNip44,
  encrypt as encryptNip44,
  getConversationKey,
} from "nostr-tools/nip44";
import {
  finalizeEvent,
  getEventHash,
  getPublicKey,
  verifyEvent as verifySignature,
} from "nostr-tools/pure";
import { makeAuthEvent } from "nostr-tools/nip42";
import { EVENT_LIMITS, type EventLimits } from "./limits.ts";

/** A signed event (NIP-01). Its `created_at` is in seconds since 1970. */
export interface NostrEvent {
  readonly id: string;
  /** X-only secp256k1 key of the author, 64 lower-case hex digits. */
  readonly pubkey: string;
  readonly created_at: number;
  readonly kind: number;
  readonly tags: readonly (readonly string[])[];
  readonly content: string;
  readonly sig: string;
}

/** What an author decides before signing. */
export interface EventTemplate {
  readonly kind: number;
  readonly created_at: number;
  readonly tags: readonly (readonly string[])[];
  readonly content: string;
}

const HEX_64 = /^[0-9a-f]{64}$/;
const HEX_128 = /^[0-9a-f]{128}$/;
const KIND_MAX = 65535;

/**
 * Signs `template` with a 32-byte secp256k1 secret.
 *
 * @throws {Error} If the secret is not a valid key.
 */
export function signEvent(template: EventTemplate, secretKey: Uint8Array): NostrEvent {
  const signed = finalizeEvent({
    kind: template.kind,
    created_at: template.created_at,
    tags: template.tags.map((tag) => [...tag]),
    content: template.content,
  }, secretKey);
  return {
    id: signed.id,
    pubkey: signed.pubkey,
    created_at: signed.created_at,
    kind: signed.kind,
    tags: signed.tags,
    content: signed.content,
    sig: signed.sig,
  };
}

/**
 * Checks the shape of what a stranger sent, not its signature.
 *
 * @param raw A value straight from `JSON.parse`.
 * @returns A fresh object with nothing but the seven fields, or undefined if it is no event or is
 * over a limit. Never throws.
 */
export function readEvent(
  raw: unknown,
  limits: EventLimits = EVENT_LIMITS,
): NostrEvent | undefined {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return undefined;
  const { id, pubkey, created_at, kind, tags, content, sig } = raw as Record<string, unknown>;
  if (typeof id !== "string" || !HEX_64.test(id)) return undefined;
  if (typeof pubkey !== "string" || !HEX_64.test(pubkey)) return undefined;
  if (typeof sig !== "string" || !HEX_128.test(sig)) return undefined;
  if (!isCount(created_at) || !isCount(kind) || kind > KIND_MAX) return undefined;
  if (typeof content !== "string" || content.length > limits.contentCharsMax) return undefined;
  const copied = copyTags(tags, limits);
  if (copied === undefined) return undefined;
  return { id, pubkey, created_at, kind, tags: copied, content, sig };
}

/**
 * Checks shape, id and signature of what a stranger sent. Costs about a millisecond, so cheap checks
 * come first: see {@link readEvent}.
 *
 * @returns A fresh, verified event, or undefined. Never throws.
 */
export function verifyEvent(
  raw: unknown,
  limits: EventLimits = EVENT_LIMITS,
): NostrEvent | undefined {
  const event = readEvent(raw, limits);
  return event !== undefined && hasValidSignature(event) ? event : undefined;
}

/** The public key of a 32-byte secret, 64 hex digits. */
export function nostrPublicKey(secretKey: Uint8Array): string {
  return getPublicKey(secretKey);
}

/** The form of a public key that people know: `npub1…` (NIP-19). */
export function npub(publicKey: string): string {
  return npubEncode(publicKey);
}

/**
 * Reads a public key as people and programs write it: 64 hex digits of either case, or `npub1…`.
 *
 * @returns 64 lower-case hex digits, or undefined for anything else. Never throws.
 */
export function parsePublicKey(text: string): string | undefined {
  if (text.length === 64) {
    const hex = text.toLowerCase();
    return HEX_64.test(hex) ? hex : undefined;
  }
  if (text.length !== 63 || !text.startsWith("npub1")) return undefined;
  try {
    const decoded = decode(text);
    return decoded.type === "npub" ? decoded.data : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reads a secret key as people and programs write it: 64 hex digits, or `nsec1…`.
 *
 * @returns 32 bytes of a valid key, or undefined for anything else. Never throws.
 */
export function nostrSecretKeyOf(text: string): Uint8Array | undefined {
  try {
    const decoded = text.startsWith("nsec1") ? decode(text) : undefined;
    const key = decoded?.type === "nsec" ? decoded.data : Uint8Array.fromHex(text);
    return key.length === 32 && getPublicKey(key) !== "" ? key : undefined;
  } catch {
    return undefined;
  }
}

/** The id of an event that is not signed: SHA-256 over its canonical form (NIP-01). */
export function eventIdOf(unsigned: EventTemplate & { readonly pubkey: string }): string {
  return getEventHash({ ...unsigned, tags: unsigned.tags.map((tag) => [...tag]) });
}

/**
 * The key that two parties share (NIP-44); costs about a millisecond, so keep it.
 *
 * @throws {Error} If the public key is no point of the curve.
 */
export function conversationKeyOf(secretKey: Uint8Array, publicKey: string): Uint8Array {
  return getConversationKey(secretKey, publicKey);
}

/** Encrypts 1 to 65,535 bytes of text with a conversation key and 32 bytes never used before (NIP-44). */
export function sealText(text: string, conversationKey: Uint8Array, nonce: Uint8Array): string {
  return encryptNip44(text, conversationKey, nonce);
}

/**
 * Decrypts what {@link sealText} made. The caller bounds the size of `payload` first.
 *
 * @throws {Error} If it was not encrypted with this key, or is malformed.
 */
export function openText(payload: string, conversationKey: Uint8Array): string {
  return decryptNip44(payload, conversationKey);
}

/**
 * Encrypts as NIP-04 does: old, without protection of its own against changes, for peers that know
 * nothing newer. Loaded when it is first used.
 *
 * @throws {Error} If the public key is no point of the curve.
 */
export async function encryptNip04(
  text: string,
  keys: { readonly secretKey: Uint8Array; readonly publicKey: string },
): Promise<string> {
  const { encrypt } = await import("nostr-tools/nip04");
  return encrypt(keys.secretKey, keys.publicKey, text);
}

/**
 * Decrypts NIP-04.
 *
 * @throws {Error} If it cannot be decrypted with these keys, or is malformed.
 */
export async function decryptNip04(
  payload: string,
  keys: { readonly secretKey: Uint8Array; readonly publicKey: string },
): Promise<string> {
  const { decrypt } = await import("nostr-tools/nip04");
  return decrypt(keys.secretKey, keys.publicKey, payload);
}

/** The signed answer to a relay's challenge (NIP-42). */
export function signAuth(
  options: {
    readonly relayUrl: string;
    readonly challenge: string;
    readonly secretKey: Uint8Array;
    readonly nowMs: number;
  },
): NostrEvent {
  const template = makeAuthEvent(options.relayUrl, options.challenge);
  return signEvent(
    { ...template, created_at: Math.floor(options.nowMs / 1000) },
    options.secretKey,
  );
}

/** The first value of the first tag called `name`. */
export function tagValue(
  event: Pick<NostrEvent, "tags">,
  name: string,
): string | undefined {
  for (const tag of event.tags) {
    if (tag[0] === name) return tag[1];
  }
  return undefined;
}

/**
 * When the event expires (NIP-40), in seconds since 1970; undefined if it says nothing readable.
 */
export function expirationOf(event: Pick<NostrEvent, "tags">): number | undefined {
  const text = tagValue(event, "expiration");
  if (text === undefined || !/^[0-9]{1,15}$/.test(text)) return undefined;
  return Number(text);
}

/** Newest first; of two of one second the lowest id first, as NIP-01 settles ties. */
export function compareEvents(
  a: Pick<NostrEvent, "created_at" | "id">,
  b: Pick<NostrEvent, "created_at" | "id">,
): number {
  if (a.created_at !== b.created_at) return b.created_at - a.created_at;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Whether id and signature are right. The event must be a fresh object from {@link readEvent}. */
function hasValidSignature(event: NostrEvent): boolean {
  try {
    // The copy keeps the mark that nostr-tools sets off the object that callers hold.
    return verifySignature({ ...event, tags: event.tags as string[][] });
  } catch {
    return false;
  }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function copyTags(tags: unknown, limits: EventLimits): string[][] | undefined {
  if (!Array.isArray(tags) || tags.length > limits.tagCountMax) return undefined;
  const copied: string[][] = [];
  let chars = 0;
  for (const tag of tags) {
    if (!Array.isArray(tag) || tag.length > limits.tagItemCountMax) return undefined;
    const items: string[] = [];
    for (const item of tag) {
      if (typeof item !== "string") return undefined;
      chars += item.length;
      if (chars > limits.tagCharsMax) return undefined;
      items.push(item);
    }
    copied.push(items);
  }
  return copied;
}
