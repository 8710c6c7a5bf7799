/**
 * Collections: a blob whose bytes are the canonical CBOR list of its children. An image, a release
 * and a film are collections, so that one request, one advert and one payment cover them.
 *
 * ```
 * { "v": 1, "children": [ { "name": text, "hash": bytes(32), "size": uint, "mediaType"?: text } ] }
 * ```
 *
 * Children stand in ascending order of the UTF-8 bytes of their names, so one set of children has
 * one encoding and one hash. A name is a relative path that is safe to write below a directory:
 * see {@link collectionNameFault}.
 */
import { type Bytes, compareBytes, utf8 } from "../src/core/bytes.ts";
import { decodeCbor, encodeCbor } from "../src/core/cbor.ts";
import { isSeedmintError, SeedmintError } from "../src/core/errors.ts";
import { type Hash, HASH_BYTES, hashFromBytes, hashToBytes, isHash } from "../src/core/hash.ts";
import { BLOB_BYTES_MAX } from "./bao/geometry.ts";

/** The version that this code writes and the only one that it reads. */
export const COLLECTION_VERSION = 1;

/** The most children of one collection: a big image with every file apart still fits. */
export const COLLECTION_CHILDREN_MAX = 100_000;

/** The most bytes of a collection's own blob: 100,000 children with names of 100 bytes fit. */
export const COLLECTION_BYTES_MAX = 16 * 1024 * 1024;

/** The most UTF-8 bytes of a child's name, below what file systems take for a path. */
export const COLLECTION_NAME_BYTES_MAX = 1024;

/** The most characters of a media type (RFC 6838 allows 127 and one slash between two names). */
export const COLLECTION_MEDIA_TYPE_MAX = 255;

/** The most UTF-8 bytes between two slashes: NAME_MAX of the usual file systems. */
const SEGMENT_BYTES_MAX = 255;

/** One blob of a collection. */
export interface CollectionChild {
  /** A relative path with `/` between its parts, unique in the collection. */
  readonly name: string;
  readonly hash: Hash;
  /** Size in bytes as the publisher says; the hash proves it once the blob is here. */
  readonly size: number;
  readonly mediaType?: string;
}

/** Control characters, line separators, and marks that reverse the reading direction. */
// deno-lint-ignore no-control-regex
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\\]/;

/** Printable ASCII, which is all that a media type with parameters needs. */
const MEDIA_TYPE = /^[\u0021-\u007e]([\u0020-\u007e]*[\u0021-\u007e])?$/;

/** What keeps `name` from being a child's name, in words; undefined when it is fine. */
export function collectionNameFault(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (!name.isWellFormed()) return "it is not well-formed Unicode";
  if (name.normalize("NFC") !== name) return "it is not in Unicode normalisation form C";
  if (FORBIDDEN.test(name)) return "it holds a control character or a backslash";
  if (utf8(name).length > COLLECTION_NAME_BYTES_MAX) {
    return `it is longer than ${COLLECTION_NAME_BYTES_MAX} bytes`;
  }
  for (const segment of name.split("/")) {
    if (segment === "") return "it is absolute, ends in a slash or has an empty part";
    if (segment === "." || segment === "..") return `it has a part "${segment}"`;
    if (utf8(segment).length > SEGMENT_BYTES_MAX) {
      return `it has a part longer than ${SEGMENT_BYTES_MAX} bytes`;
    }
  }
  return undefined;
}

/**
 * Encodes `children`, in any order given, into the bytes of a collection.
 *
 * @throws {RangeError} If a name, size, media type or the count breaks a limit above, or two names
 * are equal, or one names a directory of another.
 */
export function encodeCollection(children: Iterable<CollectionChild>): Bytes {
  const sorted = [...children].map((child) => ({ child, key: utf8(child.name) }))
    .sort((a, b) => compareBytes(a.key, b.key))
    .map(({ child }) => child);
  const fault = childrenFault(sorted);
  if (fault !== undefined) throw new RangeError(`Cannot encode a collection: ${fault}`);
  const bytes = encodeCbor({
    v: COLLECTION_VERSION,
    children: sorted.map((child) => ({
      name: child.name,
      hash: hashToBytes(child.hash),
      size: child.size,
      ...(child.mediaType === undefined ? {} : { mediaType: child.mediaType }),
    })),
  });
  if (bytes.length > COLLECTION_BYTES_MAX) {
    throw new RangeError(
      `Cannot encode a collection of ${bytes.length} bytes: at most ${COLLECTION_BYTES_MAX} are allowed; split it`,
    );
  }
  return bytes;
}

