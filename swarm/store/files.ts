/**
 * The file layer of the store: every change that it makes to the disk goes through {@link Files},
 * so that a test can stop the world before any of them.
 */
import type { Bytes } from "../../src/core/bytes.ts";
import type { Clock } from "../../src/core/ports.ts";
import { QUICK_READ_MS, SLOW_READS_AFTER_ONE } from "./limits.ts";

/** A change to the disk or the database that is about to be made. */
export type DiskChange = "create" | "write" | "rename" | "remove" | "link" | "copy" | "commit";

/** Called before every change. Throwing prevents it, as a crash at that moment would. */
export type FaultPoint = (change: DiskChange, path: string) => void;

/** A file read and written at offsets; it keeps no cursor that two users could disturb. */
export class PositionalFile implements Disposable {
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #fault: FaultPoint | undefined;
  readonly #clock: Pick<Clock, "monotonicMs"> | undefined;
  /** Asynchronous reads follow each other: seeking and reading are two steps. */
  #reading: Promise<unknown> = Promise.resolve();
  #readingCount = 0;
  #slowReadsLeft = 0;
  #open = true;

  /** @param clock Lets {@link readAt} find out which reads are quick. */
  constructor(
    path: string,
    options: Deno.OpenOptions,
    fault?: FaultPoint,
    clock?: Pick<Clock, "monotonicMs">,
  ) {
    this.path = path;
    this.#file = Deno.openSync(path, options);
    this.#fault = fault;
    this.#clock = clock;
  }

  /** Writes all of `bytes` at `offset`. */
  writeAt(offset: number, bytes: Uint8Array): void {
    this.#fault?.("write", this.path);
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) done += this.#file.writeSync(bytes.subarray(done));
  }

  /** Fills `target` from `offset` on as far as the file goes; returns the count of bytes. */
  readAtSync(offset: number, target: Uint8Array): number {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    let done = 0;
    while (done < target.length) {
      const count = this.#file.readSync(target.subarray(done));
      if (count === null) break;
      done += count;
    }
    return done;
  }

  /**
   * As {@link readAtSync}, but off the main thread where the disk has to be asked: what lies in the
   * page cache is read at once, because the way to a thread and back costs more than the copy.
   */
  readAt(offset: number, target: Uint8Array): Promise<number> {
    if (this.#clock !== undefined && this.#readingCount === 0 && this.#slowReadsLeft === 0) {
      return Promise.try(() => this.#readQuickly(offset, target, this.#clock!));
    }
    this.#slowReadsLeft = Math.max(0, this.#slowReadsLeft - 1);
    this.#readingCount += 1;
    const read = this.#reading.then(() => this.#readAt(offset, target))
      .finally(() => this.#readingCount -= 1);
    this.#reading = read.catch(() => {});
    return read;
  }

  statSync(): Deno.FileInfo {
    return this.#file.statSync();
  }

  /** Closes it once no read is under way; safe to call twice. */
  async close(): Promise<void> {
    await this.#reading;
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#file.close();
  }

  #readQuickly(offset: number, target: Uint8Array, clock: Pick<Clock, "monotonicMs">): number {
    const startMs = clock.monotonicMs();
    const count = this.readAtSync(offset, target);
    const isQuick = clock.monotonicMs() - startMs <= QUICK_READ_MS;
    if (!isQuick) this.#slowReadsLeft = SLOW_READS_AFTER_ONE;
    return count;
  }

  async #readAt(offset: number, target: Uint8Array): Promise<number> {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    let done = 0;
    while (done < target.length) {
      const count = await this.#file.read(target.subarray(done));
      if (count === null) break;
      done += count;
    }
    return done;
  }
}

/** Changes to names and contents, each announced to the fault point first. */
export class Files {
  readonly fault: FaultPoint | undefined;

  constructor(fault?: FaultPoint) {
    this.fault = fault;
  }

  /** Makes an empty file that nobody else may read. */
  create(path: string): void {
    this.fault?.("create", path);
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
  }

  write(path: string, bytes: Bytes): void {
    this.fault?.("write", path);
    Deno.writeFileSync(path, bytes, { mode: 0o600 });
  }

  rename(from: string, to: string): void {
    this.fault?.("rename", from);
    Deno.renameSync(from, to);
  }

  /** Removes a file; one that is not there is as good. */
  remove(path: string): void {
    this.fault?.("remove", path);
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  link(from: string, to: string): void {
    this.fault?.("link", to);
    Deno.linkSync(from, to);
  }

  async copy(from: string, to: string): Promise<void> {
    this.fault?.("copy", to);
    await Deno.copyFile(from, to);
    await Deno.chmod(to, 0o600);
  }

  openExisting(path: string): PositionalFile {
    return new PositionalFile(path, { read: true, write: true }, this.fault);
  }

  /** @param clock Lets {@link PositionalFile.readAt} find out which reads are quick. */
  openReadOnly(path: string, clock?: Pick<Clock, "monotonicMs">): PositionalFile {
    return new PositionalFile(path, { read: true }, undefined, clock);
  }

  openNew(path: string): PositionalFile {
    this.fault?.("create", path);
    return new PositionalFile(
      path,
      { read: true, write: true, createNew: true, mode: 0o600 },
      this.fault,
    );
  }
}

/** Size of the file at `path`, or undefined if there is none. */
export function fileSizeOf(path: string): number | undefined {
  try {
    const info = Deno.statSync(path);
    return info.isFile ? info.size : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
