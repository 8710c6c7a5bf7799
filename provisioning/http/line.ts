/** The lessee's side of HTTP: asks a provider of ours at its address, signed with the lessee's key. */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import { isPublicHost } from "../../src/core/addresses.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import type {
  LineOptions,
  NamedRequest,
  ProviderAddress,
  ProviderLine,
} from "../consumer/ports.ts";
import { within } from "../provider/deadline.ts";
import { type Answer, buildRequest, readAnswer } from "../wire/mod.ts";
import { HTTP_LINE_LIMITS } from "./limits.ts";
import { signHttp } from "./nip98.ts";

/** What a line needs. */
export interface HttpLineOptions {
  /** The lessee's Nostr secret, 32 bytes. */
  readonly secretKey: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  /** The addresses of a name. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  /** @default {globalThis.fetch} */
  readonly fetch?: typeof globalThis.fetch;
  /**
   * Whether private addresses and plain HTTP will do. An offer is a stranger's: by default its address
   * must be HTTPS and of the internet, or it could send us to servers of our own network.
   *
   * @default {false}
   */
  readonly allowPrivate?: boolean;
  /** @default {10 minutes} */
  readonly timeoutMs?: number;
}

/** Asks over HTTP; each request signed, answered, and asked again under its id until it is. */
export class HttpLine implements ProviderLine {
  readonly #options: HttpLineOptions;

  constructor(options: HttpLineOptions) {
    this.#options = options;
  }

  async ask(to: ProviderAddress, request: NamedRequest, options: LineOptions): Promise<Answer> {
    const url = await this.#urlOf(to);
    const { clock, timeoutMs = 600_000 } = this.#options;
    const body = bodyOf(request, options.onlyOutcome === true);
    return await within(
      clock,
      {
        ms: options.timeoutMs ?? timeoutMs,
        what: `The answer of ${url.origin}`,
        signal: options.signal,
      },
      (signal) => this.#untilAnswered({ to, url, body, request }, signal),
    );
  }

  async #untilAnswered(
    asked: {
      readonly to: ProviderAddress;
      readonly url: URL;
      readonly body: Uint8Array<ArrayBuffer>;
      readonly request: NamedRequest;
    },
    signal: AbortSignal,
  ): Promise<Answer> {
    const { clock } = this.#options;
    let brokenCount = 0;
    for (let pauseMs: number = HTTP_LINE_LIMITS.retryFirstMs;; pauseMs *= 2) {
      let waitMs = Math.min(pauseMs, HTTP_LINE_LIMITS.retryLastMs);
      try {
        const { answer, isFinal, retryMs } = await this.#exchange(asked, signal);
        if (isFinal) return answer;
        brokenCount = 0;
        waitMs = Math.min(retryMs ?? waitMs, HTTP_LINE_LIMITS.retryLastMs);
      } catch (error) {
        signal.throwIfAborted();
        // What broke on the way may have arrived all the same: its id makes asking again harmless.
        if (!isSeedmintError(error) || !error.retryable) throw error;
        if (++brokenCount >= HTTP_LINE_LIMITS.brokenMax) throw error;
      }
      await clock.sleep(waitMs, { signal });
    }
  }

  async #exchange(
    asked: {
      readonly to: ProviderAddress;
      readonly url: URL;
      readonly body: Uint8Array<ArrayBuffer>;
      readonly request: NamedRequest;
    },
    signal: AbortSignal,
  ): Promise<{ readonly answer: Answer; readonly isFinal: boolean; readonly retryMs?: number }> {
    const { to, url, body, request } = asked;
    const { secretKey, clock, random } = this.#options;
    const authorization = signHttp({ method: "POST", url: url.href, body }, {
      provider: to.provider,
      secretKey,
      nowMs: clock.nowMs(),
      nonce: random.bytes(16).toHex(),
    });
    const { status, text } = await within(
      clock,
      { ms: HTTP_LINE_LIMITS.exchangeMs, what: `An answer of ${url.origin}`, signal },
      (signal) => this.#post(url, { body, authorization, signal }),
    );
    const answer = readAnswer(text);
    if (status === 401) {
      const why = answer?.type === "error" ? answer.message : "no reason told";
      throw new SeedmintError("unavailable", `${url.origin} does not take our signature: ${why}`);
    }
    if (answer === undefined) {
      throw new SeedmintError(
        "unavailable",
        `${url.origin} answered ${status} and nothing that is an answer; is it a provider of leases?`,
        { retryable: status >= 500 },
      );
    }
    if (answer.requestId !== undefined && answer.requestId !== request.requestId) {
      throw new SeedmintError("protocol", `${url.origin} answered another request`);
    }
    if (answer.type !== "error") return { answer, isFinal: true };
    // Turned away at the door, or still under way: nothing is decided yet.
    const isOpen = status === 429 || (status === 503 && answer.error === "rate_limited") ||
      (status === 503 && answer.error === "not_ready");
    return {
      answer,
      isFinal: !isOpen,
      ...(answer.retryMs === undefined ? {} : { retryMs: answer.retryMs }),
    };
  }

  async #post(
    url: URL,
    options: {
      readonly body: Uint8Array<ArrayBuffer>;
      readonly authorization: string;
      readonly signal: AbortSignal;
    },
  ): Promise<{ readonly status: number; readonly text: string }> {
    const { fetch = globalThis.fetch } = this.#options;
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: options.authorization },
        body: options.body,
        // Where a provider sends us is not where it said that it is.
        redirect: "manual",
        signal: options.signal,
      });
      return { status: response.status, text: await textOf(response) };
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof SeedmintError) throw error;
      throw new SeedmintError("unavailable", `${url.origin} cannot be asked: ${messageOf(error)}`, {
        cause: error,
        retryable: true,
      });
    }
  }

  async #urlOf(to: ProviderAddress): Promise<URL> {
    const { allowPrivate = false, resolve } = this.#options;
    const base = to.apiEndpoint;
    if (!to.isOurs || base === undefined) {
      throw new SeedmintError("unavailable", "This provider is not asked over HTTP");
    }
    const url = URL.canParse(base) ? new URL(`${base.replace(/\/+$/, "")}/requests`) : undefined;
    const isHttp = url?.protocol === "https:" || (allowPrivate && url?.protocol === "http:");
    if (url === undefined || !isHttp || url.username !== "" || url.search !== "") {
      throw new SeedmintError(
        "unavailable",
        "The HTTP address of this provider is not used: https: and a host wanted",
      );
    }
    if (allowPrivate || await isPublicHost(url.hostname, resolve).catch(() => false)) return url;
    throw new SeedmintError(
      "unavailable",
      `The HTTP address of this provider is not used: ${url.hostname} is not of the internet`,
    );
  }
}

function bodyOf(request: NamedRequest, onlyOutcome: boolean): Uint8Array<ArrayBuffer> {
  const text = buildRequest(request);
  if (!onlyOutcome) return new TextEncoder().encode(text);
  return new TextEncoder().encode(JSON.stringify({ ...JSON.parse(text), only_outcome: true }));
}

async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let count = 0;
  for await (const bytes of response.body ?? []) {
    count += bytes.length;
    if (count > HTTP_LINE_LIMITS.answerBytesMax) {
      throw new SeedmintError("protocol", "The answer over HTTP is too long");
    }
    text += decoder.decode(bytes, { stream: true });
  }
  return text + decoder.decode();
}
