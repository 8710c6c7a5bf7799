/** Unsigned LEB128 of at most 32 bits, as multiformats has it: the length before each message. */
import { SeedmintError } from "./errors.ts";

/** The most bytes that a 32-bit varint takes. */
export const VARINT_BYTES_MAX = 5;

/** Encodes `value`, an integer from 0 to 2^32 - 1. */
export function encodeVarint(value: number): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  let rest = value >>> 0;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/**
 * Decodes the varint at the start of `bytes`.
 *
 * @returns The value and how many bytes it took, or undefined while more bytes are needed.
 * @throws {SeedmintError} `protocol` if it is longer than needed or exceeds 32 bits.
 */
export function decodeVarint(
  bytes: Uint8Array,
): { readonly value: number; readonly size: number } | undefined {
  let value = 0;
  for (let index = 0; index < VARINT_BYTES_MAX; index++) {
    const byte = bytes[index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if ((byte & 0x80) === 0) {
      const tooLong = index > 0 && byte === 0;
      if (tooLong || value > 0xffffffff) break;
      return { value, size: index + 1 };
    }
  }
  throw new SeedmintError("protocol", "Cannot read a length: it is not a minimal 32-bit varint");
}
