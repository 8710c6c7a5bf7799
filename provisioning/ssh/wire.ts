/** The strings and numbers of SSH's binary formats: RFC 4251 section 5. */
import { concatBytes } from "../../src/core/bytes.ts";

/** A number of 32 bits. */
export function uint32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** A string: its length, then its bytes. */
export function string(value: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  return concatBytes(uint32(bytes.length), bytes);
}

/** Reads what {@link uint32} and {@link string} wrote. */
export class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** @throws {SyntaxError} If it ends before. */
  uint32(): number {
    const part = this.take(4);
    return new DataView(part.buffer, part.byteOffset, 4).getUint32(0);
  }

  /** @throws {SyntaxError} If it ends before. */
  string(): Uint8Array {
    return this.take(this.uint32());
  }

  /** @throws {SyntaxError} If it ends before. */
  text(): string {
    return new TextDecoder().decode(this.string());
  }

  /** @throws {SyntaxError} If it ends before. */
  take(count: number): Uint8Array {
    if (this.#at + count > this.#bytes.length) {
      throw new SyntaxError("Cannot read the SSH key: it ends in the middle");
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }
}
