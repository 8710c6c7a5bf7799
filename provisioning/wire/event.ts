/** What the events of providers have in common. */
import { type NostrEvent, parsePublicKey, tagValue } from "../../src/nostr/nostr.ts";
import { asCount, type Members, parseMembers } from "./json.ts";
import { SCHEMA_VERSION } from "./kinds.ts";
import { WIRE_LIMITS } from "./limits.ts";

/** An event that is to be read; its signature was checked. */
export interface EventReading {
  /** Seconds since 1970: what is dated after it, but for a little, is not read. */
  readonly nowS: number;
}

/** Where a reading came from: of one address the event with the higher date counts, then the lower id. */
export interface EventFacts {
  readonly eventId: string;
  readonly createdAtS: number;
}

/** Parses the content of an event of one of `kinds` that is not dated ahead. */
export function openEvent(
  event: NostrEvent,
  options: EventReading & { readonly kinds: readonly number[] },
): Members | undefined {
  if (!options.kinds.includes(event.kind)) return undefined;
  if (event.created_at > options.nowS + WIRE_LIMITS.futureS) return undefined;
  return parseMembers(event.content, WIRE_LIMITS.contentCharsMax);
}

/** Whether a key in a body, in hex or `npub1…`, is the signer's: a body names nobody else. */
export function isSigner(event: NostrEvent, key: unknown): boolean {
  return typeof key === "string" && parsePublicKey(key) === event.pubkey;
}

/**
 * Whether the `d` tag is what is built of `prefix`, the signer's key and `rest`; the key may stand in
 * either form.
 */
export function hasAddress(event: NostrEvent, prefix: string, rest = ""): boolean {
  const d = tagValue(event, "d");
  if (d === undefined || !d.startsWith(prefix) || !d.endsWith(rest)) return false;
  return parsePublicKey(d.slice(prefix.length, d.length - rest.length)) === event.pubkey;
}

/** The version of a body: 1 where none is given. */
export function versionOf(members: Members): number | undefined {
  return members.version === undefined ? SCHEMA_VERSION : asCount(members.version, 255);
}

/** See {@link EventFacts}. */
export function factsOf(event: NostrEvent): EventFacts {
  return { eventId: event.id, createdAtS: event.created_at };
}
