/**
 * A catalog: what a publisher offers, with the hashes of each thing. Its text is canonical JSON
 * (RFC 8785); whatever reads otherwise is no catalog.
 */
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import { canonicalJson, parseCanonicalJson } from "../canonical_json.ts";
import { hasFields, isCount, isName } from "../root/mod.ts";
import { entriesFault } from "./entries.ts";
import { CATALOG_BYTES_MAX, SEQUENCE_MAX } from "./limits.ts";

/** What readers may be asked for it: nothing, or what each seeder asks. */
export type PriceClass = "free" | "priced";

/** One file, or a collection of files with one name. */
export interface CatalogFile {
  /** A base name for a file; of a collection the name of its folder. */
  readonly name: string;
  /** `linux/amd64`, `linux/arm/v7`; absent: any. */
  readonly platform?: string;
  /** Bytes of the blob itself; of a collection those of its list. */
  readonly size: number;
  readonly blake3: Hash;
  readonly sha256: Sha256;
  readonly mediaType?: string;
  /** Present when the blob is the list of a collection: a film in segments, a folder. */
  readonly kind?: "collection";
  /** HTTP or HTTPS URLs of the same bytes; of a collection, of its folder. In order of preference. */
  readonly origins: readonly string[];
}

/** One version of something that is released. Always free. */
export interface CatalogRelease {
  readonly name: string;
  readonly version: string;
  readonly price: "free";
  /** What changed, for people. */
  readonly notes?: string;
  /** Ascending by name. */
  readonly files: readonly CatalogFile[];
}

/** A blob of an image under both its names. */
export interface CatalogBlob {
  readonly sha256: Sha256;
  readonly blake3: Hash;
  readonly size: number;
}

/** A container image: what its tag means, and the blobs of which it is made. */
export interface CatalogImage {
  /** The tag, with its registry and repository: `docker.io/library/nginx:1.27`. */
  readonly reference: string;
  /** What the tag is pinned to: `sha256:` and 64 hex digits of its index or manifest. */
  readonly digest: `sha256:${string}`;
  readonly price: PriceClass;
  /** The collection of all its blobs, where there is one. */
  readonly collection?: Hash;
  /** Ascending; empty when not told. */
  readonly platforms: readonly string[];
  /** Its blobs, ascending by SHA-256; empty when not told. */
  readonly blobs: readonly CatalogBlob[];
}

/** A file that is no release: a film, a data set. */
export interface CatalogItem extends CatalogFile {
  readonly version?: string;
  readonly price: PriceClass;
}

/** What a publisher offers. */
export interface Catalog {
  readonly type: "seedmint/catalog/v1";
  readonly name: string;
  /** Id of the root that it is for, 32 hex digits. */
  readonly root: string;
  /** Greater than that of every catalog of this name before; from 1 on. */
  readonly sequence: number;
  /** Seconds since 1970. */
  readonly issuedS: number;
  readonly expiresS: number;
  /** Ascending by name and version. */
  readonly releases: readonly CatalogRelease[];
  /** Ascending by reference. */
  readonly images: readonly CatalogImage[];
  /** Ascending by name, version and platform. */
  readonly files: readonly CatalogItem[];
}

/** The text of a catalog: the bytes of its blob. */
export function writeCatalog(catalog: Catalog): string {
  return canonicalJson(catalog);
}

/**
 * Reads the bytes of a catalog.
 *
 * @throws {SyntaxError} That says what is wrong.
 */
export function parseCatalog(bytes: Uint8Array): Catalog {
  const wrong = (why: string) => new SyntaxError(`Cannot read the catalog: ${why}`);
  if (bytes.length > CATALOG_BYTES_MAX) throw wrong(`it has more than ${CATALOG_BYTES_MAX} bytes`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw wrong("it is not UTF-8");
  }
  const value = parseCanonicalJson(text);
  if (value === undefined) {
    throw wrong("canonical JSON (RFC 8785) wanted; was it edited by hand? catalog add changes it");
  }
  const fault = catalogFault(value);
  if (fault !== undefined) throw wrong(fault);
  return value as Catalog;
}

/** What is wrong with a catalog, or undefined. Never throws. */
export function catalogFault(value: unknown): string | undefined {
  const names = [
    "type",
    "name",
    "root",
    "sequence",
    "issuedS",
    "expiresS",
    "releases",
    "images",
    "files",
  ];
  if (!hasFields(value, names)) return `exactly the fields ${names.join(", ")} wanted`;
  if (value.type !== "seedmint/catalog/v1") return "its type is not seedmint/catalog/v1";
  if (!isName(value.name)) return "its name is none: a-z 0-9 . _ - wanted";
  if (!isRootId(value.root)) return "the id of its root is not 32 hex digits";
  if (!isSequence(value.sequence)) return "its sequence is no number from 1 on";
  if (!isCount(value.issuedS, 0) || !isCount(value.expiresS, value.issuedS + 1)) {
    return "it expires before it is issued";
  }
  return entriesFault(value);
}

/** Whether `value` is the id of a root. */
export function isRootId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
}

/** Whether `value` is a sequence number. */
export function isSequence(value: unknown): value is number {
  return isCount(value, 1) && value <= SEQUENCE_MAX;
}
