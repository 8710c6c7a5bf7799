/** Reading the head of an origin's answer, and writing the head of a request. Pure. */
import { SeedmintError } from "../../src/core/errors.ts";
import { ETAG_CHARACTERS_MAX, RETRY_AFTER_MS_MAX } from "./limits.ts";

/** What the head of an answer means. */
export type Answer =
  | {
    readonly kind: "body";
    readonly body: ReadableStream<Uint8Array>;
    /** Where the body begins. */
    readonly offset: number;
    /** Total size, if the origin tells it. */
    readonly size: number | undefined;
    readonly etag: string | undefined;
  }
  | { readonly kind: "retry"; readonly retryAfterMs: number; readonly error: SeedmintError };

/** What is asked for and what is known already. */
export interface Asked {
  readonly id: string;
  readonly position: number;
  readonly etag: string | undefined;
  readonly size: number | undefined;
  readonly sizeMax: number;
}

/** The URL that may be shown: no user, no password, no query, no fragment. */
export function publicUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** The URL as it is requested: user and password travel in a header. */
export function withoutCredentials(url: URL): URL {
  const copy = new URL(url);
  copy.username = "";
  copy.password = "";
  copy.hash = "";
  return copy;
}

/** Headers of a GET from `position` on. */
export function headersOf(
  stretch: {
    readonly position: number;
    readonly end: number | undefined;
    readonly etag: string | undefined;
  },
  own: Readonly<Record<string, string>>,
): Headers {
  const headers = new Headers(own);
  // A transfer coding would make offsets those of other bytes.
  headers.set("accept-encoding", "identity");
  if (stretch.position > 0 || stretch.end !== undefined) {
    const last = stretch.end === undefined ? "" : stretch.end - 1;
    headers.set("range", `bytes=${stretch.position}-${last}`);
    if (stretch.etag !== undefined) headers.set("if-range", stretch.etag);
  }
  return headers;
}

/**
 * @throws {SeedmintError} `not-found`, `denied`, `protocol`, or `reset` if the content changed since
 * the stretch began.
 */
export function readAnswer(response: Response, asked: Asked): Answer {
  const refuse = (code: "not-found" | "denied" | "protocol" | "reset", why: string) => {
    response.body?.cancel().catch(() => {});
    throw new SeedmintError(code, `Cannot fetch from origin ${asked.id}: ${why}`);
  };
  const { status } = response;
  if (status === 404 || status === 410) refuse("not-found", `it answered ${status}`);
  if (status === 401 || status === 403) {
    refuse("denied", `it answered ${status}; check the credentials or headers`);
  }
  if (status === 408 || status === 429 || status >= 500) return retryLater(response, asked);
  if (status === 416) refuse("protocol", `it has no byte ${asked.position}`);
  if (status !== 200 && status !== 206) refuse("protocol", `it answered ${status}`);
  const coding = response.headers.get("content-encoding") ?? "identity";
  if (coding !== "identity") refuse("protocol", "it sent a content encoding nobody asked for");
  const etag = strongEtag(response.headers.get("etag"));
  if (asked.etag !== undefined && etag !== undefined && etag !== asked.etag) {
    refuse("reset", "the content changed while it was read");
  }
  const span = status === 206
    ? contentRange(response.headers.get("content-range"))
    : { offset: 0, size: contentLength(response.headers.get("content-length")) };
  if (span === undefined) return refuse("protocol", "it sent a malformed Content-Range");
  if (span.offset > asked.position) refuse("protocol", "it sent another range than was asked for");
  const size = span.size;
  if (size !== undefined && size > asked.sizeMax) {
    refuse("protocol", `it has ${size} bytes, and at most ${asked.sizeMax} are wanted`);
  }
  if (size !== undefined && asked.size !== undefined && size !== asked.size) {
    refuse("reset", "its size changed while it was read");
  }
  const body = response.body ?? new ReadableStream({ start: (stream) => stream.close() });
  return { kind: "body", body, offset: span.offset, size, etag: etag ?? asked.etag };
}

function retryLater(response: Response, asked: Asked): Answer {
  response.body?.cancel().catch(() => {});
  const isBusy = response.status === 429 || response.status === 503;
  return {
    kind: "retry",
    retryAfterMs: retryAfterMs(response.headers),
    error: new SeedmintError(
      isBusy ? "busy" : "unavailable",
      `Cannot fetch from origin ${asked.id}: it answered ${response.status}; try again later`,
      { retryable: true },
    ),
  };
}

/** Retry-After in seconds, or as a date beside the answer's own Date (RFC 9110 section 10.2.3). */
function retryAfterMs(headers: Headers): number {
  const text = headers.get("retry-after")?.trim();
  if (text === undefined) return 0;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const waitMs = Date.parse(text) - Date.parse(headers.get("date") ?? "");
  // A date that cannot be compared says nothing: the backoff decides.
  return Number.isFinite(waitMs) ? Math.max(0, Math.min(waitMs, RETRY_AFTER_MS_MAX + 1)) : 0;
}

/** Only a strong validator may be used with If-Range (RFC 9110 section 13.1.5). */
function strongEtag(text: string | null): string | undefined {
  if (text === null || text.startsWith("W/") || text.length > ETAG_CHARACTERS_MAX) return undefined;
  return /^"[\x21\x23-\x7e]*"$/.test(text) ? text : undefined;
}

function contentRange(
  text: string | null,
): { readonly offset: number; readonly size: number | undefined } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(text ?? "");
  if (match === null) return undefined;
  const size = match[3] === "*" ? undefined : Number(match[3]);
  return { offset: Number(match[1]), size };
}

function contentLength(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
