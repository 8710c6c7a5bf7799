/**
 * Uploads under way. Each is a file that grows by whole chunks: a chunk is on the disk before it is
 * acknowledged, and one that broke off leaves nothing. A restart goes on where the last acknowledged
 * chunk ended.
 *
 * ```
 * begin -> idle <-> appending
 *           idle -> finishing -> gone | idle (when keeping the blob failed for a reason of ours)
 *           any  -> gone (cancelled, idle for too long, wrong digest)
 * ```
 */
import { join } from "node:path";
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type { Clock, Random } from "../../../src/core/ports.ts";
import { storageError } from "../../store/store_error.ts";
import type { RegistryIndex } from "../index/mod.ts";
import type { UploadStatus } from "../ports.ts";
import { UPLOAD_ID_BYTES } from "./limits.ts";

/** Options of {@link UploadDesk.open}. */
export interface UploadDeskOptions {
  /** Where the files lie; made if it is missing. Nothing else may be in it. */
  readonly directory: string;
  readonly index: RegistryIndex;
  readonly clock: Pick<Clock, "nowMs">;
  readonly random: Random;
  readonly uploadsMax: number;
  readonly uploadBytesMax: number;
  readonly idleMs: number;
  /** Bytes that all uploads together may hold. */
  readonly bytesMax: () => number;
}

/** One upload. */
interface Upload {
  readonly id: string;
  readonly repository: string;
  readonly path: string;
  /** Bytes acknowledged. */
  offset: number;
  /** Bytes in the file, those of a chunk that is arriving counted. */
  staged: number;
  touchedMs: number;
  state: "idle" | "appending" | "finishing" | "gone";
  /** Stops a chunk that is arriving. */
  readonly stop: AbortController;
  /** Resolves when nothing works on the file. */
  quiet: Promise<void>;
}

const ID = new RegExp(`^[0-9a-f]{${UPLOAD_ID_BYTES * 2}}$`);

/** See the head of this file. */
export class UploadDesk implements AsyncDisposable {
  readonly #options: UploadDeskOptions;
  readonly #uploads = new Map<string, Upload>();

  private constructor(options: UploadDeskOptions) {
    this.#options = options;
  }

  /** Takes up the uploads of an earlier run, and removes files that belong to none. */
  static async open(options: UploadDeskOptions): Promise<UploadDesk> {
    const desk = new UploadDesk(options);
    try {
      await Deno.mkdir(options.directory, { recursive: true, mode: 0o700 });
      for (const row of options.index.uploads.all()) await desk.#takeUp(row);
      for await (const entry of Deno.readDir(options.directory)) {
        if (entry.isFile && ID.test(entry.name) && !desk.#uploads.has(entry.name)) {
          await Deno.remove(join(options.directory, entry.name));
        }
      }
    } catch (error) {
      throw storageError(`open the uploads in ${options.directory}`, error);
    }
    await desk.sweep();
    return desk;
  }

  get count(): number {
    return this.#uploads.size;
  }

  /** @throws {SeedmintError} `busy` when too many are under way. */
  async begin(repository: string): Promise<UploadStatus> {
    const { index, random, directory, clock, uploadsMax } = this.#options;
    if (this.#uploads.size >= uploadsMax) await this.sweep();
    if (this.#uploads.size >= uploadsMax) {
      throw new SeedmintError(
        "busy",
        `Cannot begin an upload: ${this.#uploads.size} are under way, at most ${uploadsMax} may be; ` +
          "finish or cancel some, or wait until idle ones are dropped",
        { retryable: true },
      );
    }
    const id = random.bytes(UPLOAD_ID_BYTES).toHex();
    const upload: Upload = {
      id,
      repository,
      path: join(directory, id),
      offset: 0,
      staged: 0,
      touchedMs: clock.nowMs(),
      state: "idle",
      stop: new AbortController(),
      quiet: Promise.resolve(),
    };
    this.#uploads.set(id, upload);
    try {
      (await Deno.open(upload.path, { write: true, createNew: true, mode: 0o600 })).close();
      // After the file: a row always has one, and a file without a row goes at the next start.
      index.uploads.add(id, repository);
    } catch (error) {
      this.#uploads.delete(id);
      await Deno.remove(upload.path).catch(() => {});
      throw storageError("begin an upload", error);
    }
    return { id, offset: 0 };
  }

  status(repository: string, id: string): UploadStatus | undefined {
    const upload = this.#find(repository, id);
    return upload && { id, offset: upload.offset };
  }

  /** See `RegistryWriter.append`. */
  async append(
    repository: string,
    id: string,
    chunk: AsyncIterable<Uint8Array<ArrayBuffer>>,
    options: { readonly start?: number; readonly signal: AbortSignal },
  ): Promise<UploadStatus | undefined> {
    const upload = this.#find(repository, id);
    if (upload === undefined) return undefined;
    this.#checkIdle(upload);
    const { start } = options;
    if (start !== undefined && start !== upload.offset) {
      throw new SeedmintError(
        "conflict",
        `Cannot append to the upload: the chunk begins at ${start}, and ${upload.offset} bytes are ` +
          "here; go on from there",
      );
    }
    upload.state = "appending";
    const { promise, resolve } = Promise.withResolvers<void>();
    upload.quiet = promise;
    try {
      await this.#write(upload, chunk, AbortSignal.any([options.signal, upload.stop.signal]));
      this.#options.index.uploads.acknowledge(id, upload.staged);
      upload.offset = upload.staged;
      return { id, offset: upload.offset };
    } catch (error) {
      await Deno.truncate(upload.path, upload.offset).catch(() => {});
      upload.staged = upload.offset;
      options.signal.throwIfAborted();
      throw isSeedmintError(error) ? error : storageError("append to the upload", error);
    } finally {
      upload.touchedMs = this.#options.clock.nowMs();
      if (upload.state === "appending") upload.state = "idle";
      resolve();
    }
  }

  /**
   * Lets `keep` make a blob of the upload's file. What it returns ends the upload; so does `corrupt`
   * that it throws; after any other failure the upload is there to be finished again.
   *
   * @returns Undefined if there is no such upload.
   */
  async finish<T>(
    repository: string,
    id: string,
    keep: (path: string) => Promise<T>,
  ): Promise<T | undefined> {
    const upload = this.#find(repository, id);
    if (upload === undefined) return undefined;
    this.#checkIdle(upload);
    upload.state = "finishing";
    const { promise, resolve } = Promise.withResolvers<void>();
    upload.quiet = promise;
    try {
      const kept = await keep(upload.path);
      await this.#forget(upload);
      return kept;
    } catch (error) {
      if (isSeedmintError(error, "corrupt")) await this.#forget(upload);
      throw error;
    } finally {
      upload.touchedMs = this.#options.clock.nowMs();
      if (upload.state === "finishing") upload.state = "idle";
      resolve();
    }
  }

  /** Stops and forgets an upload. False if there is none, or if it is just becoming a blob. */
  async cancel(repository: string, id: string): Promise<boolean> {
    const upload = this.#find(repository, id);
    if (upload === undefined || upload.state === "finishing") return false;
    await this.#drop(upload, "the upload was cancelled");
    return true;
  }

  /** Drops what nobody goes on with. Returns how many there were. */
  async sweep(): Promise<number> {
    const { clock, idleMs } = this.#options;
    const nowMs = clock.nowMs();
    const idle = [...this.#uploads.values()].filter((upload) =>
      upload.state !== "finishing" && Math.abs(nowMs - upload.touchedMs) >= idleMs
    );
    for (const upload of idle) await this.#drop(upload, "nothing came for too long");
    return idle.length;
  }

  /** Stops what is arriving; what was acknowledged is taken up at the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    const uploads = [...this.#uploads.values()];
    for (const upload of uploads) upload.stop.abort(stopped("the node is shutting down"));
    await Promise.all(uploads.map(({ quiet }) => quiet));
    this.#uploads.clear();
  }

  #find(repository: string, id: string): Upload | undefined {
    const upload = this.#uploads.get(id);
    return upload?.repository === repository && upload.state !== "gone" ? upload : undefined;
  }

  /** @throws {SeedmintError} `busy` */
  #checkIdle(upload: Upload): void {
    if (upload.state === "idle") return;
    throw new SeedmintError("busy", "Cannot go on with the upload: another request works on it", {
      retryable: true,
    });
  }

