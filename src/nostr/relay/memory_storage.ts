/** Events in memory: the twin of the SQLite storage, and what a relay without a path uses. */
import { type Filter, matchesFilter, tagConditions } from "../filter.ts";
import { addressOf, KIND_DELETION } from "../kinds.ts";
import { compareEvents, expirationOf, type NostrEvent } from "../nostr.ts";
import {
  deletionTargets,
  type EventStorage,
  indexedTags,
  maySee,
  type SaveOutcome,
  type StorageLimits,
  type StorageViewer,
} from "./storage.ts";

interface Entry {
  readonly handle: number;
  readonly event: NostrEvent;
  readonly json: string;
  readonly address: string | undefined;
  readonly expiresS: number;
}

/** Keeps events as long as the process lives. */
export class MemoryStorage implements EventStorage {
  readonly #limits: StorageLimits;
  readonly #byHandle = new Map<number, Entry>();
  readonly #byId = new Map<string, Entry>();
  readonly #byAddress = new Map<string, Entry>();
  /** By `kind`, `author` and single-letter tag: what a filter can narrow the search with. */
  readonly #index = new Map<string, Set<Entry>>();
  #serial = 0;

  constructor(limits: StorageLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#byId.size;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  save(event: NostrEvent): SaveOutcome {
    if (this.#byId.has(event.id)) return "duplicate";
    const address = addressOf(event);
    const older = address === undefined ? undefined : this.#byAddress.get(address);
    if (older !== undefined && compareEvents(older.event, event) < 0) return "superseded";
    if (this.#isDeleted(event, address)) return "deleted";
    const authored = this.#index.get(`author:${event.pubkey}`)?.size ?? 0;
    if (older === undefined && authored >= this.#limits.eventsPerAuthorMax) return "full";
    if (older !== undefined) this.#remove(older);
    this.#insert(event, address);
    if (event.kind === KIND_DELETION) this.#carryOut(event);
    for (const entry of this.#byHandle.values()) {
      if (this.#byId.size <= this.#limits.eventsMax) break;
      this.#remove(entry);
    }
    return "stored";
  }

  find(
    filter: Filter,
    options: { readonly nowS: number; readonly limit: number; readonly viewer: StorageViewer },
  ): readonly number[] {
    const found: Entry[] = [];
    for (const entry of this.#candidates(filter)) {
      if (entry.expiresS <= options.nowS) continue;
      if (!matchesFilter(filter, entry.event)) continue;
      if (maySee(options.viewer, entry.event)) found.push(entry);
    }
    found.sort((a, b) => compareEvents(a.event, b.event));
    return found.slice(0, options.limit).map((entry) => entry.handle);
  }

  read(handle: number): string | undefined {
    return this.#byHandle.get(handle)?.json;
  }

  removeExpired(nowS: number): number {
    const before = this.count;
    for (const entry of this.#byHandle.values()) {
      if (entry.expiresS <= nowS) this.#remove(entry);
    }
    return before - this.count;
  }

  [Symbol.dispose](): void {
    this.#byHandle.clear();
    this.#byId.clear();
    this.#byAddress.clear();
    this.#index.clear();
  }

  #isDeleted(event: NostrEvent, address: string | undefined): boolean {
    const requests = [
      ...this.#index.get(`tag:e:${event.id}`) ?? [],
      ...(address === undefined ? [] : this.#index.get(`tag:a:${address}`) ?? []),
    ];
    return requests.some(({ event: request }) =>
      request.kind === KIND_DELETION && request.pubkey === event.pubkey &&
      (request.tags.some((tag) => tag[0] === "e" && tag[1] === event.id)
        ? event.kind !== KIND_DELETION
        : request.created_at >= event.created_at)
    );
  }

  #carryOut(request: NostrEvent): void {
    const { ids, addresses } = deletionTargets(request);
    for (const id of ids) {
      const entry = this.#byId.get(id);
      if (entry?.event.pubkey === request.pubkey && entry.event.kind !== KIND_DELETION) {
        this.#remove(entry);
      }
    }
    for (const address of addresses) {
      const entry = this.#byAddress.get(address);
      if (entry !== undefined && entry.event.created_at <= request.created_at) {
        this.#remove(entry);
      }
    }
  }

  /** The shortest list of entries that certainly holds every match. */
  #candidates(filter: Filter): Iterable<Entry> {
    if (filter.ids !== undefined) {
      return new Set(filter.ids).values().map((id) => this.#byId.get(id))
        .filter((entry) => entry !== undefined);
    }
    const conditions: string[][] = tagConditions(filter).map(([name, values]) =>
      values.map((value) => `tag:${name}:${value}`)
    );
    if (filter.authors !== undefined) conditions.push(filter.authors.map((key) => `author:${key}`));
    if (filter.kinds !== undefined) conditions.push(filter.kinds.map((kind) => `kind:${kind}`));
    let best: Iterable<Entry> = this.#byHandle.values();
    let bestSize = Infinity;
    for (const keys of conditions) {
      const sets = [...new Set(keys)].flatMap((key) => this.#index.get(key) ?? []);
      const size = sets.reduce((sum, set) => sum + set.size, 0);
      if (size >= bestSize) continue;
      bestSize = size;
      best = sets.length === 1 ? sets[0]! : new Set(sets.flatMap((set) => [...set]));
    }
    return best;
  }

  #insert(event: NostrEvent, address: string | undefined): void {
    const entry: Entry = {
      handle: ++this.#serial,
      event,
      json: JSON.stringify(event),
      address,
      expiresS: expirationOf(event) ?? Infinity,
    };
    this.#byHandle.set(entry.handle, entry);
    this.#byId.set(event.id, entry);
    if (address !== undefined) this.#byAddress.set(address, entry);
    for (const key of indexKeys(event)) {
      const set = this.#index.get(key);
      if (set === undefined) this.#index.set(key, new Set([entry]));
      else set.add(entry);
    }
  }

  #remove(entry: Entry): void {
    this.#byHandle.delete(entry.handle);
    this.#byId.delete(entry.event.id);
    if (entry.address !== undefined) this.#byAddress.delete(entry.address);
    for (const key of indexKeys(entry.event)) {
      const set = this.#index.get(key);
      set?.delete(entry);
      if (set?.size === 0) this.#index.delete(key);
    }
  }
}

function indexKeys(event: NostrEvent): string[] {
  return [
    `kind:${event.kind}`,
    `author:${event.pubkey}`,
    ...indexedTags(event).map(([name, value]) => `tag:${name}:${value}`),
  ];
}
