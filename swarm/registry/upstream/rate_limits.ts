/** What a registry says of how much may be asked of it, remembered and kept to. */
import type { Clock } from "../../../src/core/ports.ts";
import { LIMITED_MS_DEFAULT, LIMITED_MS_MAX } from "./limits.ts";

/** What is counted apart: Docker Hub refuses manifests for hours while blobs still come. */
export type RequestKind = "manifest" | "blob" | "listing" | "token" | "push";

/** The state of a registry's limits, for metrics and for people. */
export interface UpstreamLimits {
  readonly registry: string;
  /** Requests in one window (`ratelimit-limit`), if it says so. */
  readonly limit?: number;
  /** Requests left in it (`ratelimit-remaining`). */
  readonly remaining?: number;
  readonly windowMs?: number;
  /** Wall-clock time of the answer that said so. */
  readonly observedMs?: number;
  /** What is not asked for before so many milliseconds have passed. */
  readonly limitedMs: Readonly<Partial<Record<RequestKind, number>>>;
  /** Times that it answered 429, or 503 with a time to wait. */
  readonly limitedCount: number;
}

/** Options of {@link RateLimits}. */
export interface RateLimitsOptions {
  readonly registry: string;
  readonly clock: Clock;
}

/** See the head of this file. */
export class RateLimits {
  readonly #registry: string;
  readonly #clock: Clock;
  readonly #untilMs = new Map<RequestKind, number>();
  #seen: Pick<UpstreamLimits, "limit" | "remaining" | "windowMs" | "observedMs"> = {};
  #limitedCount = 0;

  constructor(options: RateLimitsOptions) {
    this.#registry = options.registry;
    this.#clock = options.clock;
  }

  /** Milliseconds during which nothing of `kind` may be asked; 0 if it may. */
  waitMs(kind: RequestKind): number {
    return Math.max(0, (this.#untilMs.get(kind) ?? 0) - this.#clock.monotonicMs());
  }

  /**
   * Takes note of the head of an answer.
   *
   * @returns How long nothing may be asked now, if it says that too much was.
   */
  note(kind: RequestKind, response: Response): number | undefined {
    this.#noteQuota(response.headers);
    const askedMs = retryAfterMs(response.headers, this.#clock);
    const isLimited = response.status === 429 ||
      (response.status === 503 && askedMs !== undefined);
    if (!isLimited) return undefined;
    const waitMs = Math.min(Math.max(askedMs ?? LIMITED_MS_DEFAULT, 1_000), LIMITED_MS_MAX);
    this.#untilMs.set(kind, this.#clock.monotonicMs() + waitMs);
    this.#limitedCount++;
    return waitMs;
  }

  snapshot(): UpstreamLimits {
    const limitedMs: Partial<Record<RequestKind, number>> = {};
    for (const kind of this.#untilMs.keys()) {
      const waitMs = this.waitMs(kind);
      if (waitMs > 0) limitedMs[kind] = waitMs;
    }
    return {
      registry: this.#registry,
      ...this.#seen,
      limitedMs,
      limitedCount: this.#limitedCount,
    };
  }

  /** `ratelimit-limit: 100;w=21600`, as Docker Hub writes it. */
  #noteQuota(headers: Headers): void {
    const limit = quotaOf(headers.get("ratelimit-limit"));
    const remaining = quotaOf(headers.get("ratelimit-remaining"));
    if (limit === undefined && remaining === undefined) return;
    const windowMs = limit?.windowMs ?? remaining?.windowMs;
    this.#seen = {
      ...(limit === undefined ? {} : { limit: limit.count }),
      ...(remaining === undefined ? {} : { remaining: remaining.count }),
      ...(windowMs === undefined ? {} : { windowMs }),
      observedMs: this.#clock.nowMs(),
    };
  }
}

function quotaOf(
  text: string | null,
): { readonly count: number; readonly windowMs?: number } | undefined {
  const match = /^\s*(\d{1,9})\s*(?:;\s*w=(\d{1,9}))?/.exec(text ?? "");
  if (match === null) return undefined;
  return {
    count: Number(match[1]),
    ...(match[2] === undefined ? {} : { windowMs: Number(match[2]) * 1000 }),
  };
}

/** Retry-After in seconds, or as a date beside the answer's own Date (RFC 9110 section 10.2.3). */
export function retryAfterMs(headers: Headers, clock: Clock): number | undefined {
  const text = headers.get("retry-after")?.trim();
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(headers.get("date") ?? "");
  const waitMs = Date.parse(text) - (Number.isFinite(date) ? date : clock.nowMs());
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : undefined;
}
