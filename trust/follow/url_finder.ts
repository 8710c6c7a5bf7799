/** Finding a catalog at its origin: a publication as a file on an HTTP server. */
import type { Clock } from "../../src/core/ports.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { readHttp, shown } from "./http.ts";
import { ORIGIN_MS, PUBLICATION_BYTES_MAX } from "./limits.ts";
import type { CatalogFinder, CatalogQuery, FoundPublication } from "./ports.ts";
import { readPublicationText } from "./publication.ts";

/** Looks at the URL of the query, which the operator named. */
export class UrlFinder implements CatalogFinder {
  readonly name = "origin";
  readonly #options: { readonly clock: Clock; readonly fetch?: typeof globalThis.fetch };

  constructor(options: { readonly clock: Clock; readonly fetch?: typeof globalThis.fetch }) {
    this.#options = options;
  }

  async *find(
    { url, catalog }: CatalogQuery,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<FoundPublication> {
    if (url === undefined) return;
    const bytes = await readHttp(url, {
      ...this.#options,
      bytesMax: PUBLICATION_BYTES_MAX,
      timeoutMs: ORIGIN_MS,
      signal,
      allowPrivate: true,
    });
    const publication = readPublicationText(new TextDecoder().decode(bytes));
    if (publication === undefined) {
      throw new SeedmintError(
        "protocol",
        `Cannot read ${shown(url)}: it is not what catalog publish --output writes`,
      );
    }
    const sequence = publication.seal?.signed.sequence;
    const beside = sequence === undefined
      ? []
      : [new URL(catalogFileName(catalog, sequence), url).href];
    yield { ...publication, urls: [...publication.urls, ...beside], from: shown(url) };
  }
}

/** The name of a catalog's bytes beside its publication at an origin: a new one for each sequence. */
export function catalogFileName(catalog: string, sequence: number): string {
  return `${catalog}-${sequence}.json`;
}

/** The name of the publication there: it is replaced by each next one. */
export function publicationFileName(catalog: string): string {
  return `${catalog}.publication.json`;
}
