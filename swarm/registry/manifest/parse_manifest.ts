/** Reading a manifest or an index that a stranger may have made. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Digest } from "../names.ts";
import type { Descriptor } from "../ports.ts";
import {
  annotationsOf,
  checkNames,
  descriptorOf,
  invalid,
  isMediaType,
  type JsonObject,
  objectIn,
} from "./descriptor.ts";
import { digestOfBytes } from "./digest.ts";
import { CHILDREN_MAX, MANIFEST_BYTES_MAX } from "./limits.ts";
import {
  essenceOf,
  isForeignType,
  isImageConfigType,
  isIndexType,
  isManifestType,
  MEDIA_TYPES,
} from "./media_types.ts";
import type { Platform } from "./platform.ts";

/** What a manifest is: an image that can be run, a list of manifests, or anything else. */
export type ManifestKind = "image" | "index" | "artifact";

/** A manifest or an index, understood. */
export interface ParsedManifest {
  readonly kind: ManifestKind;
  /** SHA-256 of its bytes. */
  readonly digest: Digest;
  /** Without parameters. */
  readonly mediaType: string;
  /** Bytes of the manifest itself. */
  readonly size: number;
  readonly subject?: Descriptor;
  /** What an artifact is, its own word or else the type of its configuration. */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /**
   * Manifests of an index; else the configuration, if there is one, and the layers, in order. A blob
   * that is listed twice stands here twice.
   */
  readonly children: readonly Descriptor[];
  /** The configuration among {@link children}. */
  readonly config?: Descriptor;
  /** Layers that a registry need not have, since they come from somewhere else. */
  readonly foreign: readonly Descriptor[];
}

const KNOWN: ReadonlySet<string> = new Set([
  "schemaVersion",
  "mediaType",
  "artifactType",
  "config",
  "layers",
  "manifests",
  "blobs",
  "subject",
  "annotations",
]);

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a manifest.
 *
 * @param mediaType What its sender says it is, with or without parameters; `undefined` if nobody said:
 * then what it says itself, or what it looks like, counts.
 * @param bytes At most {@link MANIFEST_BYTES_MAX}.
 * @throws {SeedmintError} `invalid` if it is none, or one that could be read in two ways.
 */
