/** Ingests of the memory store: everything is verified within `push`. */
import type { Range } from "../../src/core/range_set.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";
import { BaoDecoder, PlainVerifier } from "../bao/mod.ts";
import type { Ingest, IngestOptions } from "./blob_store.ts";
import type { MemoryEntry } from "./memory_entry.ts";
import { abortedError } from "./store_error.ts";

/** What an ingest tells its store. */
export interface MemoryIngestHost {
  /** Groups `range` of `entry` are verified and in its maps. May throw, which fails the ingest. */
  verified(entry: MemoryEntry, range: Range): void;
  /** `count` more bytes are about to be staged unverified. May throw. */
  staging(entry: MemoryEntry, count: number): void;
  closed(entry: MemoryEntry): void;
}

abstract class MemoryIngest implements Ingest {
  protected readonly entry: MemoryEntry;
  protected readonly host: MemoryIngestHost;
  protected readonly options: IngestOptions;
  #failure: unknown;
  #open = true;

  constructor(entry: MemoryEntry, host: MemoryIngestHost, options: IngestOptions) {
    this.entry = entry;
    this.host = host;
    this.options = options;
    entry.ingestCount++;
  }

  push(bytes: Uint8Array): undefined {
    this.#run(() => this.take(bytes));
  }

  // deno-lint-ignore require-await -- the port is asynchronous, memory is not
  async finish(): Promise<void> {
    try {
      this.#run(() => this.end());
    } finally {
      this.#close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  protected abstract take(bytes: Uint8Array): void;
  protected abstract end(): void;

  /** Tells store and caller of verified groups. */
  protected report(range: Range): void {
    this.host.verified(this.entry, range);
    this.options.onVerified?.(range);
  }

  #run(action: () => void): void {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      if (!this.#open) throw abortedError(this.entry.hash, "it was closed");
      if (this.entry.stopped !== undefined) throw this.entry.stopped;
      if (this.options.signal?.aborted) {
        throw abortedError(this.entry.hash, "its signal was aborted");
      }
      action();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.entry.ingestCount--;
    this.host.closed(this.entry);
  }
}

/** Takes a Bao-encoded response. */
export class MemoryEncodedIngest extends MemoryIngest {
  readonly #decoder: BaoDecoder;
  #run: Range | undefined;

  constructor(
    entry: MemoryEntry,
    host: MemoryIngestHost,
    options: IngestOptions & { readonly ranges: RangeSet },
  ) {
    super(entry, host, options);
    this.#decoder = new BaoDecoder({
      hash: entry.hash,
      size: entry.size,
      ranges: options.ranges,
      sink: {
        parent: (offset, pair) => void entry.parents.set(offset, Uint8Array.from(pair)),
        group: (index, bytes) => this.#group(index, bytes),
      },
    });
  }

  protected override take(bytes: Uint8Array): void {
    try {
      this.#decoder.push(bytes);
    } finally {
      // What was verified before a lie stays.
      this.#flush();
    }
  }

  protected override end(): void {
    this.#decoder.finish();
    this.#flush();
  }

  #group(index: number, bytes: Uint8Array): void {
    this.entry.data.set(index, Uint8Array.from(bytes));
    if (this.#run?.end !== index) this.#flush();
    this.#run = { start: this.#run?.start ?? index, end: index + 1 };
  }

  #flush(): void {
    const run = this.#run;
    this.#run = undefined;
    if (run !== undefined) this.report(run);
  }
}

/** Takes plain bytes, staged outside the entry until a subtree above them is proven. */
export class MemoryPlainIngest extends MemoryIngest {
  readonly #verifier: PlainVerifier;
  readonly #staged: Map<number, Uint8Array<ArrayBuffer>> = new Map();
  #offset: number;

  constructor(
    entry: MemoryEntry,
    host: MemoryIngestHost,
    options: IngestOptions & { readonly startGroup: number },
  ) {
    super(entry, host, options);
    this.#offset = options.startGroup * GROUP_BYTES;
    this.#verifier = new PlainVerifier({
      hash: entry.hash,
      size: entry.size,
      startGroup: options.startGroup,
      knownPair: (offset) => entry.parents.get(offset),
      onVerified: (range, parents) => this.#verified(range, parents),
    });
  }

  protected override take(bytes: Uint8Array): void {
    this.host.staging(this.entry, bytes.length);
    this.#stage(bytes);
    this.#verifier.push(bytes);
  }

  protected override end(): void {
    this.#verifier.finish();
  }

  #stage(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length && this.#offset < this.entry.size) {
      const index = Math.floor(this.#offset / GROUP_BYTES);
      const at = this.#offset % GROUP_BYTES;
      let group = this.#staged.get(index);
      if (group === undefined) {
        group = new Uint8Array(Math.min(GROUP_BYTES, this.entry.size - index * GROUP_BYTES));
        this.#staged.set(index, group);
      }
      const part = bytes.subarray(done, done + group.length - at);
      group.set(part, at);
      done += part.length;
      this.#offset += part.length;
    }
  }

  #verified(range: Range, parents: ReadonlyMap<number, Uint8Array>): void {
    for (const [offset, pair] of parents) this.entry.parents.set(offset, Uint8Array.from(pair));
    for (let index = range.start; index < range.end; index++) {
      const group = this.#staged.get(index);
      this.#staged.delete(index);
      // The empty blob has one group that nothing was staged for.
      this.entry.data.set(index, group ?? new Uint8Array(0));
    }
    this.report(range);
  }
}
