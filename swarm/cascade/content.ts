/** Bytes that are passed on: a file that still grows, or a blob that is complete in the store. */
import { assert } from "../../src/core/assert.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { BlobReader } from "../store/blob_store.ts";
import { Files, type PositionalFile } from "../store/files.ts";
import { storageError } from "../store/store_error.ts";
import type { Part } from "./order.ts";

/** What a child is fed from. */
export interface Content {
  /** Up to where the part can be read now. */
  tipOf(part: Part): number;
  /** Fills `target` from `offset` on; what lies there is below the tip of its part. */
  read(offset: number, target: Uint8Array): Promise<number>;
  /** Calls `listener` whenever the part has grown. Returns how to stop that. */
  onGrow(part: Part, listener: () => void): () => void;
  close(): Promise<void>;
}

/** Content on its way in: each part grows at its end. Nothing in it is checked yet. */
export class GrowingContent implements Content {
  readonly path: string;
  readonly #file: PositionalFile;
  /** Opened by itself: a write would move what a read is about to begin at. */
  readonly #reading: PositionalFile;
  readonly #tips: number[];
  readonly #listeners: Set<() => void>[];
  #isClosed = false;

  /** Makes the file; it must not be there yet. */
  constructor(
    options: {
      readonly path: string;
      readonly parts: readonly Part[];
      readonly clock: Pick<Clock, "monotonicMs">;
    },
  ) {
    this.path = options.path;
    const files = new Files();
    this.#file = files.openNew(options.path);
    this.#reading = files.openReadOnly(options.path, options.clock);
    this.#tips = options.parts.map((part) => part.start);
    this.#listeners = options.parts.map(() => new Set());
  }

  tipOf(part: Part): number {
    return this.#tips[part.index]!;
  }

  /**
   * Appends to a part. More than belongs there is a mistake of the caller.
   *
   * @throws {SeedmintError} `no-space`, `storage`
   */
  append(part: Part, bytes: Uint8Array): void {
    const tip = this.tipOf(part);
    assert(tip + bytes.length <= part.end, "a part ends where it ends");
    try {
      this.#file.writeAt(tip, bytes);
    } catch (error) {
      throw storageError("keep what is being fetched", error);
    }
    this.#tips[part.index] = tip + bytes.length;
    for (const listener of [...this.#listeners[part.index]!]) listener();
  }

  read(offset: number, target: Uint8Array): Promise<number> {
    return this.#reading.readAt(offset, target);
  }

  onGrow(part: Part, listener: () => void): () => void {
    const listeners = this.#listeners[part.index]!;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
    await this.#reading.close();
  }
}

/** A complete blob as content. */
export class StoredContent implements Content {
  readonly #reader: BlobReader;

  constructor(reader: BlobReader) {
    this.#reader = reader;
  }

  tipOf(part: Part): number {
    return part.end;
  }

  read(offset: number, target: Uint8Array): Promise<number> {
    return this.#reader.read(offset, target);
  }

  onGrow(): () => void {
    return () => {};
  }

  async close(): Promise<void> {
    await this.#reader[Symbol.asyncDispose]();
  }
}
