/**
 * What a caller may want to handle. A caller's own mistake is a `TypeError`, `RangeError` or
 * `SyntaxError` instead; a mistake of ours is a failed assertion.
 */

/** Why something failed, stable for programs: the `code` of every `{"event":"error"}` line. */
export type ErrorCode =
  /** Nobody that was asked has it. */
  | "not-found"
  /** Every source was tried and failed; `cause` or the message says how. */
  | "unavailable"
  /** Bytes did not match the hash they were asked by. */
  | "corrupt"
  /** A peer, relay or origin broke the protocol or a limit. */
  | "protocol"
  /** What a client handed in is not what it says it is: no manifest, no catalog. */
  | "invalid"
  /** It does not fit what was done before: a chunk that begins elsewhere, a version that is older. */
  | "conflict"
  /** Refused: not allowed, or the other side wants something first. */
  | "denied"
  /** The other side wants money. */
  | "payment-required"
  /** A deadline passed without progress. */
  | "timeout"
  /** The connection ended early. */
  | "reset"
  /** A limit of ours or theirs is reached for the moment. */
  | "busy"
  /** The disk is full, or the quota leaves no room. */
  | "no-space"
  /** The file system or the database refused. */
  | "storage"
  /** Another process holds it. */
  | "locked"
  /** The configuration, or a command line, cannot be used. */
  | "usage"
  /** It was cancelled by the user or by shutdown. */
  | "aborted";

/** Options of {@link SeedmintError}. */
export interface SeedmintErrorOptions {
  readonly cause?: unknown;
  /** Whether the same call may succeed later. @default {false} */
  readonly retryable?: boolean;
}

/** An expected failure. The message says what was tried, what was found, and what to do next. */
export class SeedmintError extends Error {
  override readonly name = "SeedmintError";
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: SeedmintErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** Whether `error` is a {@link SeedmintError}, and of code `code` if one is given. */
export function isSeedmintError(error: unknown, code?: ErrorCode): error is SeedmintError {
  return error instanceof SeedmintError && (code === undefined || error.code === code);
}

/** One line of text for any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
