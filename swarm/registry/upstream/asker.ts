/**
 * A question to a registry, with its token, a second try where the first broke on the way, and no request
 * at all while the registry wants none.
 */
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { RETRY_PAUSE_MS } from "./limits.ts";
import type { RateLimits, RequestKind } from "./rate_limits.ts";
import type { Silence } from "./silence.ts";
import type { Right, Tokens } from "./tokens.ts";
import { type Answered, discard, type Transport, type TransportRequest } from "./transport.ts";
import { abortedError } from "./within.ts";

/** What is asked. */
export interface Question extends Omit<TransportRequest, "authorization"> {
  readonly right: Right;
  /** Whether a failure on the way may be tried once more. @default {true} for GET and HEAD */
  readonly isRepeatable?: boolean;
}

/** The registry's answer, or that there is none to be had. */
export type Reply =
  | ({ readonly status: "answered" } & Answered)
  | { readonly status: "denied" }
  | { readonly status: "limited"; readonly retryMs: number };

/** Options of {@link Asker}. */
export interface AskerOptions {
  readonly registry: string;
  /** The registry's origin: what is asked elsewhere goes without a token. */
  readonly origin: string;
  readonly transport: Transport;
  readonly tokens: Tokens;
  readonly rates: RateLimits;
  readonly silence: Silence;
  readonly clock: Clock;
}

/** See the head of this file. */
export class Asker {
  readonly #options: AskerOptions;

  constructor(options: AskerOptions) {
    this.#options = options;
  }

  /**
   * Asks; an `answered` reply is neither 401, nor 403 of the registry itself, nor 429, nor 5xx.
   *
   * @throws {SeedmintError} `unavailable`, `timeout`, `protocol`, `denied`, `aborted`.
   */
  async ask(question: Question): Promise<Reply> {
    const isRead = question.method === "GET" || question.method === "HEAD";
    const isRepeatable = question.isRepeatable ?? isRead;
    const { silence, clock } = this.#options;
    // What is sent, or read over many attempts, has a patience of its own.
    if (isRepeatable) silence.check();
    const beganMs = clock.monotonicMs();
    try {
      const reply = await this.#askPatiently(question, isRepeatable);
      if (reply.status === "answered") silence.heard();
      return reply;
    } catch (error) {
      if (isRepeatable) silence.failed(beganMs, error, question.signal);
      throw error;
    }
  }

  /** Asks a second time if the first broke on the way. */
  async #askPatiently(question: Question, isRepeatable: boolean): Promise<Reply> {
    try {
      return await this.#askOnce(question);
    } catch (error) {
      if (question.signal.aborted) throw abortedError(question.signal);
      const isWorthIt = isRepeatable && !this.#options.silence.isBroken;
      if (!isWorthIt || !isSeedmintError(error, "unavailable")) throw error;
    }
    try {
      await this.#options.clock.sleep(RETRY_PAUSE_MS, { signal: question.signal });
    } catch {
      throw abortedError(question.signal);
    }
    return await this.#askOnce(question);
  }

  async #askOnce(question: Question): Promise<Reply> {
    const reply = await this.#authorized(question);
    if (reply.status !== "answered") return reply;
    const { response, limitedMs, isOwn, url } = reply;
    if (limitedMs !== undefined) {
      await discard(response);
      return { status: "limited", retryMs: limitedMs };
    }
    if (isOwn && (response.status === 401 || response.status === 403)) {
      await discard(response);
      return { status: "denied" };
    }
    if (response.status < 500) return reply;
    await discard(response);
    const who = isOwn ? "it" : `${url.host}, which it sends us to,`;
    throw new SeedmintError(
      "unavailable",
      `Cannot ask registry ${this.#options.registry}: ${who} answered ${response.status}`,
      { retryable: true },
    );
  }

  async #authorized(question: Question): Promise<Reply> {
    const { tokens, transport, rates, origin } = this.#options;
    const { right, signal, kind } = question;
    const waited = this.#limited(rates, kind);
    if (waited !== undefined) return waited;
    if (question.url.origin !== origin) {
      return { status: "answered", ...await transport.send(question) };
    }
    const first = await tokens.authorize(right, signal);
    if (first.status !== "ready") return first;
    let used = first.authorization;
    const answered = await transport.send({ ...question, authorization: used });
    if (!answered.isOwn || answered.response.status !== 401) {
      return { status: "answered", ...answered };
    }
    const challenge = answered.response.headers.get("www-authenticate");
    await discard(answered.response);
    const next = await tokens.renew(right, { challenge, used, signal });
    if (next.status !== "ready") return next;
    used = next.authorization;
    const again = await transport.send({ ...question, authorization: used });
    if (again.isOwn && again.response.status === 401) await tokens.refused(right, used, signal);
    return { status: "answered", ...again };
  }

  #limited(rates: RateLimits, kind: RequestKind): Reply | undefined {
    const retryMs = rates.waitMs(kind);
    return retryMs > 0 ? { status: "limited", retryMs } : undefined;
  }
}
