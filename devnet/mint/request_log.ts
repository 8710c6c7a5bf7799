/** What was asked of the mint, without what was in it. */
import { LOGGED_REQUESTS_MAX } from "./limits.ts";

/** One request that was answered. */
export interface LoggedRequest {
  readonly method: string;
  readonly path: string;
  /** SHA-256 of the body, hex; of an empty one for GET. */
  readonly bodySha256: string;
  readonly status: number;
  /** Code of the refusal. */
  readonly code?: number;
  /** Answered from the cache of NUT-19. */
  readonly isCached: boolean;
  readonly atMs: number;
}

/** The last requests, oldest first. */
export class RequestLog {
  readonly #requests: LoggedRequest[] = [];

  add(request: LoggedRequest): void {
    this.#requests.push(request);
    if (this.#requests.length > LOGGED_REQUESTS_MAX) this.#requests.shift();
  }

  list(): readonly LoggedRequest[] {
    return [...this.#requests];
  }

  clear(): void {
    this.#requests.length = 0;
  }
}
