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
import { SeedmintError } from "../src/core/errors.ts";
import { type Hash, isHash } from "../src/core/hash.ts";
import { BLOB_BYTES_MAX } from "./bao/geometry.ts";
import { type KeyedChild, readChildren, writeChildren } from "./collection_codec.ts";

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

/** Printable ASCII without a backslash. */
const PLAIN_NAME = /^[\u0020-\u005b\u005d-\u007e]+$/;

/** What keeps `name` from being a child's name, in words; undefined when it is fine. */
export function collectionNameFault(name: string): string | undefined {
  if (name === "") return "it is empty";
  // Most names are plain ASCII, which is well-formed and normal by itself.
  if (PLAIN_NAME.test(name)) return partsFault(name, name.length);
  if (!name.isWellFormed()) return "it is not well-formed Unicode";
  if (name.normalize("NFC") !== name) return "it is not in Unicode normalisation form C";
  if (FORBIDDEN.test(name)) return "it holds a control character or a backslash";
  return partsFault(name, utf8(name).length);
}

function partsFault(name: string, sizeBytes: number): string | undefined {
  if (sizeBytes > COLLECTION_NAME_BYTES_MAX) {
    return `it is longer than ${COLLECTION_NAME_BYTES_MAX} bytes`;
  }
  for (const segment of name.split("/")) {
    if (segment === "") return "it is absolute, ends in a slash or has an empty part";
    if (segment === "." || segment === "..") return `it has a part "${segment}"`;
    if (sizeBytes > SEGMENT_BYTES_MAX && utf8(segment).length > SEGMENT_BYTES_MAX) {
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
    .sort((a, b) => compareBytes(a.key, b.key));
  const fault = childrenFault(sorted);
  if (fault !== undefined) throw new RangeError(`Cannot encode a collection: ${fault}`);
  const bytes = writeChildren(sorted);
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
  if (bytes.length > COLLECTION_BYTES_MAX) {
    throw refused(`it has ${bytes.length} bytes, at most ${COLLECTION_BYTES_MAX} are allowed`);
  }
  const children = readChildren(bytes, COLLECTION_CHILDREN_MAX);
  const fault = childrenFault(children);
  if (fault !== undefined) throw refused(fault);
  return children.map(({ child }) => child);
}

/** What is wrong with `children`, taken as they stand; undefined when nothing is. */
function childrenFault(children: readonly KeyedChild[]): string | undefined {
  if (children.length > COLLECTION_CHILDREN_MAX) {
    return `${children.length} children are listed, at most ${COLLECTION_CHILDREN_MAX} are allowed`;
  }
  let previous: Uint8Array | undefined;
  for (const { child, key } of children) {
    const fault = childFault(child);
    if (fault !== undefined) return fault;
    if (previous !== undefined && compareBytes(previous, key) >= 0) {
      return `the name ${shown(child)} stands twice or out of order`;
    }
    previous = key;
  }
  return directoryFault(children.map(({ child }) => child));
}

function childFault(child: CollectionChild): string | undefined {
  const nameFault = collectionNameFault(child.name);
  if (nameFault !== undefined) return `the name ${shown(child)} cannot be used: ${nameFault}`;
  if (!isHash(child.hash)) return `the hash of ${shown(child)} is not 64 lower-case hex digits`;
  if (!Number.isSafeInteger(child.size) || child.size < 0 || child.size > BLOB_BYTES_MAX) {
    return `the size of ${shown(child)} is ${child.size}`;
  }
  const type = child.mediaType;
  if (type !== undefined && (type.length > COLLECTION_MEDIA_TYPE_MAX || !MEDIA_TYPE.test(type))) {
    return `the media type of ${
      shown(child)
    } is not printable ASCII of at most ${COLLECTION_MEDIA_TYPE_MAX} characters`;
  }
  return undefined;
}

function shown(child: CollectionChild): string {
  return JSON.stringify(child.name.slice(0, 80));
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

function refused(why: string): SeedmintError {
  return new SeedmintError("protocol", `Cannot read a collection: ${why}`);
}
