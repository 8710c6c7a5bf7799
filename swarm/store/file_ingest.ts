/** Ingests of the store on disk, as their sources see them. */
import { isSeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Range } from "../../src/core/range_set.ts";
import { hashBytes } from "../bao/mod.ts";
import type { Ingest, IngestOptions } from "./blob_store.ts";
import type { IngestChannel } from "./ingest_channel.ts";
import type { ChannelListener } from "./ingest_pool.ts";
import type { LiveBlob, Stoppable } from "./live_blob.ts";
import { abortedError, missingError, storageError, unexpectedError } from "./store_error.ts";

/** What an ingest tells the store. */
export interface IngestHost {
  /** Groups are verified and written. @throws What makes the ingest fail. */
  verified(live: LiveBlob, runs: readonly Range[]): void;
  /** `count` bytes are about to be staged unverified. @throws {SeedmintError} `no-space` */
  staging(live: LiveBlob, count: number): void;
  /** Resolves when what is complete has its final name. */
  settled(live: LiveBlob): Promise<void>;
  closed(live: LiveBlob, ingest: Stoppable): void;
  corrupt(): void;
}

/** What a {@link FileIngest} is made of. */
interface FileIngestOptions {
  readonly hash: Hash;
  /** The blob that it adds to; undefined when that is complete and bytes are only verified. */
  readonly live: LiveBlob | undefined;
  /** Whether pushed bytes take room before they are verified. */
  readonly isStaging: boolean;
  readonly options: IngestOptions;
  readonly host: IngestHost;
  /** Removes what the ingest alone needed. */
  readonly cleanUp?: () => void;
}

/** An ingest whose bytes a worker verifies and writes. */
export class FileIngest implements Ingest, Stoppable, ChannelListener {
  readonly #options: FileIngestOptions;
  #channel: IngestChannel | undefined;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;
  #isLaneGone = false;

  constructor(options: FileIngestOptions) {
    this.#options = options;
    options.live?.ingests.add(this);
    if (options.live !== undefined) options.live.openingCount++;
    options.options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Gives it its way to a worker. */
  connect(channel: IngestChannel): void {
    this.#channel = channel;
  }

  push(bytes: Uint8Array): Promise<void> | undefined {
    this.#throwIfFailed();
    const { live, host, isStaging } = this.#options;
    try {
      if (isStaging && live !== undefined) host.staging(live, bytes.length);
    } catch (error) {
      this.stop(error as Error);
      throw error;
    }
    return this.#channel!.push(bytes);
  }

  room(): Uint8Array<ArrayBuffer> | undefined {
    this.#throwIfFailed();
    // What is staged is counted before it is written.
    return this.#options.isStaging ? undefined : this.#channel!.lend();
  }

  filled(count: number): Promise<void> | undefined {
    this.#throwIfFailed();
    return this.#channel!.filled(count);
  }

  async finish(): Promise<void> {
    try {
      this.#throwIfFailed();
      await this.#channel!.finish();
      this.#throwIfFailed();
      if (this.#options.live !== undefined) await this.#options.host.settled(this.#options.live);
    } catch (error) {
      throw this.#failure ?? error;
    } finally {
      await this[Symbol.asyncDispose]();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  stop(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    if (isSeedmintError(error, "corrupt")) this.#options.host.corrupt();
  }

  opened(isLaneGone: boolean): void {
    const { live, hash } = this.#options;
    // The blob may have become complete, or gone, by other means a moment before. Otherwise somebody
    // removed the files of the store: what is verified now is written nowhere.
    if (isLaneGone && (live?.state === "draft" || live?.state === "proven")) {
      this.stop(storageError(`write blob ${hash}`, new Error("its partial files were removed")));
    }
    this.#isLaneGone = isLaneGone;
    live?.opened();
  }

  verified(runs: readonly Range[]): void {
    const { live, host, options } = this.#options;
    try {
      // Also after an abort: the groups are written and verified, so they count.
      if (live !== undefined && !this.#isLaneGone) host.verified(live, runs);
    } catch (error) {
      this.stop(error as Error);
    }
    if (this.#failure !== undefined) return;
    for (const run of runs) options.onVerified?.(run);
  }

  failed(error: Error): void {
    this.stop(error);
  }

  readonly #onAbort = () => {
    this.stop(abortedError(this.#options.hash, "its signal was aborted"));
  };

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closing !== undefined) throw abortedError(this.#options.hash, "it was closed");
  }

  async #close(): Promise<void> {
    const { live, host, options, cleanUp } = this.#options;
    options.signal?.removeEventListener("abort", this.#onAbort);
    await this.#channel?.close();
    cleanUp?.();
    if (live !== undefined && live.ingests.delete(this)) host.closed(live, this);
  }
}

/** An ingest of 16 KiB or less: its bytes are kept until they are all there. */
export class SmallIngest implements Ingest {
  readonly #hash: Hash;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #options: IngestOptions;
  readonly #store: (bytes: Uint8Array<ArrayBuffer>) => void;
  #filled = 0;
  #isDone = false;
  #isClosed = false;
  #failure: unknown;

  /** `isEmpty`: nothing was asked for, so nothing is to come. */
  constructor(
    hash: Hash,
    options: IngestOptions & { readonly isEmpty: boolean },
    store: (bytes: Uint8Array<ArrayBuffer>) => void,
  ) {
    this.#hash = hash;
    this.#options = options;
    this.#store = store;
    this.#bytes = new Uint8Array(options.isEmpty ? 0 : options.size);
    if (options.isEmpty) this.#isDone = true;
    else if (options.size === 0) this.#run(() => this.#complete());
  }

  push(bytes: Uint8Array): undefined {
    this.#run(() => {
      if (bytes.length > this.#bytes.length - this.#filled) {
        throw unexpectedError("a response", this.#hash, "another: it is longer than claimed");
      }
      this.#bytes.set(bytes, this.#filled);
      this.#filled += bytes.length;
      if (bytes.length > 0 && this.#filled === this.#bytes.length) this.#complete();
    });
  }

  // deno-lint-ignore require-await -- the port is asynchronous, a small blob is not
  async finish(): Promise<void> {
    this.#run(() => {
      if (!this.#isDone) throw missingError(this.#hash);
    });
    this.#isClosed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  #run(action: () => void): void {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      if (this.#isClosed) throw abortedError(this.#hash, "it was closed");
      if (this.#options.signal?.aborted) throw abortedError(this.#hash, "its signal was aborted");
      action();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #complete(): void {
    const found = hashBytes(this.#bytes);
    if (found !== this.#hash) throw unexpectedError("a response", this.#hash, found);
    this.#isDone = true;
    this.#store(this.#bytes);
    this.#options.onVerified?.({ start: 0, end: 1 });
  }
}
