/**
 * An HTTP or HTTPS server as an origin (RFC 9110): ranges, resuming with If-Range, retries with
 * backoff, bounded redirects. Secrets in the URL or in headers go to its own host only, and appear
 * in no id, message or log.
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { BLOB_BYTES_MAX } from "../bao/geometry.ts";
import type { Origin } from "../ports.ts";
import { headersOf, publicUrl, readAnswer, withoutCredentials } from "./http_answer.ts";
import {
  ATTEMPT_COUNT_MAX,
  BACKOFF_MS_MIN,
  HEAD_MS_MAX,
  PROGRESS_MS_MAX,
  REDIRECT_COUNT_MAX,
  RETRY_AFTER_MS_MAX,
} from "./limits.ts";
import { OriginPayments, type OriginPayOptions } from "./origin_payments.ts";

/** Options of {@link HttpOrigin}. */
export interface HttpOriginOptions {
  /** `http:` or `https:`; user and password in it become an Authorization header. */
  readonly url: string;
  /** Sent to the origin's own host, never to one it redirects to. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** The most bytes that a body may have. @default {BLOB_BYTES_MAX} */
  readonly sizeMax?: number;
  /** @default {HEAD_MS_MAX} */
  readonly headMs?: number;
  /** @default {PROGRESS_MS_MAX} */
  readonly progressMs?: number;
  /** @default {ATTEMPT_COUNT_MAX} */
  readonly attemptCountMax?: number;
  /**
   * Buys from an origin that asks ecash (402); an {@link OriginPayments} is shared by the origins of
   * one fetch. Absent: such an origin fails, in words.
   */
  readonly pay?: OriginPayOptions | OriginPayments;
  /**
   * Called before each request, redirects included: throws for a place that may not be asked, such as
   * an address of a private network.
   */
  readonly checkUrl?: (url: URL) => Promise<void>;
  /** What it throws as a `SeedmintError` reaches the caller as it is. @default {globalThis.fetch} */
  readonly fetch?: typeof globalThis.fetch;
}

/** One stretch of bytes as it is being read, over as many connections as it takes. */
interface Stretch {
  /** Where the next byte belongs. */
  position: number;
  /** Where the caller wants to begin. */
  readonly end: number | undefined;
  readonly signal: AbortSignal;
  etag: string | undefined;
  size: number | undefined;
}

/** An open answer. */
interface Opened {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  /** Bytes to drop before the wanted ones come: the server sent from 0. */
  skip: number;
  cancel(): void;
}

/** See the head of this file. */
export class HttpOrigin implements Origin {
  readonly id: string;
  readonly #url: URL;
  readonly #options: HttpOriginOptions;
  readonly #fetch: typeof globalThis.fetch;
  readonly #payments: OriginPayments;

  /** @throws {SyntaxError} If `url` is not an `http:` or `https:` URL. */
  constructor(options: HttpOriginOptions) {
    this.#url = parseUrl(options.url);
    this.id = publicUrl(this.#url);
    this.#options = options;
    this.#fetch = options.fetch ?? globalThis.fetch;
    this.#payments = options.pay instanceof OriginPayments
      ? options.pay
      : new OriginPayments(options.pay);
  }

  /** Sat in ecash that was handed to the origin, and to those that share its payments. */
  get paidSat(): number {
    return this.#payments.paidSat;
  }

  /**
   * Opens the bytes from `offset` on. A connection that breaks is opened again where it stopped, so
   * the body ends early only with an error.
   *
   * @throws {SeedmintError} `not-found`, `denied`, `payment-required`, `protocol`, `timeout`,
   * `unavailable`, `busy`.
   */
  async open(
    options: { readonly offset: number; readonly end?: number; readonly signal: AbortSignal },
  ): Promise<
    { readonly body: ReadableStream<Uint8Array>; readonly offset: number; readonly size?: number }
  > {
    const stretch: Stretch = {
      position: options.offset,
      end: options.end,
      signal: options.signal,
      etag: undefined,
      size: undefined,
    };
    const opened = await this.#openWithRetries(stretch);
    return {
      body: this.#bodyOf(stretch, opened),
      offset: options.offset,
      ...(stretch.size === undefined ? {} : { size: stretch.size }),
    };
  }

  #bodyOf(stretch: Stretch, first: Opened): ReadableStream<Uint8Array> {
    let opened: Opened | undefined = first;
    let failedCount = 0;
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      while (true) {
        try {
          opened ??= await this.#openWithRetries(stretch);
          const piece = await this.#readPiece(stretch, opened);
          if (piece === undefined) return controller.close();
          failedCount = 0;
          return controller.enqueue(piece);
        } catch (error) {
          opened?.cancel();
          opened = undefined;
          failedCount++;
          const isFinal = stretch.signal.aborted || !isRetryable(error) ||
            failedCount >= (this.#options.attemptCountMax ?? ATTEMPT_COUNT_MAX);
          if (isFinal) throw error;
        }
      }
    };
    // Nothing is read ahead: the reader's pace is the connection's pace.
    return new ReadableStream({ pull, cancel: () => opened?.cancel() }, { highWaterMark: 0 });
  }

