/** Finding catalogs, and versions of roots, on Nostr relays. */
import type { Filter } from "../../src/nostr/filter.ts";
import { type NostrEvent, tagValue } from "../../src/nostr/nostr.ts";
import { PUBLICATIONS_MAX, ROOTS_ASKED } from "./limits.ts";
import type { CatalogFinder, CatalogQuery, FoundPublication } from "./ports.ts";
import { CATALOG_KIND, catalogAddress, readPublicationEvent, rootAddress } from "./publication.ts";

/** What is needed of a pool of relays. */
export interface CatalogRelays {
  query(
    filters: readonly Filter[],
    options: { readonly signal?: AbortSignal; readonly eventsMax?: number },
  ): AsyncIterable<NostrEvent>;
  subscribe(
    filters: readonly Filter[],
    options: { readonly onEvent: (event: NostrEvent) => void },
  ): () => void;
}

/** Looks on the relays of a pool. */
export class RelayFinder implements CatalogFinder {
  readonly name = "relays";
  readonly #relays: CatalogRelays;
  /** Who waits for news, by `d` tag. */
  readonly #waiting = new Map<string, Set<() => void>>();
  #isChanging = false;
  #stop: () => void = () => {};

  constructor(relays: CatalogRelays) {
    this.#relays = relays;
  }

  async *find(
    query: CatalogQuery,
    options: { readonly signal: AbortSignal },
  ): AsyncGenerator<FoundPublication> {
    const events = this.#relays.query(filtersOf(query), {
      signal: options.signal,
      eventsMax: PUBLICATIONS_MAX,
    });
    for await (const event of events) {
      const publication = readPublicationEvent(event);
      if (publication !== undefined) {
        yield { ...publication, from: `the relays, by ${event.pubkey.slice(0, 8)}…` };
      }
    }
  }

  watch(query: CatalogQuery, onNews: () => void): () => void {
    const { root, catalog, rootVersion } = query;
    const addresses = [catalogAddress(root, catalog), rootAddress(root, rootVersion + 1)];
    for (const d of addresses) {
      this.#waiting.getOrInsertComputed(d, () => new Set()).add(onNews);
    }
    this.#change();
    return () => {
      for (const d of addresses) {
        const listeners = this.#waiting.get(d);
        listeners?.delete(onNews);
        if (listeners?.size === 0) this.#waiting.delete(d);
      }
      this.#change();
    };
  }

  /** One subscription for all, made anew when several changes are through: a pool allows few. */
  #change(): void {
    if (this.#isChanging) return;
    this.#isChanging = true;
    queueMicrotask(() => {
      this.#isChanging = false;
      this.#stop();
      this.#stop = () => {};
      if (this.#waiting.size === 0) return;
      try {
        this.#stop = this.#relays.subscribe(
          [{ kinds: [CATALOG_KIND], "#d": [...this.#waiting.keys()] }],
          { onEvent: (event) => this.#tell(event) },
        );
      } catch {
        // The pool is closed or full: catalogs are still looked for from time to time.
      }
    });
  }

  #tell(event: NostrEvent): void {
    if (readPublicationEvent(event) === undefined) return;
    for (const onNews of this.#waiting.get(tagValue(event, "d") ?? "") ?? []) onNews();
  }
}

/**
 * Named publishers are asked for alone: others cannot crowd them out then. A version of the root may be
 * told by anyone, for it is believed by its signatures alone.
 */
function filtersOf(query: CatalogQuery): readonly Filter[] {
  const { root, catalog, rootVersion, publishers } = query;
  const authors = publishers.length === 0 ? {} : { authors: [...publishers] };
  const versions = Array.from(
    { length: ROOTS_ASKED },
    (_, index) => rootAddress(root, rootVersion + 1 + index),
  );
  return [
    { kinds: [CATALOG_KIND], ...authors, "#d": [catalogAddress(root, catalog)] },
    { kinds: [CATALOG_KIND], ...authors, "#d": versions },
  ];
}
