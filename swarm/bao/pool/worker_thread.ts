/** One worker thread of a pool, and whether this process may have any. */
import { Worker } from "node:worker_threads";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { FromWorker, HashTask, HashTaskResult, ToWorker } from "./messages.ts";

const ENTRY = new URL("hash_worker.ts", import.meta.url);

/** The folder that holds every module which the worker loads. */
const CODE = new URL("../../..", import.meta.url);

/** The thread itself failed, not the task; the task may be done elsewhere. */
export class WorkerLost extends Error {
  override readonly name = "WorkerLost";
}

/**
 * Whether worker threads can start without asking the user: a worker that loads its modules from
 * disk needs the permission to read them.
 */
export function mayStartWorkers(): boolean {
  if (ENTRY.protocol !== "file:") return true;
  return Deno.permissions.querySync({ name: "read", path: CODE }).state === "granted";
}

/** A thread that does one task at a time and, while it has none, lets the process end. */
export class WorkerThread {
  readonly #worker = new Worker(ENTRY);
  #settle:
    | { resolve(result: HashTaskResult): void; reject(error: Error): void }
    | undefined;
  #onProgress: ((bytes: number) => void) | undefined;
  #lost: WorkerLost | undefined;

  constructor() {
    this.#worker.unref();
    this.#worker.on("message", (message: FromWorker) => this.#hear(message));
    this.#worker.on("error", (cause: unknown) => this.#lose("it failed", cause));
    this.#worker.on("exit", () => this.#lose("it ended"));
  }

  /** Whether it can take no more tasks. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /**
   * @throws {WorkerLost} If the thread died.
   * @throws {SeedmintError} What the task failed with; `aborted` when it was cancelled.
   */
  run(
    task: HashTask,
    cancelled: Int32Array,
    onProgress: (bytes: number) => void,
  ): Promise<HashTaskResult> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const { promise, resolve, reject } = Promise.withResolvers<HashTaskResult>();
    this.#settle = { resolve, reject };
    this.#onProgress = onProgress;
    this.#worker.ref();
    this.#worker.postMessage({ task, cancelled } satisfies ToWorker);
    return promise;
  }

  async terminate(): Promise<void> {
    this.#lose("it was terminated");
    await this.#worker.terminate();
  }

  #hear(message: FromWorker): void {
    if (message.kind === "progress") {
      this.#onProgress?.(message.bytes);
      return;
    }
    const settle = this.#settle;
    this.#rest();
    if (message.kind === "done") settle?.resolve(message.result);
    else if (message.kind === "failed") {
      settle?.reject(new SeedmintError(message.code, message.message));
    } else settle?.reject(new SeedmintError("aborted", "Hashing was cancelled"));
  }

  #lose(how: string, cause?: unknown): void {
    this.#lost ??= new WorkerLost(`A hashing thread is gone: ${how}`, { cause });
    const settle = this.#settle;
    this.#rest();
    settle?.reject(this.#lost);
  }

  #rest(): void {
    this.#settle = undefined;
    this.#onProgress = undefined;
    this.#worker.unref();
  }
}
