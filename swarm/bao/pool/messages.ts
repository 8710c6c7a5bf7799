/** What a pool and its workers say to each other. */
import type { ErrorCode } from "../../../src/core/errors.ts";
import type { HashTask, HashTaskResult } from "./hash_task.ts";

/** To a worker, which does one task at a time. */
export interface ToWorker {
  readonly task: HashTask;
  /** One number in shared memory; the worker stops soon after it is not 0. */
  readonly cancelled: Int32Array;
}

/** From a worker. After `done`, `failed` or `cancelled` it takes the next task. */
export type FromWorker =
  | { readonly kind: "progress"; readonly bytes: number }
  | { readonly kind: "done"; readonly result: HashTaskResult }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: "cancelled" };