  async #write(
    upload: Upload,
    chunk: AsyncIterable<Uint8Array<ArrayBuffer>>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, uploadBytesMax } = this.#options;
    using file = await Deno.open(upload.path, { write: true });
    await file.seek(upload.offset, Deno.SeekMode.Start);
    for await (const part of untilAborted(chunk, signal)) {
      const bytesMax = Math.min(
        uploadBytesMax,
        this.#options.bytesMax() - this.#othersBytes(upload),
      );
      if (upload.staged + part.length > bytesMax) throw tooLarge(bytesMax);
      for (let done = 0; done < part.length;) done += await file.write(part.subarray(done));
      upload.staged += part.length;
      upload.touchedMs = clock.nowMs();
    }
    signal.throwIfAborted();
    await file.syncData();
  }

  #othersBytes(upload: Upload): number {
    let bytes = 0;
    for (const other of this.#uploads.values()) if (other !== upload) bytes += other.staged;
    return bytes;
  }

  async #drop(upload: Upload, why: string): Promise<void> {
    upload.stop.abort(stopped(why));
    await upload.quiet;
    await this.#forget(upload);
  }

  /** The row first: a file without one is removed at the next start, whatever happens now. */
  async #forget(upload: Upload): Promise<void> {
    upload.state = "gone";
    this.#options.index.uploads.remove(upload.id);
    this.#uploads.delete(upload.id);
    await Deno.remove(upload.path).catch(() => {});
  }

  async #takeUp(
    row: { id: string; repository: string; offset: number; touchedMs: number },
  ): Promise<void> {
    const path = join(this.#options.directory, row.id);
    const size = await Deno.stat(path).then((info) => info.size, () => undefined);
    if (size === undefined || size < row.offset) {
      this.#options.index.uploads.remove(row.id);
      return;
    }
    // What came after the last acknowledged chunk may be anything.
    if (size > row.offset) await Deno.truncate(path, row.offset);
    this.#uploads.set(row.id, {
      id: row.id,
      repository: row.repository,
      path,
      offset: row.offset,
      staged: row.offset,
      touchedMs: row.touchedMs,
      state: "idle",
      stop: new AbortController(),
      quiet: Promise.resolve(),
    });
  }
}

/** The parts of `chunk`; ends with the reason of `signal` even while nothing comes. */
async function* untilAborted<T>(
  chunk: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => {});
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  const iterator = chunk[Symbol.asyncIterator]();
  let isDone = false;
  try {
    for (;;) {
      const next = await Promise.race([aborted, iterator.next()]);
      if (next.done === true) {
        isDone = true;
        return;
      }
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not waited for: a source that hangs would hang this, too.
    if (!isDone) iterator.return?.().catch(() => {});
  }
}

function stopped(why: string): SeedmintError {
  return new SeedmintError("aborted", `The upload was stopped: ${why}`);
}

function tooLarge(bytesMax: number): SeedmintError {
  return new SeedmintError(
    "no-space",
    `Cannot append to the upload: there is room for ${Math.max(0, bytesMax)} bytes of it; ` +
      "finish or cancel other uploads, or raise the quota",
  );
}