export function parseManifest(mediaType: string | undefined, bytes: Uint8Array): ParsedManifest {
  if (bytes.length > MANIFEST_BYTES_MAX) {
    throw invalid(`it has ${bytes.length} bytes, at most ${MANIFEST_BYTES_MAX} are taken`);
  }
  const object = objectIn(jsonIn(bytes), "it");
  checkNames(object, KNOWN, "it");
  const type = typeOf(mediaType, object);
  const subject = object.subject === undefined || object.subject === null
    ? undefined
    : descriptorOf(object.subject, "its subject");
  const annotations = annotationsOf(object.annotations, "it");
  const common = {
    digest: digestOfBytes(bytes),
    mediaType: type,
    size: bytes.length,
    ...(subject === undefined ? {} : { subject }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  const artifactType = artifactTypeOf(object);
  if (isIndexType(type)) {
    return {
      ...common,
      kind: "index",
      ...(artifactType === undefined ? {} : { artifactType }),
      children: manifestsOf(object),
      foreign: [],
    };
  }
  return { ...common, ...blobsOf(object, type, artifactType) };
}

/** What a registry says of a manifest to those who ask what refers to its subject. */
export function referrerOf(manifest: ParsedManifest): Descriptor {
  const { mediaType, digest, size, annotations } = manifest;
  const artifactType = manifest.artifactType ?? manifest.config?.mediaType;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** What an image's configuration says it runs on; undefined if it does not say. */
export function parseConfigPlatform(bytes: Uint8Array): Platform | undefined {
  try {
    const { os, architecture, variant } = objectIn(jsonIn(bytes), "it");
    const read = descriptorOf({
      mediaType: MEDIA_TYPES.ociConfig,
      digest: `sha256:${"0".repeat(64)}`,
      size: 0,
      platform: { os, architecture, variant },
    }, "it");
    return read.platform;
  } catch (error) {
    if (error instanceof SeedmintError) return undefined;
    throw error;
  }
}

function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(DECODER.decode(bytes));
  } catch {
    throw invalid("it is not JSON in UTF-8");
  }
}

/** What it is, once all that is said of it agrees. */
function typeOf(said: string | undefined, object: JsonObject): string {
  const { schemaVersion, mediaType: own } = object;
  if (own !== undefined && typeof own !== "string") throw invalid("its media type is not text");
  const type = said === undefined || said.trim() === "" ? own ?? guessed(object) : essenceOf(said);
  if (!isManifestType(type)) {
    const isOld = type.startsWith("application/vnd.docker.distribution.manifest.v1");
    throw invalid(
      isOld
        ? "it is of Docker's schema 1, which cannot be verified; push the image anew"
        : `"${type.slice(0, 80)}" is no media type of a manifest or an index`,
    );
  }
  if (own !== undefined && own !== "" && own !== type) {
    throw invalid(`it is sent as ${type} and says itself that it is ${own.slice(0, 80)}`);
  }
  if (schemaVersion !== 2 && type !== MEDIA_TYPES.ociArtifact) {
    throw invalid("its schemaVersion is not 2");
  }
  return type;
}

function guessed(object: JsonObject): string {
  return object.manifests === undefined ? MEDIA_TYPES.ociManifest : MEDIA_TYPES.ociIndex;
}

function artifactTypeOf(object: JsonObject): string | undefined {
  const { artifactType } = object;
  if (artifactType === undefined || artifactType === "") return undefined;
  if (!isMediaType(artifactType)) throw invalid("its artifact type is no media type");
  return artifactType;
}

/** An index with layers, or an image with manifests, is two things to two readers (CVE-2021-41190). */
function manifestsOf(object: JsonObject): readonly Descriptor[] {
  if (has(object, "config") || has(object, "layers") || has(object, "blobs")) {
    throw invalid("it is an index and lists layers, too");
  }
  return listOf(object, "manifests");
}

function blobsOf(
  object: JsonObject,
  type: string,
  artifactType: string | undefined,
): Pick<ParsedManifest, "kind" | "artifactType" | "children" | "config" | "foreign"> {
  if (has(object, "manifests")) throw invalid("it is no index and lists manifests");
  if (type === MEDIA_TYPES.ociArtifact) {
    if (has(object, "config") || has(object, "layers")) {
      throw invalid("it is an artifact's and lists layers");
    }
    const blobs = has(object, "blobs") ? listOf(object, "blobs") : [];
    return {
      kind: "artifact",
      ...(artifactType === undefined ? {} : { artifactType }),
      children: blobs,
      foreign: [],
    };
  }
  if (has(object, "blobs")) throw invalid("it is no artifact's manifest of old and lists blobs");
  const config = descriptorOf(object.config, "its configuration");
  const layers = listOf(object, "layers");
  const isImage = artifactType === undefined && isImageConfigType(config.mediaType);
  return {
    kind: isImage ? "image" : "artifact",
    ...(isImage ? {} : { artifactType: artifactType ?? config.mediaType }),
    children: [config, ...layers.filter((layer) => !isForeignType(layer.mediaType))],
    config,
    foreign: layers.filter((layer) => isForeignType(layer.mediaType)),
  };
}

function has(object: JsonObject, name: string): boolean {
  return object[name] !== undefined && object[name] !== null;
}

function listOf(object: JsonObject, name: string): readonly Descriptor[] {
  // Some tools write an empty list so.
  const list = object[name] === null ? [] : object[name];
  if (!Array.isArray(list)) throw invalid(`its "${name}" is no list`);
  if (list.length > CHILDREN_MAX) {
    throw invalid(`its "${name}" has ${list.length} entries, at most ${CHILDREN_MAX} are taken`);
  }
  return list.map((entry, index) => descriptorOf(entry, `${name}[${index}]`));
}
