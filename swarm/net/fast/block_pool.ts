/** Reuse of large buffers: fresh ones cost page faults and garbage collection on every frame. */
import { POOLED_BLOCK_COUNT_MAX } from "./limits.ts";

/** A free list of equal blocks. What is not returned is simply collected. */
export class BlockPool {
  readonly blockBytes: number;
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

  constructor(blockBytes: number) {
    this.blockBytes = blockBytes;
  }

  /** A block with undefined content. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#free.pop() ?? new Uint8Array(this.blockBytes);
  }

  /** Gives a block back that nobody reads or writes any more. */
  give(block: Uint8Array<ArrayBuffer>): void {
    if (block.length === this.blockBytes && this.#free.length < POOLED_BLOCK_COUNT_MAX) {
      this.#free.push(block);
    }
  }
}
