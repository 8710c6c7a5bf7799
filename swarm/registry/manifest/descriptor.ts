/** One entry of a manifest or an index (OCI image-spec `descriptor.md`). */
import { SeedmintError } from "../../../src/core/errors.ts";
import { isDigest } from "../names.ts";
import type { Descriptor } from "../ports.ts";
import {
  ANNOTATIONS_MAX,
  MANIFEST_BYTES_MAX,
  MEDIA_TYPE_CHARS_MAX,
  PLATFORM_CHARS_MAX,
} from "./limits.ts";
import { isManifestType } from "./media_types.ts";
import type { Platform } from "./platform.ts";

/** Printable ASCII; of parameters, which should not be there, tools write what they like. */
const MEDIA_TYPE = /^[!-.0-~]+\/[!-~](?:[ -~]*[!-~])?$/;

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The error for what is no manifest; `why` goes on after "Cannot read the manifest: ". */
export function invalid(why: string): SeedmintError {
  return new SeedmintError("invalid", `Cannot read the manifest: ${why}`);
}

/** `value` as an object of JSON. @throws {SeedmintError} `invalid` */
export function objectIn(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(`${what} is not an object`);
  }
  return value as JsonObject;
}

/**
 * Refuses names that differ from known ones in case alone: programs in Go read them as the known
 * ones, so that one manifest would mean two things.
 *
 * @throws {SeedmintError} `invalid`
 */
export function checkNames(object: JsonObject, known: ReadonlySet<string>, what: string): void {
  for (const name of Object.keys(object)) {
    if (known.has(name)) continue;
    const folded = name.toLowerCase();
    for (const other of known) {
      if (other.toLowerCase() === folded) {
        throw invalid(`${what} has "${name.slice(0, 40)}", which is read as "${other}" by some`);
      }
    }
  }
}

const KNOWN: ReadonlySet<string> = new Set([
  "mediaType",
  "digest",
  "size",
  "urls",
  "annotations",
  "data",
  "artifactType",
  "platform",
]);

/**
 * Reads one descriptor.
 *
 * @param what What it is, for the message: `layers[3]`.
 * @throws {SeedmintError} `invalid`
 */
export function descriptorOf(value: unknown, what: string): Descriptor {
  const object = objectIn(value, what);
  checkNames(object, KNOWN, what);
  const { mediaType, digest, size, artifactType, annotations, platform } = object;
  if (!isMediaType(mediaType)) throw invalid(`the media type of ${what} is none`);
  if (!isDigest(digest)) {
    throw invalid(`the digest of ${what} is not sha256: and 64 lower-case hex digits`);
  }
  if (!Number.isSafeInteger(size) || (size as number) < 0) {
    throw invalid(`the size of ${what} is no count of bytes`);
  }
  if (isManifestType(mediaType) && (size as number) > MANIFEST_BYTES_MAX) {
    throw invalid(`${what} has ${size} bytes, a manifest has at most ${MANIFEST_BYTES_MAX}`);
  }
  if (artifactType !== undefined && artifactType !== "" && !isMediaType(artifactType)) {
    throw invalid(`the artifact type of ${what} is no media type`);
  }
  const annotated = annotationsOf(annotations, what);
  const read = platform === undefined || platform === null
    ? undefined
    : platformOf(platform, `the platform of ${what}`);
  return {
    mediaType,
    digest,
    size: size as number,
    ...(artifactType === undefined || artifactType === ""
      ? {}
      : { artifactType: artifactType as string }),
    ...(annotated === undefined ? {} : { annotations: annotated }),
    ...(read === undefined ? {} : { platform: read }),
  };
}

/** Whether `value` is a media type as descriptors have them. */
export function isMediaType(value: unknown): value is string {
  return typeof value === "string" && value.length <= MEDIA_TYPE_CHARS_MAX &&
    MEDIA_TYPE.test(value);
}

/** Annotations as they stand; undefined where there are none. @throws {SeedmintError} `invalid` */
export function annotationsOf(
  value: unknown,
  what: string,
): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  const object = objectIn(value, `the annotations of ${what}`);
  const entries = Object.entries(object);
  if (entries.length > ANNOTATIONS_MAX) {
    throw invalid(`${what} has ${entries.length} annotations, at most ${ANNOTATIONS_MAX} are read`);
  }
  for (const [, text] of entries) {
    if (typeof text !== "string") throw invalid(`an annotation of ${what} is not text`);
  }
  // Without a prototype, so that no name in it means anything to this program.
  return Object.assign(Object.create(null), object) as Record<string, string>;
}

/** A descriptor as JSON has it, its names always in one order. */
export function descriptorJson(descriptor: Descriptor): JsonObject {
  const { mediaType, digest, size, artifactType, annotations, platform } = descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform }),
  };
}

function platformOf(value: unknown, what: string): Platform | undefined {
  const { os, architecture, variant } = objectIn(value, what);
  const isText = (part: unknown): part is string =>
    typeof part === "string" && part.length <= PLATFORM_CHARS_MAX;
  // What is no platform for sure says nothing; an index of other things may write what it likes.
  if (!isText(os) || !isText(architecture) || os === "" || architecture === "") return undefined;
  return { os, architecture, ...(isText(variant) && variant !== "" ? { variant } : {}) };
}
