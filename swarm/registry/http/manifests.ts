/** Manifests: HEAD, GET, PUT and DELETE, by tag and by digest. */
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { ReplyHeaders } from "../../http/message.ts";
import { essenceOf, MANIFEST_BYTES_MAX } from "../manifest/mod.ts";
import { isTag, parseReference, type Reference } from "../names.ts";
import type { StoredManifest } from "../ports.ts";
import type { RegistryExchange } from "./exchange.ts";
import { ACCEPTED_TYPES_MAX, MANIFEST_BODIES_MAX, TAG_PARAMETERS_MAX } from "./limits.ts";
import type { Named } from "./naming.ts";
import { digestInvalid, manifestUnknown, ociRefusal } from "./oci_error.ts";
import { found, namespaceHeaders, type RegistryParts } from "./parts.ts";

/** A manifest as a URL names it. */
export interface ManifestTarget {
  readonly named: Named;
  readonly reference: string;
}

/** `GET`, `HEAD`, `PUT`, `DELETE /v2/<name>/manifests/<reference>` */
export async function answerManifest(
  parts: RegistryParts,
  exchange: RegistryExchange,
  target: ManifestTarget,
): Promise<void> {
  switch (exchange.head.method) {
    case "PUT":
      return await putManifest(parts, exchange, target);
    case "DELETE":
      return await deleteManifest(parts, exchange, target);
    default:
      return await getManifest(parts, exchange, target);
  }
}

async function getManifest(
  parts: RegistryParts,
  exchange: RegistryExchange,
  { named, reference: text }: ManifestTarget,
): Promise<void> {
  const { signal, isHead } = exchange;
  const reference = found(parseReference(text), () => manifestUnknown(shown(text)));
  const answered = await parts.reader.manifest(named.name, reference, {
    signal,
    isHead,
    accept: acceptedTypes(exchange.header("accept")),
  });
  const manifest = found(answered, () => manifestUnknown(shown(text)));
  exchange.digest = manifest.digest;
  const etag = `"${manifest.digest}"`;
  const headers: ReplyHeaders = [
    ["Docker-Content-Digest", manifest.digest],
    ["ETag", etag],
    ...namespaceHeaders(named),
    ...staleHeaders(manifest),
  ];
  if (isUnchanged(exchange.header("if-none-match"), etag)) {
    return await exchange.reply(304, headers);
  }
  await exchange.reply(200, [["Content-Type", manifest.mediaType], ...headers], manifest.bytes);
  exchange.bytes += isHead ? 0 : manifest.bytes.length;
}

function staleHeaders({ isStale }: StoredManifest): ReplyHeaders {
  if (isStale !== true) return [];
  return [
    ["Warning", '299 - "The registry cannot be asked; this is the last that was known of the tag"'],
    ["X-Seedmint-Stale", "true"],
  ];
}

/** All media types of an `Accept`, as they stand there; none means any. */
function acceptedTypes(header: string | undefined): string[] {
  return (header ?? "").split(",", ACCEPTED_TYPES_MAX).map((type) => type.trim())
    .filter((type) => type !== "");
}

function isUnchanged(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(",").map((tag) => tag.trim())
    .some((tag) => tag === "*" || tag === etag || tag === `W/${etag}`);
}

async function putManifest(
  parts: RegistryParts,
  exchange: RegistryExchange,
  { named, reference: text }: ManifestTarget,
): Promise<void> {
  const reference = writtenReference(text);
  const tags = exchange.head.query.getAll("tag");
  const isWrong = tags.length > TAG_PARAMETERS_MAX || !tags.every(isTag) ||
    (tags.length > 0 && reference.digest === undefined);
  if (isWrong) {
    throw ociRefusal(400, {
      code: "MANIFEST_INVALID",
      message: `At most ${TAG_PARAMETERS_MAX} proper tags may go with a digest`,
    });
  }
  const bytes = await manifestBody(parts, exchange);
  const mediaType = essenceOf(exchange.header("content-type") ?? "");
  const { repository } = named.name;
  const writer = parts.writer!;
  try {
    const put = await writer.putManifest(repository, reference, { mediaType, bytes });
    for (const tag of tags) await writer.putManifest(repository, { tag }, { mediaType, bytes });
    exchange.digest = put.digest;
    await exchange.reply(201, [
      ["Location", `/v2/${named.path}/manifests/${put.digest}`],
      ["Docker-Content-Digest", put.digest],
      ...(put.subject === undefined ? [] : [["OCI-Subject", put.subject] as const]),
      ...tags.map((tag) => ["OCI-Tag", tag] as const),
    ]);
  } catch (error) {
    if (!isSeedmintError(error, "not-found")) throw error;
    throw ociRefusal(400, { code: "MANIFEST_BLOB_UNKNOWN", message: error.message });
  }
}

function writtenReference(text: string): Reference {
  return found(
    parseReference(text),
    () =>
      text.includes(":")
        ? digestInvalid("The digest is malformed, or of an algorithm that is not kept here")
        : ociRefusal(400, { code: "MANIFEST_INVALID", message: "The tag is malformed" }),
  );
}

async function manifestBody(
  parts: RegistryParts,
  exchange: RegistryExchange,
): Promise<Uint8Array<ArrayBuffer>> {
  if (parts.manifestBodies >= MANIFEST_BODIES_MAX) {
    throw ociRefusal(429, {
      code: "TOOMANYREQUESTS",
      message: "Too many manifests are being pushed; try again",
      headers: [["Retry-After", "1"]],
    });
  }
  parts.manifestBodies++;
  try {
    return await exchange.smallBody(MANIFEST_BYTES_MAX);
  } finally {
    parts.manifestBodies--;
  }
}

async function deleteManifest(
  { writer }: RegistryParts,
  exchange: RegistryExchange,
  { named, reference: text }: ManifestTarget,
): Promise<void> {
  const reference = writtenReference(text);
  const wasHere = await writer!.deleteManifest(named.name.repository, reference);
  if (!wasHere) throw manifestUnknown(shown(text));
  await exchange.reply(202);
}

function shown(text: string): string {
  return text.slice(0, 140);
}
