/**
 * The writing side of a socket: bytes are gathered in blocks and written with few system calls.
 *
 *     reserve/commit/append -> filling block -> full blocks -> one write at a time
 */
import { BlockPool } from "./block_pool.ts";
import { WRITE_BLOCK_BYTES, WRITE_HIGH_BYTES, WRITE_LOW_BYTES } from "./limits.ts";

const pool = new BlockPool(WRITE_BLOCK_BYTES);

interface Block {
  readonly bytes: Uint8Array<ArrayBuffer>;
  length: number;
}

/** What happens to a {@link SocketWriter}. */
export interface SocketWriterEvents {
  /** Bytes went out: the connection is alive. */
  onProgress(): void;
  /** A writer that was told to wait may go on. */
  onDrain(): void;
  /** The socket failed; nothing is written any more. */
  onError(error: unknown): void;
}

/** Gathers and writes bytes in order. */
export class SocketWriter {
  readonly #write: (bytes: Uint8Array) => Promise<number>;
  readonly #events: SocketWriterEvents;
  readonly #full: Block[] = [];
  #filling: Block | undefined;
  #queuedBytes = 0;
  #isScheduled = false;
  #isWriting = false;
  #isClosed = false;
  #wantsDrain = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(write: (bytes: Uint8Array) => Promise<number>, events: SocketWriterEvents) {
    this.#write = write;
    this.#events = events;
  }

  /** Bytes that the socket has not taken yet. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Whether a writer should wait; asking promises a call of `onDrain` when it need not any more. */
  get needsDrain(): boolean {
    if (this.#queuedBytes < WRITE_HIGH_BYTES) return false;
    this.#wantsDrain = true;
    return true;
  }

  /** Space for `count` bytes, at most {@link WRITE_BLOCK_BYTES}. */
  reserve(count: number): Uint8Array {
    let block = this.#filling;
    if (block === undefined || block.length + count > WRITE_BLOCK_BYTES) {
      if (block !== undefined) this.#full.push(block);
      block = { bytes: pool.take(), length: 0 };
      this.#filling = block;
    }
    return block.bytes.subarray(block.length, block.length + count);
  }

  /** Queues `count` bytes of the space that was reserved last. */
  commit(count: number): void {
    this.#filling!.length += count;
    this.#queuedBytes += count;
    this.#schedule();
  }

  /** Copies and queues bytes. */
  append(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length) {
      const used = this.#filling?.length ?? 0;
      const room = used < WRITE_BLOCK_BYTES ? WRITE_BLOCK_BYTES - used : WRITE_BLOCK_BYTES;
      const count = Math.min(room, bytes.length - offset);
      this.reserve(count).set(bytes.subarray(offset, offset + count));
      this.commit(count);
      offset += count;
    }
  }

  /** Resolves once everything queued was written, or the writer is closed. */
  flushed(): Promise<void> {
    if (this.#queuedBytes === 0 || this.#isClosed) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }

  /** Drops what is queued and writes nothing more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#full.length = 0;
    this.#filling = undefined;
    this.#queuedBytes = 0;
    this.#idle?.resolve();
  }

  // Everything written in one turn of the event loop leaves in the same system call.
  #schedule(): void {
    if (this.#isScheduled || this.#isWriting || this.#isClosed) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.#isWriting && !this.#isClosed) this.#run().catch(this.#fail);
    });
  }

  readonly #fail = (error: unknown): void => {
    if (this.#isClosed) return;
    this.close();
    this.#events.onError(error);
  };

  async #run(): Promise<void> {
    this.#isWriting = true;
    try {
      while (!this.#isClosed) {
        const block = this.#next();
        if (block === undefined) break;
        await this.#writeBlock(block);
      }
    } finally {
      this.#isWriting = false;
    }
    if (this.#queuedBytes === 0) {
      this.#idle?.resolve();
      this.#idle = undefined;
    }
  }

  #next(): Block | undefined {
    const full = this.#full.shift();
    if (full !== undefined) return full;
    const filling = this.#filling;
    if (filling === undefined) return undefined;
    this.#filling = undefined;
    if (filling.length > 0) return filling;
    pool.give(filling.bytes);
    return undefined;
  }

  async #writeBlock(block: Block): Promise<void> {
    let offset = 0;
    while (offset < block.length && !this.#isClosed) {
      const count = await this.#write(block.bytes.subarray(offset, block.length));
      offset += count;
      if (this.#isClosed) return;
      this.#queuedBytes -= count;
      this.#events.onProgress();
      if (this.#wantsDrain && this.#queuedBytes <= WRITE_LOW_BYTES) {
        this.#wantsDrain = false;
        this.#events.onDrain();
      }
    }
    pool.give(block.bytes);
  }
}
