/** Why an answer that was granted cannot be sent to its end. */
import { isSeedmintError } from "../../src/core/errors.ts";

/** A failure of ours, or of the payer, as opposed to one of the stream to take more. */
export class AnswerFailure extends Error {
  readonly code: "gone" | "internal" | "unpaid";

  constructor(code: AnswerFailure["code"], cause?: unknown) {
    super(`What was granted ends early: ${code}`, cause === undefined ? {} : { cause });
    this.code = code;
  }

  /** A failure to read what was granted. */
  static ofReading(cause: unknown): AnswerFailure {
    return new AnswerFailure(isSeedmintError(cause, "not-found") ? "gone" : "internal", cause);
  }
}
