/**
 * A blob of a registry as something that `HttpOrigin` can read: tokens and redirects are inside, a place
 * that it was sent to is used again while that is good, and its validator is its digest wherever the bytes
 * come from. A digest's bytes never change, so that a reading goes on from another host where one stopped.
 */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { BLOB_BYTES_MAX } from "../../bao/geometry.ts";
import { HttpOrigin } from "../../origin/mod.ts";
import type { Origin } from "../../ports.ts";
import type { Digest } from "../names.ts";
import type { Upstream } from "../ports.ts";
import type { Asker, Reply } from "./asker.ts";
import { lengthOf } from "./body.ts";
import type { Endpoint } from "./endpoint.ts";
import { BLOB_HEAD_MS_MAX, ETAG_CHARS_MAX, LOCATION_MS_MAX } from "./limits.ts";
import type { RateLimits } from "./rate_limits.ts";
import { type Answered, discard, type Transport } from "./transport.ts";
import { abortedError } from "./within.ts";

/** What blobs are read with. */
export interface BlobOptions {
  readonly endpoint: Endpoint;
  readonly asker: Asker;
  readonly transport: Transport;
  readonly rates: RateLimits;
  readonly clock: Clock;
}

/** One blob of one repository. */
export interface BlobName {
  readonly repository: string;
  readonly digest: Digest;
}

/** Says how large a blob is, by HEAD, or by its first byte where HEAD tells nothing. */
export async function askBlobSize(
  options: BlobOptions,
  name: BlobName,
  signal: AbortSignal,
): ReturnType<Upstream["blobSize"]> {
  const head = await ask(options, name, { method: "HEAD", signal });
  if (head.status !== "answered") return { status: head.status };
  await discard(head.response);
  const size = head.response.status === 200 ? lengthOf(head.response.headers) : undefined;
  if (size !== undefined) return sized(options, size);
  if (isMissing(head.response) && head.isOwn) return { status: "missing" };
  // Storage may sign for GET alone, and some registries have no HEAD.
  const first = await ask(options, name, { method: "GET", range: "bytes=0-0", signal });
  if (first.status !== "answered") return { status: first.status };
  const { response } = first;
  await discard(response);
  if (isMissing(response)) return { status: "missing" };
  if (response.status === 401 || response.status === 403) return { status: "denied" };
  const total = response.status === 200
    ? lengthOf(response.headers)
    : totalOf(response.headers.get("content-range"));
  if (total !== undefined) return sized(options, total);
  throw new SeedmintError(
    "protocol",
    `Cannot learn the size of blob ${name.digest}: registry ${options.endpoint.registry} answered ` +
      `${response.status} without it`,
  );
}

function sized({ endpoint }: BlobOptions, size: number) {
  if (size <= BLOB_BYTES_MAX) return { status: "found", size } as const;
  throw new SeedmintError(
    "protocol",
    `Cannot take a blob of registry ${endpoint.registry}: it has ${size} bytes, at most ` +
      `${BLOB_BYTES_MAX} are taken`,
  );
}

/** The size in `bytes 0-0/1234`, or in what 416 says of a range of nothing, which is 0. */
function totalOf(contentRange: string | null): number | undefined {
  const match = /^bytes (?:0-\d{1,15}|\*)\/(\d{1,15})$/.exec(contentRange ?? "");
  return match === null ? undefined : Number(match[1]);
}

function isMissing(response: Response): boolean {
  return response.status === 404 || response.status === 410;
}

function ask(
  { endpoint, asker }: BlobOptions,
  { repository, digest }: BlobName,
  options: {
    readonly method: "GET" | "HEAD";
    readonly range?: string;
    readonly headersAt?: (url: URL) => Readonly<Record<string, string>>;
    readonly isRepeatable?: boolean;
    readonly signal: AbortSignal;
  },
): Promise<Reply> {
  const { range, ...rest } = options;
  return asker.ask({
    ...rest,
    kind: "blob",
    url: endpoint.blob(repository, digest),
    headers: { accept: "*/*", ...(range === undefined ? {} : { range }) },
    right: { repository, actions: "pull" },
  });
}

