/**
 * How a catalog is told of: its seal and the versions of its root, as JSON at an origin or from a peer,
 * and as an addressable Nostr event. All of it is a hint until the seal is checked.
 */
import { type EventTemplate, type NostrEvent, tagValue } from "../../src/nostr/nostr.ts";
import { canonicalJson, parseCanonicalJson } from "../canonical_json.ts";
import { isOriginUrl, readSeal, type Seal } from "../catalog/mod.ts";
import { hasFields, isList, readSignedRoot, ROOT_CHAIN_MAX, type SignedRoot } from "../root/mod.ts";
import { EVENT_CHARS_MAX, PUBLICATION_BYTES_MAX, PUBLICATION_URLS_MAX } from "./limits.ts";

/** Kind of the events that tell of catalogs and of versions of roots (addressable). */
export const CATALOG_KIND = 32081;

/** The `t` tag of each. */
export const CATALOG_TOPIC = "seedmint-catalog";

/** What somebody tells of a catalog. */
export interface Publication {
  /** Absent when only versions of a root are told. */
  readonly seal?: Seal;
  /** Ascending by version; not all need to be there. */
  readonly roots: readonly SignedRoot[];
  /** Where the catalog's bytes may be had besides the swarm. */
  readonly urls: readonly string[];
}

const TYPE = "seedmint/publication/v1";

/** The text of a publication with everything that there is. */
export function writePublication(publication: Publication): string {
  const { seal, roots, urls } = publication;
  return canonicalJson({ type: TYPE, ...(seal === undefined ? {} : { seal }), roots, urls });
}

/** Reads a publication; undefined for anything else. Never throws. */
export function readPublicationText(text: string): Publication | undefined {
  if (text.length > PUBLICATION_BYTES_MAX) return undefined;
  const value = parseCanonicalJson(text.trim());
  if (!hasFields(value, ["type", "roots", "urls"], ["seal"]) || value.type !== TYPE) {
    return undefined;
  }
  const { roots, urls } = value;
  if (!isList(roots, ROOT_CHAIN_MAX) || !isList(urls, PUBLICATION_URLS_MAX)) return undefined;
  if (!urls.every(isOriginUrl)) return undefined;
  const read = roots.map(readSignedRoot).filter((one) => typeof one !== "string");
  if (read.length < roots.length) return undefined;
  if (value.seal === undefined) return { roots: read, urls };
  const seal = readSeal(value.seal);
  return seal === undefined ? undefined : { seal, roots: read, urls };
}

/** The `d` tag of a catalog's event. */
export function catalogAddress(root: string, catalog: string): string {
  return `${root}/${catalog}`;
}

/** The `d` tag of the event with one version of a root. */
export function rootAddress(root: string, version: number): string {
  return `${root}#${version}`;
}

/**
 * The events that publish a catalog: one of its own with the newest versions of the root that fit, and
 * one for each version, for followers that are far behind.
 */
export function publicationEvents(
  publication: Publication & { readonly seal: Seal },
  createdAtS: number,
): readonly EventTemplate[] {
  const { seal, roots, urls } = publication;
  const { root, catalog, blake3, sha256 } = seal.signed;
  let newest: readonly SignedRoot[] = [];
  for (const one of roots.toReversed()) {
    const more = [one, ...newest];
    if (writePublication({ seal, roots: more, urls }).length > EVENT_CHARS_MAX) break;
    newest = more;
  }
  const event = (d: string, content: string, tags: readonly (readonly string[])[] = []) => ({
    kind: CATALOG_KIND,
    created_at: createdAtS,
    tags: [["d", d], ["t", CATALOG_TOPIC], ...tags],
    content,
  });
  return [
    ...roots.map((one) =>
      event(rootAddress(root, one.signed.version), writePublication({ roots: [one], urls: [] }))
    ),
    event(catalogAddress(root, catalog), writePublication({ seal, roots: newest, urls }), [
      ["i", blake3],
      ["x", sha256],
    ]),
  ];
}

/** The publication in an event whose own signature was verified; undefined for anything else. */
export function readPublicationEvent(event: NostrEvent): Publication | undefined {
  if (event.kind !== CATALOG_KIND) return undefined;
  const publication = readPublicationText(event.content);
  if (publication === undefined) return undefined;
  const { seal, roots } = publication;
  const d = tagValue(event, "d");
  const isRight = seal === undefined
    ? roots.length === 1 && d === rootAddress(roots[0]!.signed.id, roots[0]!.signed.version)
    : d === catalogAddress(seal.signed.root, seal.signed.catalog);
  return isRight ? publication : undefined;
}
