/** What the main thread and an ingest worker say to each other. */
import { type ErrorCode, isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import type { JobSpec } from "./ingest_job.ts";

/** To the worker; jobs are handled in the order of their messages. */
export type IngestRequest =
  | { readonly type: "open"; readonly job: number; readonly spec: JobSpec }
  | {
    readonly type: "push";
    readonly job: number;
    readonly slab: ArrayBuffer;
    /** Where in the slab its bytes begin. */
    readonly start: number;
    readonly length: number;
  }
  | { readonly type: "finish"; readonly job: number }
  | { readonly type: "close"; readonly job: number };

/** From the worker: one answer for each request, in order. */
export interface IngestAnswer {
  readonly type: IngestRequest["type"];
  readonly job: number;
  /** Boundaries of runs of groups that are held from now on, in the order they were verified. */
  readonly verified?: readonly number[];
  readonly failure?: SentError;
  /** The lane to open had no files any more: bytes are only verified. */
  readonly isLaneGone?: boolean;
  /** The slab of a push, given back. */
  readonly slab?: ArrayBuffer;
}

/** An error that can be sent. */
export interface SentError {
  readonly code?: ErrorCode;
  readonly retryable?: boolean;
  readonly name: string;
  readonly message: string;
}

/** Packs `error`. */
export function toSent(error: unknown): SentError {
  if (isSeedmintError(error)) {
    return {
      code: error.code,
      retryable: error.retryable,
      name: error.name,
      message: error.message,
    };
  }
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: "Error", message: String(error) };
}

/** Unpacks an error. */
export function fromSent(sent: SentError): Error {
  if (sent.code !== undefined) {
    return new SeedmintError(sent.code, sent.message, { retryable: sent.retryable === true });
  }
  if (sent.name === "RangeError") return new RangeError(sent.message);
  return new Error(sent.message);
}