/** The blob as an origin. */
export function blobOriginOf(options: BlobOptions, name: BlobName): Origin {
  const reader = new BlobReader(options, name);
  return new HttpOrigin({
    url: options.endpoint.blob(name.repository, name.digest).href,
    clock: options.clock,
    headMs: BLOB_HEAD_MS_MAX,
    fetch: (_url, init) => reader.get(init),
  });
}

/** See the head of this file. */
class BlobReader {
  readonly #options: BlobOptions;
  readonly #name: BlobName;
  /** Where the registry sent us last, and until when that is asked directly. */
  #location: { readonly url: URL; readonly untilMs: number } | undefined;
  /** The validator of the host that answered last. */
  #etag: { readonly origin: string; readonly value: string } | undefined;

  constructor(options: BlobOptions, name: BlobName) {
    this.#options = options;
    this.#name = name;
  }

  async get(init: RequestInit | undefined): Promise<Response> {
    const headers = new Headers(init?.headers);
    const range = headers.get("range") ?? undefined;
    const signal = init?.signal ?? new AbortController().signal;
    const headersAt = (url: URL): Readonly<Record<string, string>> => {
      const isKnown = range !== undefined && this.#etag?.origin === url.origin;
      return isKnown ? { "if-range": this.#etag!.value } : {};
    };
    const again = await this.#fromLocation(range, headersAt, signal);
    if (again !== undefined) return again;
    // HttpOrigin tries again by itself, with a backoff.
    const reply = await ask(this.#options, this.#name, {
      method: "GET",
      headersAt,
      isRepeatable: false,
      signal,
      ...(range === undefined ? {} : { range }),
    });
    if (reply.status === "denied") return new Response(null, { status: 401 });
    if (reply.status === "limited") {
      const seconds = Math.ceil(reply.retryMs / 1000);
      return new Response(null, { status: 429, headers: { "retry-after": `${seconds}` } });
    }
    if (!reply.isOwn) await this.#moved(reply);
    return this.#responseOf(reply);
  }

  /** Asks where the registry sent us before; undefined if that is no good any more. */
  async #fromLocation(
    range: string | undefined,
    headersAt: (url: URL) => Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response | undefined> {
    const { transport, clock, rates } = this.#options;
    const location = this.#location;
    if (location === undefined) return undefined;
    if (location.untilMs > clock.monotonicMs() && rates.waitMs("blob") === 0) {
      try {
        const answered = await transport.send({
          kind: "blob",
          method: "GET",
          url: location.url,
          headers: { accept: "*/*", ...(range === undefined ? {} : { range }) },
          headersAt,
          signal,
        });
        const { status } = answered.response;
        if (status === 200 || status === 206) return this.#responseOf(answered);
        await discard(answered.response);
      } catch {
        if (signal.aborted) throw abortedError(signal);
      }
    }
    if (this.#location === location) this.#location = undefined;
    return undefined;
  }

  /**
   * Keeps where the bytes are.
   *
   * @throws {SeedmintError} `unavailable` if that place refuses: a signature that ended, a copy that is
   * not there yet. The registry itself said that the blob is there, so it is asked again.
   */
  async #moved({ response, url }: Answered): Promise<void> {
    const { clock, endpoint } = this.#options;
    if (response.status === 200 || response.status === 206) {
      this.#location = { url, untilMs: clock.monotonicMs() + LOCATION_MS_MAX };
      return;
    }
    if (response.status < 400 || response.status === 416) return;
    await discard(response);
    throw new SeedmintError(
      "unavailable",
      `Cannot fetch blob ${this.#name.digest} of registry ${endpoint.registry}: ${url.host}, which it ` +
        `sends us to, answered ${response.status}`,
      { retryable: true },
    );
  }

  /** The answer with the digest for its validator: hosts of a CDN each have their own. */
  #responseOf({ response, url }: Answered): Response {
    const etag = response.headers.get("etag") ?? "";
    const isStrong = etag.length <= ETAG_CHARS_MAX && /^"[\x21\x23-\x7e]*"$/.test(etag);
    this.#etag = isStrong ? { origin: url.origin, value: etag } : undefined;
    const headers = new Headers(response.headers);
    headers.set("etag", `"${this.#name.digest}"`);
    const isBare = [204, 205, 304].includes(response.status);
    return new Response(isBare ? null : response.body, { status: response.status, headers });
  }
}
