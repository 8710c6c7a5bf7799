/** Why a request is not done: thrown where it is found, answered at the desk. */
import { isSeedmintError } from "../../src/core/errors.ts";
import type { ErrorAnswer, ErrorType } from "../wire/mod.ts";

/** A request that is answered with an error; nothing of it was done. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly error: ErrorType;
  /** When the same may succeed, in milliseconds from now. */
  readonly retryMs: number | undefined;

  constructor(error: ErrorType, message: string, options: { readonly retryMs?: number } = {}) {
    super(message);
    this.error = error;
    this.retryMs = options.retryMs;
  }
}

/** The answer that a failure gives; undefined if it is a mistake of ours. */
export function refusalAnswer(error: unknown): ErrorAnswer | undefined {
  if (error instanceof Refusal) {
    return {
      type: "error",
      error: error.error,
      message: error.message,
      ...(error.retryMs === undefined ? {} : { retryMs: error.retryMs }),
    };
  }
  if (isSeedmintError(error, "busy")) {
    return { type: "error", error: "rate_limited", message: error.message, retryMs: 5_000 };
  }
  if (isSeedmintError(error)) {
    // The engine's own words may name paths of the host; what kind of failure it was is enough.
    const message = `The provider could not do it (${error.code}); try again in a minute`;
    return { type: "error", error: "backend_error", message, retryMs: 60_000 };
  }
  return undefined;
}
