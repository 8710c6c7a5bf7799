/**
 * Catalogs: what a publisher offers, signed. Vocabulary: a catalog lists releases (always free), images
 * and files with their sizes and hashes; its bytes are canonical JSON (RFC 8785) and a blob; its
 * sequence rises with every version and it expires; a seal is its detached signature, a small signed
 * text that names root, catalog, sequence, times, size and both hashes of the bytes; a selector says
 * which entries a follower wants.
 *
 * May import: `src/core`, `trust/canonical_json.ts`, `trust/root`.
 */
export {
  type Catalog,
  type CatalogBlob,
  type CatalogFile,
  type CatalogImage,
  type CatalogItem,
  type CatalogRelease,
  parseCatalog,
  type PriceClass,
  writeCatalog,
} from "./catalog.ts";
export { newCatalog, renewed, withFile, withImage, without, withReleaseFile } from "./draft.ts";
export {
  isEntryName,
  isImageReference,
  isMediaType,
  isOriginUrl,
  isPlatform,
  isVersion,
} from "./entries.ts";
export {
  CATALOG_BYTES_MAX,
  CATALOG_CLOCK_SKEW_S,
  CATALOG_DAYS,
  ORIGINS_MAX,
  SEAL_BYTES_MAX,
} from "./limits.ts";
export {
  type EntryKind,
  filesFor,
  findRelease,
  formatSelector,
  parseSelector,
  select,
  type Selected,
  type Selector,
} from "./lookup.ts";
export {
  openSealed,
  parseSeal,
  readSeal,
  type Seal,
  type SealStatement,
  sha256Of,
  signSeal,
  statementOf,
  writeSeal,
} from "./seal.ts";
export { compareVersions, isPreRelease } from "./versions.ts";
