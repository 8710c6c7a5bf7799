/**
 * Following catalogs. Vocabulary: a follow is a catalog that this node wants, by its root and name; a
 * publication is what somebody tells of it (its seal and versions of its root), found by a finder: on
 * relays as an addressable event of kind 32081, at an origin, or at a peer; the judge decides whether
 * its seal is taken; what is accepted is kept on disk with the highest version of the root and the
 * highest sequence of each key, so that nothing older is ever taken; pins are what accepted catalogs say
 * of tags and digests; a wave is the part of a fleet that prefetches at one time.
 *
 * May import: `src/core`, `src/sqlite`, `src/nostr`, `trust/canonical_json.ts`, `trust/root`,
 * `trust/catalog`.
 */
export { Follower, type FollowerOptions, type FollowStatus, type TrustedRoot } from "./follower.ts";
export { readHttp, type ReadHttpOptions } from "./http.ts";
export {
  dateOf,
  floorOf,
  judgeSeal,
  type KnownCatalog,
  type Refusal,
  type RefusalCode,
  stillCounts,
  type Verdict,
} from "./judging.ts";
export {
  FETCH_MS,
  PUBLICATION_BYTES_MAX,
  PUBLICATION_URLS_MAX,
  PUBLISHERS_MAX,
  REFRESH_MS,
  SELECTORS_MAX,
  WAVE_MS,
  WAVES,
} from "./limits.ts";
export { CatalogPins, type PinningCatalog, type SignedMapping } from "./pins.ts";
export type { CatalogBytes, CatalogFinder, CatalogQuery, FoundPublication } from "./ports.ts";
export {
  CATALOG_KIND,
  CATALOG_TOPIC,
  catalogAddress,
  type Publication,
  publicationEvents,
  readPublicationEvent,
  readPublicationText,
  rootAddress,
  writePublication,
} from "./publication.ts";
export { refreshCatalog, type RefreshReport, type RefusedPublication } from "./refresh.ts";
export { type CatalogRelays, RelayFinder } from "./relay_finder.ts";
export { type AcceptedCatalog, type CatalogKey, type Follow, FollowState } from "./state.ts";
export { catalogFileName, publicationFileName, UrlFinder } from "./url_finder.ts";
export { waveDelayMs, waveOf } from "./waves.ts";
