/**
 * The one way to a mint. Every request has a deadline and a size limit, goes exactly where the user
 * said (no redirects, no private addresses behind public names), and carries exactly the text that it
 * is given. A mint that says 429 or fails again and again is left alone for a while.
 */
import { lookup } from "node:dns/promises";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { MintUrl } from "../types.ts";
import { reachOfAddress, reachOfHost } from "../../src/core/addresses.ts";
import {
  COOLDOWN_MS_MAX,
  COOLDOWN_MS_MIN,
  COOLDOWN_MS_NEXT,
  FAILURE_COOLDOWN_MS_MAX,
  FAILURE_COOLDOWN_MS_MIN,
  FAILURE_COUNT_FREE,
} from "./limits.ts";
import { MintRefusal, type PostOutcome } from "./mint_api.ts";
import { readOutcome } from "./response.ts";

/** How long what DNS said is believed, in milliseconds. */
const RESOLVED_MS_MAX = 30_000;

/** One request as it goes out. */
export interface MintRequest {
  readonly method: "GET" | "POST";
  /** Begins with `/v1/`. May hold a quote id: never logged. */
  readonly path: string;
  readonly body?: string;
}

/** How a mint has been answering. */
export interface MintHealth {
  /** Undefined before the first request. */
  readonly online: boolean | undefined;
  /** Of the last answer, from request to the last byte. */
  readonly latencyMs: number | undefined;
  /** Without secrets. */
  readonly lastError: string | undefined;
}

/** Options of {@link Transport}. */
export interface TransportOptions {
  readonly url: MintUrl;
  readonly clock: Clock;
  /** @default {globalThis.fetch} */
  readonly fetch?: typeof globalThis.fetch;
  /** Addresses of a host. @default {the system's resolver} */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** @default {false} */
  readonly allowPrivate?: boolean;
  /** Sees each request before it goes out; for tests. */
  readonly onRequest?: (request: MintRequest) => void;
  /** The cooldown that is on disk, and where to write a new one. Milliseconds since 1970. */
  readonly cooldown?: { load(): number | undefined; save(untilMs: number): void };
  /** Longest time that a mint which does not answer is left alone. @default {FAILURE_COOLDOWN_MS_MAX} */
  readonly failureCooldownMsMax?: number;
}

