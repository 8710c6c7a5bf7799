/** Asking for manifests: bounded, checked against their digest, and not sent again when unchanged. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import {
  digestOfBytes,
  essenceOf,
  MANIFEST_BYTES_MAX,
  MANIFEST_TYPES,
  parseManifest,
} from "../manifest/mod.ts";
import { type Digest, isDigest, type Reference } from "../names.ts";
import type { UpstreamManifest } from "../ports.ts";
import type { Asker } from "./asker.ts";
import { readBody } from "./body.ts";
import type { Endpoint } from "./endpoint.ts";
import { ETAG_CHARS_MAX } from "./limits.ts";
import { discard } from "./transport.ts";

/** Options of {@link askManifest}. */
export interface ManifestQuestion {
  readonly endpoint: Endpoint;
  readonly asker: Asker;
  readonly clock: Clock;
  readonly repository: string;
  readonly reference: Reference;
  readonly etag?: string;
  readonly isHead: boolean;
  readonly signal: AbortSignal;
}

const ETAG = /^(?:W\/)?"[\x21\x23-\x7e]*"$/;

/**
 * A manifest, or why there is none.
 *
 * @throws {SeedmintError} `protocol` for what is too large or has another digest than it should;
 * `unavailable`, `timeout`.
 */
export async function askManifest(question: ManifestQuestion): Promise<UpstreamManifest> {
  const { endpoint, asker, repository, reference, etag, isHead, signal } = question;
  const isEtagGood = etag !== undefined && isEtag(etag);
  const reply = await asker.ask({
    kind: "manifest",
    method: isHead ? "HEAD" : "GET",
    url: endpoint.manifest(repository, reference),
    headers: {
      accept: MANIFEST_TYPES.join(", "),
      ...(isEtagGood ? { "if-none-match": etag } : {}),
    },
    right: { repository, actions: "pull" },
    signal,
  });
  if (reply.status !== "answered") return reply;
  const { response } = reply;
  if (response.status === 200) {
    // Many registries know ETags only in part; that the digest is the same says it as well.
    const isSame = isEtagGood && [tagOf(response), quoted(claimedDigest(response))].includes(etag);
    if (isSame) {
      await discard(response);
      return { status: "unchanged" };
    }
    return isHead ? await readHead(question, response) : await readManifest(question, response);
  }
  await discard(response);
  if (response.status === 304 && isEtagGood) return { status: "unchanged" };
  if (response.status === 404 || response.status === 410) return { status: "missing" };
  // Of whom it sent us to: there is nothing that could be shown to him.
  if (response.status === 401 || response.status === 403) return { status: "denied" };
  // Not every registry has HEAD; what it says of the content decides.
  if (isHead && response.status === 405) return await askInstead(question);
  throw wrong(question, `answered ${response.status}`);
}

/** A HEAD's answer; asked again by GET where it leaves out what a caller needs. */
async function readHead(
  question: ManifestQuestion,
  response: Response,
): Promise<UpstreamManifest> {
  await discard(response);
  const digest = claimedDigest(response);
  const mediaType = mediaTypeOf(response.headers.get("content-type"));
  const wanted = question.reference.digest;
  if (digest !== undefined && wanted !== undefined && digest !== wanted) {
    throw wrong(question, `names it ${digest}`);
  }
  if (digest === undefined || mediaType === undefined) return await askInstead(question);
  const bytes = new Uint8Array();
  const etag = tagOf(response) ?? quoted(digest)!;
  return { status: "found", digest, mediaType, bytes, etag };
}

/** The answer to a HEAD, got by GET. */
async function askInstead(question: ManifestQuestion): Promise<UpstreamManifest> {
  const found = await askManifest({ ...question, isHead: false });
  return found.status === "found" ? { ...found, bytes: new Uint8Array() } : found;
}

async function readManifest(
  question: ManifestQuestion,
  response: Response,
): Promise<UpstreamManifest> {
  const { endpoint, clock, signal, reference } = question;
  const bytes = await readBody(response, {
    registry: endpoint.registry,
    clock,
    bytesMax: MANIFEST_BYTES_MAX,
    signal,
  });
  const digest = digestOfBytes(bytes);
  const claimed = claimedDigest(response);
  if (reference.digest !== undefined && reference.digest !== digest) {
    throw wrong(question, `sent bytes whose digest is ${digest}`);
  }
  if (claimed !== undefined && claimed !== digest) {
    throw wrong(question, `names it ${claimed}, and its bytes are ${digest}`);
  }
  const mediaType = mediaTypeOf(response.headers.get("content-type")) ?? mediaTypeIn(bytes);
  if (mediaType === undefined) throw wrong(question, "does not say what it is");
  return { status: "found", digest, mediaType, bytes, etag: tagOf(response) ?? quoted(digest)! };
}

/** What servers send that know nothing of the content. */
const GENERIC = new Set(["", "application/json", "application/octet-stream", "text/plain"]);

/** The type of Content-Type; undefined where it says nothing. */
function mediaTypeOf(header: string | null): string | undefined {
  const type = essenceOf(header ?? "");
  return /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}$/.test(type) && !GENERIC.has(type)
    ? type
    : undefined;
}

/** What a manifest says of itself, or looks like. */
function mediaTypeIn(bytes: Uint8Array): string | undefined {
  try {
    return parseManifest(undefined, bytes).mediaType;
  } catch {
    return undefined;
  }
}

function claimedDigest(response: Response): Digest | undefined {
  const text = response.headers.get("docker-content-digest");
  return isDigest(text) ? text : undefined;
}

function tagOf(response: Response): string | undefined {
  const text = response.headers.get("etag") ?? "";
  return isEtag(text) ? text : undefined;
}

/** Whether `text` is an ETag (RFC 9110 section 8.8.3), no longer than we send. */
function isEtag(text: string): boolean {
  return text.length <= ETAG_CHARS_MAX && ETAG.test(text);
}

function quoted(digest: Digest | undefined): string | undefined {
  return digest === undefined ? undefined : `"${digest}"`;
}

function wrong(
  { endpoint, repository, reference }: ManifestQuestion,
  why: string,
): SeedmintError {
  const name = `${endpoint.registry}/${repository} ${reference.tag ?? reference.digest}`;
  return new SeedmintError("protocol", `Cannot take manifest ${name}: the registry ${why}`);
}
