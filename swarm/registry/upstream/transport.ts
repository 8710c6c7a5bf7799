/**
 * One request to a registry or to its token server, with its redirects. What is secret goes to the origin
 * that it is meant for only, and is in no message.
 */
import { messageOf, SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { Destinations } from "./destinations.ts";
import { HEAD_MS_MAX, REDIRECT_COUNT_MAX } from "./limits.ts";
import type { RateLimits, RequestKind } from "./rate_limits.ts";
import { abortedError, within } from "./within.ts";

/** What is sent. */
export interface TransportRequest {
  readonly kind: RequestKind;
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent to the origin of `url` only, and not again once a redirect left it. */
  readonly authorization?: string | undefined;
  /** More headers for a certain place of the way. */
  readonly headersAt?: (url: URL) => Readonly<Record<string, string>>;
  /** Makes the body, anew for each time that it is sent. */
  readonly body?: () => BodyInit;
  /** Connecting and the head of each answer. @default {HEAD_MS_MAX} */
  readonly headMs?: number;
  readonly signal: AbortSignal;
}

/** An answer's head; its body is to be read or cancelled. */
export interface Answered {
  readonly response: Response;
  /** Who answered in the end. */
  readonly url: URL;
  /** Whether nobody but the origin of the first URL was asked. */
  readonly isOwn: boolean;
  /** That so much was asked that nothing may be asked for so long. */
  readonly limitedMs?: number | undefined;
}

/** Options of {@link Transport}. */
export interface TransportOptions {
  readonly registry: string;
  readonly clock: Clock;
  readonly destinations: Destinations;
  readonly rates: RateLimits;
  /** @default {globalThis.fetch} */
  readonly fetch?: typeof globalThis.fetch;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** See the head of this file. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #fetch: typeof globalThis.fetch;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? globalThis.fetch;
  }

  /**
   * @throws {SeedmintError} `unavailable`, `timeout`, `protocol`, `denied`, `aborted`.
   */
  async send(request: TransportRequest): Promise<Answered> {
    let url = request.url;
    let isOwn = true;
    for (let hop = 0; hop <= REDIRECT_COUNT_MAX; hop++) {
      const response = await this.#sendOnce(request, url, isOwn);
      const limitedMs = this.#options.rates.note(request.kind, response);
      const location = response.headers.get("location");
      if (!REDIRECTS.has(response.status) || location === null) {
        return { response, url, isOwn, limitedMs };
      }
      await discard(response);
      // A body that was sent is not sent to somebody else, and cannot be sent again.
      if (request.method !== "GET" && request.method !== "HEAD") {
        throw this.#error("protocol", `it redirects a ${request.method}`);
      }
      url = await within(
        this.#deadline(request, "no address found"),
        (signal) => this.#options.destinations.resolve(location, url, { signal }),
      );
      isOwn &&= url.origin === request.url.origin;
    }
    throw this.#error("protocol", `it redirects more than ${REDIRECT_COUNT_MAX} times`);
  }

  async #sendOnce(request: TransportRequest, url: URL, isOwn: boolean): Promise<Response> {
    const headers = new Headers({
      "accept-encoding": "identity",
      ...request.headers,
      ...request.headersAt?.(url),
    });
    if (isOwn && request.authorization !== undefined) {
      headers.set("authorization", request.authorization);
    }
    return await within(this.#deadline(request, "no answer"), async (signal) => {
      try {
        return await this.#fetch(url, {
          method: request.method,
          headers,
          redirect: "manual",
          signal,
          ...(request.body === undefined ? {} : { body: request.body() }),
        });
      } catch (cause) {
        if (request.signal.aborted) throw abortedError(request.signal);
        if (cause instanceof SeedmintError) throw cause;
        throw this.#error("unavailable", `it cannot be reached (${reasonOf(cause)})`);
      }
    });
  }

  #deadline(request: TransportRequest, what: string) {
    return {
      clock: this.#options.clock,
      ms: request.headMs ?? HEAD_MS_MAX,
      signal: request.signal,
      what: `Cannot ask registry ${this.#options.registry}: ${what}`,
    };
  }

  #error(code: "protocol" | "unavailable", why: string): SeedmintError {
    return new SeedmintError(code, `Cannot ask registry ${this.#options.registry}: ${why}`, {
      retryable: code === "unavailable",
    });
  }
}

/** Ends an answer whose body nobody wants. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

/** Why a connection failed, without its URL: a signed one is a secret. */
function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const text = messageOf(inner).replaceAll(/https?:\/\/\S+/g, "the URL");
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}
