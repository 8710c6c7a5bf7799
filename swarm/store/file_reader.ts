/** Readers of the store on disk: each has its own file handles, so none disturbs another. */
import type { Bytes } from "../../src/core/bytes.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import { outboardSizeOf } from "../bao/geometry.ts";
import { truncateRanges } from "../bao/mod.ts";
import type { BlobReader, EncodeOptions } from "./blob_store.ts";
import { encodePieces } from "./encode.ts";
import type { PositionalFile } from "./files.ts";
import { compareFingerprints, type Fingerprint, fingerprintOf } from "./guard.ts";
import { PARENT_WINDOW_BYTES } from "./limits.ts";
import { readableCount } from "./memory_entry.ts";
import { absentError, incompleteError } from "./store_error.ts";

/** The bytes of a blob, wherever they lie. */
export interface OpenBytes {
  /** Fills `target`, or throws. */
  readData(offset: number, target: Uint8Array): Promise<void>;
  readParents(offset: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Reads the groups of one blob that were held when it was opened. */
export class StoreReader implements BlobReader {
  readonly hash: Hash;
  readonly size: number;
  readonly groups: RangeSet;
  readonly #bytes: OpenBytes;
  readonly #onRead: (count: number) => void;
  readonly #onClose: () => void;
  #closing: Promise<void> | undefined;

  constructor(
    blob: { readonly hash: Hash; readonly size: number; readonly groups: RangeSet },
    bytes: OpenBytes,
    hooks: { readonly onRead: (count: number) => void; readonly onClose: () => void },
  ) {
    this.hash = blob.hash;
    this.size = blob.size;
    this.groups = blob.groups;
    this.#bytes = bytes;
    this.#onRead = hooks.onRead;
    this.#onClose = hooks.onClose;
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const count = readableCount(this, offset, target.length);
    if (count > 0) await this.#readData(offset, target.subarray(0, count));
    return count;
  }

  encode(ranges: RangeSet, options: EncodeOptions = {}): AsyncIterable<Bytes> {
    const wanted = truncateRanges(ranges, this.size);
    if (!this.groups.includes(wanted)) throw incompleteError(this.hash, "encode ranges of");
    return encodePieces(
      {
        size: this.size,
        readData: (offset, target) => this.#readData(offset, target),
        readParents: (offset, target) => this.#bytes.readParents(offset, target),
      },
      wanted,
      options,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#bytes.close().finally(this.#onClose);
    return this.#closing;
  }

  async #readData(offset: number, target: Uint8Array): Promise<void> {
    await this.#bytes.readData(offset, target);
    this.#onRead(target.length);
  }
}

/** A small blob, whose bytes came out of the database at once. */
export class InlineBytes implements OpenBytes {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  readData(offset: number, target: Uint8Array): Promise<void> {
    target.set(this.#bytes.subarray(offset, offset + target.length));
    return Promise.resolve();
  }

  readParents(): Promise<void> {
    return Promise.reject(new Error("A blob of one group has no parents"));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** What a {@link FileBytes} is made of. */
export interface FileBytesOptions {
  readonly hash: Hash;
  readonly size: number;
  readonly data: PositionalFile;
  readonly outboard: PositionalFile;
  /** What the file must look like, if somebody else may write it. */
  readonly guard?: Fingerprint;
  /** Called once when it does not; the reason is for people. */
  readonly onChanged?: (reason: string) => void;
}

/** A blob in files. Parents are read ahead in windows: they are few, and needed one by one. */
export class FileBytes implements OpenBytes {
  readonly #options: FileBytesOptions;
  #window: Bytes = new Uint8Array(0);
  #windowOffset = 0;

  constructor(options: FileBytesOptions) {
    this.#options = options;
  }

  async readData(offset: number, target: Uint8Array): Promise<void> {
    const { data, guard, hash } = this.#options;
    const count = await data.readAt(offset, target);
    if (guard !== undefined) this.#checkGuard(guard);
    if (count < target.length) throw absentError(hash, "read", "its file is shorter than it was");
  }

  async readParents(offset: number, target: Uint8Array): Promise<void> {
    const { outboard, hash, size } = this.#options;
    const isInside = offset >= this.#windowOffset &&
      offset + target.length <= this.#windowOffset + this.#window.length;
    if (!isInside) {
      const bytes = Math.max(target.length, PARENT_WINDOW_BYTES);
      const window = new Uint8Array(Math.min(bytes, outboardSizeOf(size) - offset));
      const count = await outboard.readAt(offset, window);
      if (count < target.length) throw absentError(hash, "read", "its outboard is too short");
      this.#window = window.subarray(0, count);
      this.#windowOffset = offset;
    }
    const at = offset - this.#windowOffset;
    target.set(this.#window.subarray(at, at + target.length));
  }

  async close(): Promise<void> {
    await this.#options.data.close();
    await this.#options.outboard.close();
  }

  #checkGuard(guard: Fingerprint): void {
    const comparison = compareFingerprints(guard, fingerprintOf(this.#options.data.statSync()));
    if (comparison.result === "same") return;
    const reason = comparison.result === "changed"
      ? comparison.reason
      : "its file was touched while it was read";
    if (comparison.result === "changed") this.#options.onChanged?.(reason);
    throw absentError(this.#options.hash, "read", reason);
  }
}
