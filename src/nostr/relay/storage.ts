/**
 * The port behind which the relay keeps events: SQLite, or its memory twin. The suite in
 * `tests/nostr/relay/storage_test.ts` runs against both.
 */
import type { Filter } from "../filter.ts";
import type { NostrEvent } from "../nostr.ts";

/** What became of an event. */
export type SaveOutcome =
  | "stored"
  /** It was there before. */
  | "duplicate"
  /** A newer one of the same address is there. */
  | "superseded"
  /** Its author asked for its deletion (NIP-09). */
  | "deleted"
  /** Its author has too many already. */
  | "full";

/** Who asks, as far as it is proven (NIP-42). */
export interface StorageViewer {
  /** Public keys that the asking connection has proven. */
  readonly keys: readonly string[];
  /** Kinds that only their author and the addressees of their `p` tags may see. */
  readonly privateKinds: ReadonlySet<number>;
}

/** Limits of a storage. */
export interface StorageLimits {
  readonly eventsMax: number;
  readonly eventsPerAuthorMax: number;
}

/** Events, found by filter. Synchronous: an answer takes less than a turn of the event loop. */
export interface EventStorage extends Disposable {
  /** Events held, expired ones that were not yet removed included. */
  readonly count: number;
  has(id: string): boolean;
  /**
   * Keeps a verified, not ephemeral event; replaces what it replaces, and carries out a deletion
   * request.
   */
  save(event: NostrEvent): SaveOutcome;
  /**
   * Finds what one filter matches, newest first, the lowest id first within one second.
   *
   * @returns Handles for {@link read}; an event may be gone by then.
   */
  find(
    filter: Filter,
    options: { readonly nowS: number; readonly limit: number; readonly viewer: StorageViewer },
  ): readonly number[];
  /** The event's JSON, or undefined if it is gone. */
  read(handle: number): string | undefined;
  /** @returns How many expired events (NIP-40) were removed. */
  removeExpired(nowS: number): number;
}

/** What a deletion request names (NIP-09): ids, and addresses of its own author. */
export function deletionTargets(
  event: NostrEvent,
): { readonly ids: readonly string[]; readonly addresses: readonly string[] } {
  const ids: string[] = [];
  const addresses: string[] = [];
  for (const [name, value = ""] of event.tags) {
    if (name === "e") ids.push(value);
    // `kind:pubkey:d`; of another author it would delete what is not the asker's.
    if (name === "a" && value.split(":")[1] === event.pubkey) addresses.push(value);
  }
  return { ids, addresses };
}

/** The single-letter tags by which an event can be found, each pair once. */
export function indexedTags(event: NostrEvent): readonly (readonly [string, string])[] {
  const pairs = new Map<string, readonly [string, string]>();
  for (const [name = "", value = ""] of event.tags) {
    if (/^[A-Za-z]$/.test(name)) pairs.set(`${name}:${value}`, [name, value]);
  }
  return [...pairs.values()];
}

/** Whether `viewer` may see `event`: private kinds are for their author and addressees. */
export function maySee(viewer: StorageViewer, event: NostrEvent): boolean {
  if (!viewer.privateKinds.has(event.kind)) return true;
  return viewer.keys.includes(event.pubkey) ||
    event.tags.some((tag) => tag[0] === "p" && viewer.keys.includes(tag[1] ?? ""));
}
