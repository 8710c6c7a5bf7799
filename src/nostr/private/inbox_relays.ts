/**
 * Where someone looks for gift wraps (NIP-17, kind 10050, replaceable): other programs send messages to
 * these relays, and some send none to who names no relay.
 */
import type { EventTemplate, NostrEvent } from "../nostr.ts";
import { parseRelayUrl } from "../relay_url.ts";

/** List of the relays of an inbox. */
export const KIND_INBOX_RELAYS = 10050;

/** NIP-17 asks for one to three; more are a burden to every sender. */
const RELAY_COUNT_MAX = 5;

/** What is to be signed to say where wraps are looked for; the first few relays are named. */
export function buildInboxRelays(
  relays: readonly string[],
  options: { readonly createdAtS: number },
): EventTemplate {
  return {
    kind: KIND_INBOX_RELAYS,
    created_at: options.createdAtS,
    tags: relays.slice(0, RELAY_COUNT_MAX).map((relay) => ["relay", relay]),
    content: "",
  };
}

/**
 * Reads such a list.
 *
 * @param event Of a checked signature.
 * @returns The first few addresses that are ones of relays; undefined if it is no such list. Never throws.
 */
export function readInboxRelays(event: NostrEvent): readonly string[] | undefined {
  if (event.kind !== KIND_INBOX_RELAYS) return undefined;
  const relays = new Set<string>();
  for (const [name, address] of event.tags) {
    if (relays.size === RELAY_COUNT_MAX) break;
    if (name !== "relay" || address === undefined) continue;
    try {
      relays.add(parseRelayUrl(address));
    } catch {
      // One unreadable address spoils no other.
    }
  }
  return [...relays];
}