/** See the head of this file. */
export class Transport {
  readonly #options: TransportOptions;
  #health: MintHealth = { online: undefined, latencyMs: undefined, lastError: undefined };
  #limitedCount = 0;
  #failureCount = 0;
  /** On the monotonic clock. */
  #failedUntilMs = Number.NEGATIVE_INFINITY;
  #resolved: { readonly isAllowed: boolean; readonly untilMs: number } | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  get health(): MintHealth {
    return this.#health;
  }

  /** How long the mint is to be left alone still; 0 when it may be asked. */
  cooldownMs(): number {
    const { clock, cooldown } = this.#options;
    const limited = (cooldown?.load() ?? 0) - clock.nowMs();
    const failed = this.#failedUntilMs - clock.monotonicMs();
    // The cap keeps a jump of the clock from locking a mint away.
    return Math.max(0, Math.min(limited, COOLDOWN_MS_MAX), failed);
  }

  /** Sends and classifies. Never throws for what the mint or the network does. */
  async send(
    request: MintRequest,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<PostOutcome> {
    const coolingMs = this.cooldownMs();
    if (coolingMs > 0) return { kind: "limited", retryAfterMs: coolingMs };
    if (options.signal?.aborted) return { kind: "unknown", why: "it was cancelled" };
    const startMs = this.#options.clock.monotonicMs();
    const outcome = await this.#exchange(request, options);
    if (!options.signal?.aborted) this.#learn(outcome, startMs);
    return outcome;
  }

  /**
   * Asks something that has no effect. Returns the JSON of the answer.
   *
   * @throws {SeedmintError} `busy`, `unavailable` or `aborted`
   * @throws {MintRefusal}
   */
  async ask(
    request: MintRequest,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<unknown> {
    const coolingMs = this.cooldownMs();
    const outcome = await this.send(request, options);
    if (outcome.kind === "answered") return outcome.body;
    if (outcome.kind === "refused") throw new MintRefusal(outcome.code, outcome.detail);
    const { url } = this.#options;
    if (options.signal?.aborted) throw new SeedmintError("aborted", `Asking ${url} was cancelled`);
    const tried = `Cannot ask the mint ${url}`;
    if (outcome.kind === "unknown") {
      throw new SeedmintError("unavailable", `${tried}: ${outcome.why}; try again later`, {
        retryable: true,
      });
    }
    const seconds = Math.ceil(outcome.retryAfterMs / 1000);
    throw coolingMs > 0
      ? new SeedmintError("unavailable", `${tried}: it is left alone for ${seconds} s more`, {
        retryable: true,
      })
      : new SeedmintError("busy", `${tried}: it takes no more requests for ${seconds} s`, {
        retryable: true,
      });
  }

  async #exchange(
    request: MintRequest,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<PostOutcome> {
    const { url, clock, fetch = globalThis.fetch, onRequest } = this.#options;
    const deadline = new AbortController();
    const stop = clock.timer(options.deadlineMs, () => deadline.abort());
    const signal = options.signal
      ? AbortSignal.any([deadline.signal, options.signal])
      : deadline.signal;
    const { method, path, body } = request;
    try {
      if (!await unlessAborted(this.#isAllowed(), signal)) {
        return { kind: "unknown", why: "its name leads into a private network" };
      }
      onRequest?.(request);
      const response = await fetch(`${url}${path}`, {
        method,
        signal,
        redirect: "error",
        headers: {
          accept: "application/json",
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body }),
      });
      const cooldownMs = limitedMs(this.#limitedCount);
      return await readOutcome(response, { nowMs: clock.nowMs(), cooldownMs });
    } catch {
      // The reason is not told: it names the URL, which may hold a quote id.
      if (options.signal?.aborted) return { kind: "unknown", why: "it was cancelled" };
      const why = deadline.signal.aborted
        ? `no answer within ${options.deadlineMs} ms`
        : "no connection, or a broken or redirected answer";
      return { kind: "unknown", why };
    } finally {
      stop();
    }
  }

  #learn(outcome: PostOutcome, startMs: number): void {
    const { clock, cooldown, failureCooldownMsMax = FAILURE_COOLDOWN_MS_MAX } = this.#options;
    if (outcome.kind === "unknown") {
      this.#failureCount++;
      this.#health = { ...this.#health, online: false, lastError: outcome.why };
      const doublings = Math.min(this.#failureCount - FAILURE_COUNT_FREE, 16);
      if (doublings < 0) return;
      const ms = Math.min(FAILURE_COOLDOWN_MS_MIN * 2 ** doublings, failureCooldownMsMax);
      this.#failedUntilMs = clock.monotonicMs() + ms;
      return;
    }
    const latencyMs = clock.monotonicMs() - startMs;
    this.#failureCount = 0;
    this.#failedUntilMs = Number.NEGATIVE_INFINITY;
    if (outcome.kind === "limited") {
      this.#limitedCount++;
      this.#health = { online: true, latencyMs, lastError: "it limits how often it is asked" };
      cooldown?.save(clock.nowMs() + outcome.retryAfterMs);
      return;
    }
    this.#limitedCount = 0;
    this.#health = { online: true, latencyMs, lastError: undefined };
  }

  /** A public name must not lead to this machine or a private network. */
  async #isAllowed(): Promise<boolean> {
    const { url, clock, allowPrivate = false, resolve = resolveHost } = this.#options;
    const { hostname } = new URL(url);
    if (allowPrivate || reachOfHost(hostname) !== "named") return true;
    if (this.#resolved === undefined || this.#resolved.untilMs < clock.monotonicMs()) {
      const addresses = await resolve(hostname);
      this.#resolved = {
        isAllowed: addresses.every((address) => reachOfAddress(address) === "public"),
        untilMs: clock.monotonicMs() + RESOLVED_MS_MAX,
      };
    }
    return this.#resolved.isAllowed;
  }
}

/** How long to leave a mint alone that says 429, after so many others in a row, and not for how long. */
function limitedMs(countBefore: number): number {
  if (countBefore === 0) return COOLDOWN_MS_MIN;
  return Math.min(COOLDOWN_MS_NEXT * 2 ** Math.min(countBefore - 1, 16), COOLDOWN_MS_MAX);
}

/** What `promise` gives, unless `signal` comes first: resolvers have no deadline of their own. */
export async function unlessAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Nothing where the name is unknown or asking is not permitted: then connecting fails, or decides. */
export async function resolveHost(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}