  /** The next wanted bytes, or undefined at the end of the stretch. */
  async #readPiece(stretch: Stretch, opened: Opened): Promise<Uint8Array | undefined> {
    const end = stretch.end ?? stretch.size;
    while (end === undefined || stretch.position < end) {
      const read = await this.#withDeadline(opened.reader.read(), {
        ms: this.#options.progressMs ?? PROGRESS_MS_MAX,
        what: "sent nothing",
        signal: stretch.signal,
      });
      if (read.done) {
        if (end === undefined) return undefined;
        throw this.#error("reset", `the body ended at byte ${stretch.position} of ${end}`);
      }
      const skipped = Math.min(opened.skip, read.value.length);
      opened.skip -= skipped;
      let piece = read.value.subarray(skipped);
      if (end !== undefined) piece = piece.subarray(0, end - stretch.position);
      if (piece.length === 0) continue;
      stretch.position += piece.length;
      if (stretch.position > (this.#options.sizeMax ?? BLOB_BYTES_MAX)) {
        throw this.#error("protocol", "the body is larger than allowed");
      }
      return piece;
    }
    opened.cancel();
    return undefined;
  }

  async #openWithRetries(stretch: Stretch): Promise<Opened> {
    const attemptCountMax = this.#options.attemptCountMax ?? ATTEMPT_COUNT_MAX;
    for (let attempt = 1;; attempt++) {
      let waitMs = BACKOFF_MS_MIN * 2 ** (attempt - 1);
      let failure: unknown;
      try {
        const opened = await this.#openOnce(stretch);
        if (!("retryAfterMs" in opened)) return opened;
        failure = opened.error;
        waitMs = Math.max(waitMs, opened.retryAfterMs);
      } catch (error) {
        failure = error;
      }
      if (stretch.signal.aborted) throw abortedError(stretch.signal);
      const isFinal = !isRetryable(failure) || attempt >= attemptCountMax ||
        waitMs > RETRY_AFTER_MS_MAX;
      if (isFinal) throw failure;
      try {
        await this.#options.clock.sleep(waitMs, { signal: stretch.signal });
      } catch {
        throw abortedError(stretch.signal);
      }
    }
  }

  async #openOnce(
    stretch: Stretch,
  ): Promise<Opened | { readonly retryAfterMs: number; readonly error: SeedmintError }> {
    const abort = new AbortController();
    const signal = AbortSignal.any([stretch.signal, abort.signal]);
    try {
      const response = await this.#paidResponse(stretch, signal);
      const answer = readAnswer(response, {
        id: this.id,
        position: stretch.position,
        etag: stretch.etag,
        size: stretch.size,
        sizeMax: this.#options.sizeMax ?? BLOB_BYTES_MAX,
      });
      if (answer.kind === "retry") {
        abort.abort();
        return { retryAfterMs: answer.retryAfterMs, error: answer.error };
      }
      stretch.etag = answer.etag;
      stretch.size = answer.size ?? stretch.size;
      const reader = answer.body.getReader();
      return {
        reader,
        skip: stretch.position - answer.offset,
        cancel: () => {
          abort.abort();
          reader.cancel().catch(() => {});
        },
      };
    } catch (error) {
      abort.abort();
      throw error;
    }
  }

  /** The answer to one GET, bought if need be: a payment takes its own time. */
  async #paidResponse(stretch: Stretch, signal: AbortSignal): Promise<Response> {
    while (true) {
      const token = this.#payments.tokenFor(this.#url);
      const { response, url } = await this.#withDeadline(this.#request(stretch, signal), {
        ms: this.#options.headMs ?? HEAD_MS_MAX,
        what: "did not answer",
        signal: stretch.signal,
      });
      const isOwnHost = url.origin === this.#url.origin;
      const { id } = this;
      const refused = response.status === 400 && isOwnHost ? token : undefined;
      if (response.status !== 402 && refused === undefined) {
        if (response.ok && isOwnHost && token !== undefined) {
          this.#payments.taken(this.#url, token);
        }
        return response;
      }
      await response.body?.cancel();
      const shown = { id, url: isOwnHost ? this.#url : url };
      if (refused !== undefined) this.#payments.refused(response, { ...shown, token: refused });
      else await this.#payments.pay({ ...shown, response, isOwnHost, token, signal });
    }
  }

  /** One GET with its redirects. Whatever is ours alone stays with our own host. */
  async #request(
    stretch: Stretch,
    signal: AbortSignal,
  ): Promise<{ readonly response: Response; readonly url: URL }> {
    let url = this.#url;
    for (let hop = 0; hop <= REDIRECT_COUNT_MAX; hop++) {
      const isOwnHost = url.origin === this.#url.origin;
      const headers = headersOf(stretch, isOwnHost ? this.#ownHeaders() : {});
      let response: Response;
      await this.#options.checkUrl?.(url);
      try {
        const target = withoutCredentials(url);
        response = await this.#fetch(target, { headers, redirect: "manual", signal });
      } catch (cause) {
        if (signal.aborted) throw abortedError(signal);
        // A fetch of ours, such as a registry's with its tokens, says itself what is wrong.
        if (isSeedmintError(cause)) throw cause;
        throw this.#error("unavailable", `it cannot be reached (${causeOf(cause, this.#url)})`);
      }
      const location = response.headers.get("location");
      if (response.status < 300 || response.status >= 400 || location === null) {
        return { response, url };
      }
      await response.body?.cancel();
      url = this.#redirected(url, location);
    }
    throw this.#error("protocol", `it redirects more than ${REDIRECT_COUNT_MAX} times`);
  }

  #redirected(from: URL, location: string): URL {
    const url = URL.canParse(location, from) ? new URL(location, from) : undefined;
    if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
      throw this.#error("protocol", "it redirects to something that is not HTTP");
    }
    return url;
  }

  #ownHeaders(): Record<string, string> {
    const headers: Record<string, string> = { ...this.#options.headers };
    if (this.#url.username !== "" || this.#url.password !== "") {
      const user = decodeURIComponent(this.#url.username);
      const pair = new TextEncoder().encode(`${user}:${decodeURIComponent(this.#url.password)}`);
      headers["authorization"] = `Basic ${pair.toBase64()}`;
    }
    const token = this.#payments.tokenFor(this.#url);
    if (token !== undefined) headers["x-cashu"] = token;
    return headers;
  }

  async #withDeadline<T>(
    promise: Promise<T>,
    options: { readonly ms: number; readonly what: string; readonly signal: AbortSignal },
  ): Promise<T> {
    const { promise: failed, reject } = Promise.withResolvers<never>();
    const stop = this.#options.clock.timer(
      options.ms,
      () => reject(this.#error("timeout", `it ${options.what} for ${options.ms} ms`)),
    );
    const onAbort = () => reject(abortedError(options.signal));
    if (options.signal.aborted) onAbort();
    options.signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([promise, failed]);
    } finally {
      stop();
      options.signal.removeEventListener("abort", onAbort);
      // The loser of the race may still fail; nobody is left to hear of it.
      promise.catch(() => {});
      failed.catch(() => {});
    }
  }

  #error(
    code: "protocol" | "timeout" | "unavailable" | "reset",
    why: string,
  ): SeedmintError {
    return new SeedmintError(code, `Cannot fetch from origin ${this.id}: ${why}`, {
      retryable: code !== "protocol",
    });
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new SyntaxError("Cannot use the origin: an http: or https: URL is wanted");
  }
  try {
    decodeURIComponent(url.username + url.password);
  } catch {
    throw new SyntaxError(
      "Cannot use the origin: its user or password is badly escaped; write % as %25",
    );
  }
  return url;
}

function isRetryable(error: unknown): boolean {
  // What is no error of ours came from the connection while reading the body.
  return isSeedmintError(error) ? error.retryable : true;
}

function abortedError(signal: AbortSignal): SeedmintError {
  if (isSeedmintError(signal.reason)) return signal.reason;
  return new SeedmintError("aborted", "The fetch from the origin was cancelled");
}

/** The reason of a failed connection, without the URL that Deno puts into it. */
function causeOf(cause: unknown, url: URL): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const text = messageOf(inner).replaceAll(url.href, "").replaceAll(/https?:\/\/\S+/g, "the URL");
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}
