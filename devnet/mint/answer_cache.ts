/** NUT-19: the same request within a while gets the same answer. Lost with the process. */
import { sha256 } from "./crypto.ts";
import { CACHED_ANSWERS_MAX } from "./limits.ts";
import type { JsonObject } from "./requests.ts";

/** Answers by method, path and SHA-256 of the body. */
export class AnswerCache {
  readonly #answers = new Map<string, { readonly answer: JsonObject; readonly untilMs: number }>();

  find(key: string, nowMs: number): JsonObject | undefined {
    const found = this.#answers.get(key);
    if (!found) return undefined;
    if (found.untilMs > nowMs) return found.answer;
    this.#answers.delete(key);
    return undefined;
  }

  keep(key: string, answer: JsonObject, untilMs: number): void {
    this.#answers.delete(key);
    this.#answers.set(key, { answer, untilMs });
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= CACHED_ANSWERS_MAX) break;
      this.#answers.delete(oldest);
    }
  }

  clear(): void {
    this.#answers.clear();
  }
}

/** SHA-256 of a body, hex. */
export function bodyHash(body: string): string {
  return sha256(new TextEncoder().encode(body)).toHex();
}