/**
 * Reads a collection that a stranger may have made.
 *
 * @throws {SeedmintError} `protocol` if it is anything but what {@link encodeCollection} gives.
 */
export function decodeCollection(bytes: Uint8Array): readonly CollectionChild[] {
  let value: unknown;
  try {
    value = decodeCbor(bytes, { bytesMax: COLLECTION_BYTES_MAX });
  } catch (cause) {
    if (!isSeedmintError(cause)) throw cause;
    throw refused(cause.message, cause);
  }
  if (!isRecord(value) || !hasOnly(value, ["v", "children"])) {
    throw refused('a map of "v" and "children" is wanted');
  }
  if (value["v"] !== COLLECTION_VERSION) {
    throw refused(`version ${COLLECTION_VERSION} is wanted; a newer node may read it`);
  }
  const list = value["children"];
  if (!Array.isArray(list)) throw refused("the children are not a list");
  if (list.length > COLLECTION_CHILDREN_MAX) throw refused(tooMany(list.length));
  const children = list.map((child: unknown, index) => readChild(child, index));
  const fault = childrenFault(children);
  if (fault !== undefined) throw refused(fault);
  return children;
}

function readChild(value: unknown, index: number): CollectionChild {
  if (!isRecord(value) || !hasOnly(value, ["name", "hash", "size", "mediaType"])) {
    throw refused(`child ${index} is not a map of name, hash, size and mediaType`);
  }
  const { name, hash, size, mediaType } = value;
  if (typeof name !== "string") throw refused(`child ${index} has no name`);
  if (!(hash instanceof Uint8Array) || hash.length !== HASH_BYTES) {
    throw refused(`child ${index} has no hash of ${HASH_BYTES} bytes`);
  }
  if (typeof size !== "number") throw refused(`child ${index} has no size`);
  if (mediaType === undefined) return { name, hash: hashFromBytes(hash), size };
  if (typeof mediaType !== "string") throw refused(`child ${index} has a media type of no text`);
  return { name, hash: hashFromBytes(hash), size, mediaType };
}

/** What is wrong with `children`, taken as they stand; undefined when nothing is. */
function childrenFault(children: readonly CollectionChild[]): string | undefined {
  if (children.length > COLLECTION_CHILDREN_MAX) return tooMany(children.length);
  let previous: Uint8Array | undefined;
  for (const child of children) {
    const shown = JSON.stringify(child.name.slice(0, 80));
    const nameFault = collectionNameFault(child.name);
    if (nameFault !== undefined) return `the name ${shown} cannot be used: ${nameFault}`;
    if (!isHash(child.hash)) return `the hash of ${shown} is not 64 lower-case hex digits`;
    if (!Number.isSafeInteger(child.size) || child.size < 0 || child.size > BLOB_BYTES_MAX) {
      return `the size of ${shown} is ${child.size}`;
    }
    const type = child.mediaType;
    if (type !== undefined && (type.length > COLLECTION_MEDIA_TYPE_MAX || !MEDIA_TYPE.test(type))) {
      return `the media type of ${shown} is not printable ASCII of at most ${COLLECTION_MEDIA_TYPE_MAX} characters`;
    }
    const key = utf8(child.name);
    if (previous !== undefined && compareBytes(previous, key) >= 0) {
      return `the name ${shown} stands twice or out of order`;
    }
    previous = key;
  }
  return directoryFault(children);
}

/** A name that is both a blob and a directory of another cannot be written to a disk. */
function directoryFault(children: readonly CollectionChild[]): string | undefined {
  const names = new Set(children.map((child) => child.name));
  for (const { name } of children) {
    for (let at = name.indexOf("/"); at >= 0; at = name.indexOf("/", at + 1)) {
      if (names.has(name.slice(0, at))) {
        return `the name ${JSON.stringify(name.slice(0, at))} is also a directory of another`;
      }
    }
  }
  return undefined;
}

function tooMany(count: number): string {
  return `${count} children are listed, at most ${COLLECTION_CHILDREN_MAX} are allowed`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Uint8Array);
}

function hasOnly(value: Record<string, unknown>, names: readonly string[]): boolean {
  return Object.keys(value).every((name) => names.includes(name));
}

function refused(why: string, cause?: unknown): SeedmintError {
  return new SeedmintError(
    "protocol",
    `Cannot read a collection: ${why}`,
    cause === undefined ? {} : { cause },
  );
}
