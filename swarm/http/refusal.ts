/** Saying no over HTTP. */
import type { ReplyHeaders } from "./message.ts";

/** A request that is answered with a status of 400 or more, and with a reason for people. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly headers: ReplyHeaders;
  /** A body instead of the reason. */
  readonly json: unknown;

  /** @param reason One line, without secrets, that says what to do next. */
  constructor(
    status: number,
    reason: string,
    options: { readonly headers?: ReplyHeaders; readonly json?: unknown } = {},
  ) {
    super(reason);
    this.status = status;
    this.headers = options.headers ?? [];
    this.json = options.json;
  }
}

/** Asks to come again. */
export function busy(status: 429 | 503, reason: string, seconds = 1): Refusal {
  return new Refusal(status, reason, { headers: [["Retry-After", `${seconds}`]] });
}
