/** Finding catalogs, and versions of roots, on Nostr relays. */
import type { Filter } from "../../src/nostr/filter.ts";
import type { NostrEvent } from "../../src/nostr/nostr.ts";
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
    return this.#relays.subscribe(filtersOf(query), {
      onEvent: (event) => {
        if (readPublicationEvent(event) !== undefined) onNews();
      },
    });
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
