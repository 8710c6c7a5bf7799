/** The strict reading of what a catalog lists. */
import { isHash, isSha256 } from "../../src/core/hash.ts";
import { hasFields, isAscending, isCount, isList } from "../root/mod.ts";
import type { CatalogBlob } from "./catalog.ts";
import {
  ENTRIES_MAX,
  IMAGE_BLOBS_MAX,
  MAPPINGS_MAX,
  MEDIA_TYPE_CHARS_MAX,
  NAME_CHARS_MAX,
  NOTES_CHARS_MAX,
  ORIGINS_MAX,
  REFERENCE_CHARS_MAX,
  RELEASE_FILES_MAX,
  URL_CHARS_MAX,
  VERSION_CHARS_MAX,
} from "./limits.ts";

type Fields = Readonly<Record<string, unknown>>;

// A name that is shown and may become that of a file: no separators, controls or marks of direction.
const NAME = /^(?!\s)[^/\\\p{Cc}\p{Bidi_Control}]+$/u;
const VERSION = /^[0-9A-Za-z][0-9A-Za-z.+_~-]*$/;
const PLATFORM = /^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?$/;
const PLATFORM_CHARS_MAX = 64;
const MEDIA_TYPE = /^[A-Za-z0-9][\w!#$&^.+-]*\/[A-Za-z0-9][\w!#$&^.+-]*$/;
const REFERENCE =
  /^[a-z0-9.-]+(?::\d{1,5})?(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** Whether `text` can name a file or a release. */
export function isEntryName(text: unknown): boolean {
  return typeof text === "string" && text.length <= NAME_CHARS_MAX && text !== "." &&
    text !== ".." && text.isWellFormed() && NAME.test(text);
}

/** Whether `text` is a version: digits, letters and `.+_~-`. */
export function isVersion(text: unknown): boolean {
  return typeof text === "string" && text.length <= VERSION_CHARS_MAX && VERSION.test(text);
}

/** Whether `text` is a platform as images name it: `linux/amd64`, `linux/arm/v7`. */
export function isPlatform(text: unknown): boolean {
  return typeof text === "string" && text.length <= PLATFORM_CHARS_MAX && PLATFORM.test(text);
}

/** Whether `text` is the whole name of an image with its registry and tag. */
export function isImageReference(text: unknown): boolean {
  return typeof text === "string" && text.length <= REFERENCE_CHARS_MAX && REFERENCE.test(text);
}

/** Whether `text` is a media type without parameters. */
export function isMediaType(text: unknown): boolean {
  return typeof text === "string" && text.length <= MEDIA_TYPE_CHARS_MAX && MEDIA_TYPE.test(text);
}

/** Whether `text` is an HTTP or HTTPS URL, in its canonical form and without user and password. */
export function isOriginUrl(text: unknown): boolean {
  if (typeof text !== "string" || text.length > URL_CHARS_MAX) return false;
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return false;
  return url.username === "" && url.password === "" && url.hash === "" && url.href === text;
}

/** What is wrong with the lists of a catalog, or undefined. */
export function entriesFault({ releases, images, files }: Fields): string | undefined {
  const lists = [releases, images, files];
  if (!lists.every(Array.isArray)) return "lists of releases, images and files wanted";
  const count = lists.reduce<number>((sum, list) => sum + (list as unknown[]).length, 0);
  if (count > ENTRIES_MAX) return `it lists ${count} things, at most ${ENTRIES_MAX} wanted`;
  return listFault(
    releases as unknown[],
    "release",
    releaseFault,
    (one) => [one.name, one.version].join("\n"),
  ) ??
    listFault(images as unknown[], "image", imageFault, (one) => String(one.reference)) ??
    mappingsFault(images as readonly { readonly blobs: readonly CatalogBlob[] }[]) ??
    listFault(files as unknown[], "file", itemFault, itemKey);
}

/** By what files are in order and different from each other. */
export function itemKey(
  one: { readonly name?: unknown; readonly version?: unknown; readonly platform?: unknown },
): string {
  return [one.name, one.version ?? "", one.platform ?? ""].join("\n");
}

function listFault(
  list: readonly unknown[],
  what: string,
  faultOf: (one: unknown) => string | undefined,
  keyOf: (one: Fields) => string,
): string | undefined {
  for (const [index, one] of list.entries()) {
    const fault = faultOf(one);
    if (fault !== undefined) return `${what} ${index + 1}: ${fault}`;
  }
  return isAscending((list as Fields[]).map(keyOf))
    ? undefined
    : `its ${what}s are not different ones in ascending order`;
}

function releaseFault(value: unknown): string | undefined {
  if (!hasFields(value, ["name", "version", "price", "files"], ["notes"])) {
    return "name, version, price and files wanted";
  }
  if (!isEntryName(value.name)) return "its name is none";
  if (!isVersion(value.version)) return "its version is none";
  if (value.price !== "free") return "a release is free";
  const { files, notes } = value;
  const isNotes = notes === undefined ||
    (typeof notes === "string" && notes.length <= NOTES_CHARS_MAX && notes.isWellFormed());
  if (!isNotes) return "its notes are too long, or no text";
  if (!isList(files, RELEASE_FILES_MAX) || files.length === 0) {
    return `1 to ${RELEASE_FILES_MAX} files wanted`;
  }
  return listFault(files, "file", fileFault, itemKey);
}

const FILE_FIELDS = ["name", "size", "blake3", "sha256", "origins"] as const;
const FILE_OPTIONAL = ["platform", "mediaType", "kind"];

function fileFault(value: unknown): string | undefined {
  return hasFields(value, FILE_FIELDS, FILE_OPTIONAL)
    ? filePartsFault(value)
    : `${FILE_FIELDS.join(", ")} wanted`;
}

function itemFault(value: unknown): string | undefined {
  const fields = [...FILE_FIELDS, "price"];
  if (!hasFields(value, fields, [...FILE_OPTIONAL, "version"])) {
    return `${fields.join(", ")} wanted`;
  }
  if (value.version !== undefined && !isVersion(value.version)) return "its version is none";
  return priceFault(value) ?? filePartsFault(value);
}

function filePartsFault(value: Fields): string | undefined {
  if (!isEntryName(value.name)) return "its name is none";
  if (!isCount(value.size, 0)) return "its size is none";
  if (!isHash(value.blake3)) return "its blake3 is not 64 hex digits";
  if (!isSha256(value.sha256)) return "its sha256 is not 64 hex digits";
  if (value.platform !== undefined && !isPlatform(value.platform)) return "its platform is none";
  if (value.mediaType !== undefined && !isMediaType(value.mediaType)) {
    return "its media type is none";
  }
  if (value.kind !== undefined && value.kind !== "collection") return "its kind is unknown";
  const { origins } = value;
  const isGood = isList(origins, ORIGINS_MAX) && origins.every(isOriginUrl) &&
    new Set(origins).size === origins.length;
  return isGood ? undefined : `at most ${ORIGINS_MAX} different URLs as origins wanted`;
}

function priceFault({ price }: Fields): string | undefined {
  return price === "free" || price === "priced" ? undefined : "its price class is unknown";
}

function imageFault(value: unknown): string | undefined {
  const needed = ["reference", "digest", "price", "platforms", "blobs"] as const;
  if (!hasFields(value, needed, ["collection"])) return `${needed.join(", ")} wanted`;
  if (!isImageReference(value.reference)) return "its reference is no registry/repository:tag";
  const { digest, platforms, blobs, collection } = value;
  if (typeof digest !== "string" || !digest.startsWith("sha256:") || !isSha256(digest.slice(7))) {
    return "its digest is not sha256: and 64 hex digits";
  }
  if (collection !== undefined && !isHash(collection)) return "its collection is not 64 hex digits";
  if (!isList(platforms, 64) || !platforms.every(isPlatform) || !isAscending(platforms)) {
    return "its platforms are not different ones in ascending order";
  }
  if (!isList(blobs, IMAGE_BLOBS_MAX) || !blobs.every(isBlob)) {
    return `at most ${IMAGE_BLOBS_MAX} blobs with sha256, blake3 and size wanted`;
  }
  if (!isAscending(blobs.map(({ sha256 }: CatalogBlob) => sha256))) {
    return "its blobs are not different ones in ascending order";
  }
  return priceFault(value);
}

function isBlob(value: unknown): boolean {
  return hasFields(value, ["sha256", "blake3", "size"]) && isSha256(value.sha256) &&
    isHash(value.blake3) && isCount(value.size, 0);
}

/** One digest names one content: two names for it would make one of them a lie. */
function mappingsFault(
  images: readonly { readonly blobs: readonly CatalogBlob[] }[],
): string | undefined {
  const known = new Map<string, string>();
  let count = 0;
  for (const { blobs } of images) {
    count += blobs.length;
    if (count > MAPPINGS_MAX) return `its images list more than ${MAPPINGS_MAX} blobs`;
    for (const { sha256, blake3, size } of blobs) {
      const name = `${blake3} ${size}`;
      if ((known.get(sha256) ?? name) !== name) return `it names ${sha256} in two ways`;
      known.set(sha256, name);
    }
  }
}
