/**
 * Where the frames of a zstd stream end (RFC 8878, section 3.1). Layers that can be read in parts have
 * thousands of frames, and the runtime's decompressor drops what follows the end of one in the same
 * piece: so it is given pieces that never cross an end.
 */
import { SeedmintError } from "../../src/core/errors.ts";

const FRAME = 0xfd2f_b528;
const SKIPPABLE = 0x184d_2a50;

type Step = "magic" | "skipSize" | "descriptor" | "header" | "block" | "body" | "checksum";

/** Cuts pieces at the ends of frames. */
export class ZstdFrames {
  #step: Step = "magic";
  /** Bytes of the current field, if it has to be read. */
  readonly #field: number[] = [];
  #leftBytes = 4;
  #hasChecksum = false;
  #isLastBlock = false;

  /**
   * The parts of `piece`, in order, none across the end of a frame.
   *
   * @throws {SeedmintError} `invalid` if it is no zstd.
   */
  *cut(piece: Uint8Array): Generator<Uint8Array, void> {
    let start = 0;
    for (let at = 0; at < piece.length;) {
      const isRead = this.#step !== "body" && this.#step !== "header" && this.#step !== "checksum";
      const count = Math.min(this.#leftBytes, piece.length - at);
      if (isRead) this.#field.push(...piece.subarray(at, at + count));
      at += count;
      this.#leftBytes -= count;
      // A field or block of no bytes is over at once.
      while (this.#leftBytes === 0) {
        if (!this.#next()) continue;
        yield piece.subarray(start, at);
        start = at;
      }
    }
    if (start < piece.length) yield piece.subarray(start);
  }

  /** Goes on after a field. @returns Whether a frame is over. */
  #next(): boolean {
    const value = this.#field.reduceRight((sum, byte) => sum * 256 + byte, 0);
    this.#field.length = 0;
    switch (this.#step) {
      case "magic":
        if (value === FRAME) return this.#expect("descriptor", 1);
        if (value - value % 16 !== SKIPPABLE) throw invalid("a frame has no mark");
        return this.#expect("skipSize", 4);
      case "skipSize":
        this.#hasChecksum = false;
        this.#isLastBlock = true;
        return this.#expect("body", value);
      case "descriptor":
        this.#hasChecksum = (value & 4) !== 0;
        return this.#expect("header", headerBytes(value));
      case "header":
        return this.#expect("block", 3);
      case "block": {
        const kind = (value >> 1) & 3;
        if (kind === 3) throw invalid("a block is of no known kind");
        this.#isLastBlock = (value & 1) === 1;
        return this.#expect("body", kind === 1 ? 1 : value >> 3);
      }
      case "body":
        if (!this.#isLastBlock) return this.#expect("block", 3);
        if (this.#hasChecksum) return this.#expect("checksum", 4);
        return !this.#expect("magic", 4);
      case "checksum":
        return !this.#expect("magic", 4);
    }
    return this.#step satisfies never;
  }

  #expect(step: Step, byteCount: number): false {
    this.#step = step;
    this.#leftBytes = byteCount;
    return false;
  }
}

/** What follows the descriptor: window, dictionary, size of the content. */
function headerBytes(descriptor: number): number {
  const isSingle = (descriptor >> 5) & 1;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  const size = [isSingle, 2, 4, 8][descriptor >> 6]!;
  return (1 - isSingle) + dictionary + size;
}

function invalid(why: string): SeedmintError {
  return new SeedmintError("invalid", `Cannot uncompress the layer: it is no zstd: ${why}`);
}
