/**
 * Hashing files: BLAKE3 with outboard and SHA-256 at once, on as many threads as there are cores.
 * One thread reads the file for SHA-256, which cannot be divided; the others read segments of it
 * for BLAKE3.
 */
import { availableParallelism } from "node:os";
import { setImmediate } from "node:timers/promises";
import { messageOf, SeedmintError } from "../../../src/core/errors.ts";
import { type Sha256, sha256FromBytes } from "../../../src/core/hash.ts";
import { groupCountOf } from "../geometry.ts";
import { HASH_WORKERS_MAX, SEGMENT_GROUPS } from "../limits.ts";
import { type Outboard, outboardOfSegments } from "../tree.ts";
import { type FileState, fileStateOf, type HashTask, type HashTaskResult } from "./messages.ts";
import { bytesOfTask, Progress, tasksFor } from "./plan.ts";
import { mayStartWorkers, WorkerLost, WorkerThread } from "./worker_thread.ts";

/** What hashing a file gives. */
export interface HashedFile extends Outboard {
  readonly sha256: Sha256;
}

/** Options of {@link HashPool.hashFile}. */
export interface HashFileOptions {
  readonly signal?: AbortSignal;
  /** Called now and then with the bytes that have been hashed both ways. */
  readonly onProgress?: (bytes: number) => void;
}

/** Options of {@link HashPool}. */
export interface HashPoolOptions {
  /**
   * Most threads; 0 hashes in the calling thread, in slices.
   *
   * @default The number of cores, at most {@link HASH_WORKERS_MAX}.
   */
  readonly workerCountMax?: number;
}

/** A task that waits for a thread or runs in one. */
interface Job {
  readonly task: HashTask;
  readonly cancelled: Int32Array;
  readonly onProgress: (bytes: number) => void;
  readonly resolve: (result: HashTaskResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A pool of hashing threads, started when first needed. Idle threads let the process end. Where
 * threads cannot start (no permission to read the program's own modules), it hashes in the calling
 * thread with pauses.
 */
export class HashPool implements AsyncDisposable {
  #workerCountMax: number;
  readonly #threads = new Set<WorkerThread>();
  readonly #idle: WorkerThread[] = [];
  readonly #queue: Job[] = [];
  #isDisposed = false;

  constructor(options: HashPoolOptions = {}) {
    const wanted = options.workerCountMax ?? Math.min(availableParallelism(), HASH_WORKERS_MAX);
    this.#workerCountMax = mayStartWorkers() ? wanted : 0;
  }

  /**
   * Reads and hashes the file at `path`.
   *
   * @throws The reason of `signal` once it is aborted.
   * @throws {SeedmintError} `storage` if it is no file, cannot be read, or changed meanwhile;
   * `aborted` if the pool is disposed.
   */
  async hashFile(path: string, options: HashFileOptions = {}): Promise<HashedFile> {
    options.signal?.throwIfAborted();
    if (this.#isDisposed) throw disposed();
    const file = await stateOfFileAt(path);
    options.signal?.throwIfAborted();
    const tasks = tasksFor(path, file, this.#workerCountMax);
    const results = await this.#runAll(tasks, options);
    const segments = results.flatMap(({ subtree }) => subtree === undefined ? [] : [subtree]);
    const segmentGroups = segments.length === 1 ? groupCountOf(file.size) : SEGMENT_GROUPS;
    const sha256 = results.find((result) => result.sha256 !== undefined)!.sha256!;
    return {
      ...outboardOfSegments(segments, segmentGroups, file.size),
      sha256: sha256FromBytes(sha256),
    };
  }

  /** The SHA-256 alone, on one thread; else as {@link hashFile}. */
  async sha256OfFile(
    path: string,
    options: Pick<HashFileOptions, "signal"> = {},
  ): Promise<Sha256> {
    options.signal?.throwIfAborted();
    if (this.#isDisposed) throw disposed();
    const file = await stateOfFileAt(path);
    options.signal?.throwIfAborted();
    const endGroup = groupCountOf(file.size);
    const task = { path, file, startGroup: 0, endGroup, blake3: false, sha256: true };
    const [result] = await this.#runAll([task], options);
    return sha256FromBytes(result!.sha256!);
  }

  /** Ends all threads; what is under way fails with `aborted`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    for (const job of this.#queue.splice(0)) job.reject(disposed());
    await Promise.all([...this.#threads].map((thread) => thread.terminate()));
  }

  /** Runs the tasks of one file; the first failure cancels the others. */
  async #runAll(
    tasks: readonly HashTask[],
    options: HashFileOptions,
  ): Promise<HashTaskResult[]> {
    const cancelled = new Int32Array(new SharedArrayBuffer(4));
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(options.signal!.reason);
    options.signal?.addEventListener("abort", onAbort, { once: true });
    const progress = new Progress(options.onProgress);
    const running = tasks.map((task) => {
      const { promise, resolve, reject } = Promise.withResolvers<HashTaskResult>();
      const onProgress = (bytes: number) => {
        if (Atomics.load(cancelled, 0) === 0) progress.tell(task, bytes);
      };
      this.#queue.push({ task, cancelled, onProgress, resolve, reject });
      return promise;
    });
    this.#dispatch();
    try {
      return await Promise.race([Promise.all(running), aborted.promise]);
    } finally {
      options.signal?.removeEventListener("abort", onAbort);
      Atomics.store(cancelled, 0, 1);
      this.#dropCancelled(cancelled);
      for (const promise of running) promise.catch(() => {});
    }
  }

  #dropCancelled(cancelled: Int32Array): void {
    for (let index = this.#queue.length - 1; index >= 0; index--) {
      if (this.#queue[index]!.cancelled === cancelled) this.#queue.splice(index, 1);
    }
  }

  /** Gives waiting jobs to idle threads, and starts threads while there may be more. */
  #dispatch(): void {
    while (this.#queue.length > 0) {
      if (this.#workerCountMax === 0) {
        this.#run(this.#queue.shift()!, undefined);
        continue;
      }
      const thread = this.#idle.pop() ?? this.#start();
      if (thread !== undefined) this.#run(this.#queue.shift()!, thread);
      else if (this.#workerCountMax > 0) return;
    }
  }

  #start(): WorkerThread | undefined {
    if (this.#threads.size >= this.#workerCountMax) return undefined;
    try {
      const thread = new WorkerThread();
      this.#threads.add(thread);
      return thread;
    } catch {
      // No more threads to be had: go on with those that are there, or without any.
      this.#workerCountMax = this.#threads.size;
      return undefined;
    }
  }

  async #run(job: Job, thread: WorkerThread | undefined): Promise<void> {
    try {
      const result = thread === undefined
        ? await runHere(job)
        : await thread.run(job.task, job.cancelled, job.onProgress);
      job.onProgress(bytesOfTask(job.task));
      job.resolve(result);
    } catch (error) {
      if (!(error instanceof WorkerLost)) job.reject(error);
      else if (this.#isDisposed) job.reject(disposed());
      else await runHere(job).then(job.resolve, job.reject);
    } finally {
      if (thread?.isLost) this.#threads.delete(thread);
      else if (thread !== undefined) this.#idle.push(thread);
      this.#dispatch();
    }
  }
}

async function stateOfFileAt(path: string): Promise<FileState> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
  } catch (cause) {
    throw new SeedmintError("storage", `Cannot hash ${path}: ${messageOf(cause)}`, { cause });
  }
  if (info.isFile) return fileStateOf(info);
  throw new SeedmintError("storage", `Cannot hash ${path}: it is not a regular file`);
}

/** Does a job in this thread, with a pause after each window so that others get their turn. */
async function runHere(job: Job): Promise<HashTaskResult> {
  // Loaded only where it is needed: it brings node:crypto, which takes longer than all else here.
  const { runHashTask } = await import("./hash_task.ts");
  const run = runHashTask(job.task);
  try {
    for (let step = run.next();; step = run.next()) {
      if (step.done) return step.value;
      if (Atomics.load(job.cancelled, 0) !== 0) {
        throw new SeedmintError("aborted", "Hashing was cancelled");
      }
      job.onProgress(step.value);
      await setImmediate();
    }
  } catch (cause) {
    if (cause instanceof SeedmintError) throw cause;
    const message = `Cannot hash ${job.task.path}: ${messageOf(cause)}`;
    throw new SeedmintError("storage", message, { cause });
  } finally {
    run.return({});
  }
}

function disposed(): SeedmintError {
  return new SeedmintError("aborted", "Cannot hash a file: the hash pool was closed");
}
