/** Writing tar archives (POSIX ustar), the same bytes for the same content. */
import { utf8 } from "../../../src/core/bytes.ts";

/** Size of a header, and what bodies are padded to. */
export const TAR_BLOCK_BYTES = 512;

/** What an archive ends with. */
export const TAR_END: Uint8Array<ArrayBuffer> = new Uint8Array(2 * TAR_BLOCK_BYTES);

/** Sizes from here on do not fit eleven octal digits. */
const OCTAL_SIZE_END = 8 ** 11;

/** Zeros that follow a body of `size` bytes. */
export function tarPadding(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array((TAR_BLOCK_BYTES - size % TAR_BLOCK_BYTES) % TAR_BLOCK_BYTES);
}

/**
 * The header of a file, or of a directory if `name` ends in a slash. Owner and times are none.
 *
 * @param name At most 100 bytes.
 */
export function tarHeader(name: string, size: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(TAR_BLOCK_BYTES);
  const nameBytes = utf8(name);
  if (nameBytes.length > 100) throw new RangeError(`The name ${name} is too long for an archive`);
  const isDirectory = name.endsWith("/");
  header.set(nameBytes);
  writeOctal(header, 100, 8, isDirectory ? 0o755 : 0o644);
  writeOctal(header, 108, 8, 0);
  writeOctal(header, 116, 8, 0);
  writeSize(header, size);
  writeOctal(header, 136, 12, 0);
  header[156] = isDirectory ? 0x35 : 0x30;
  header.set(utf8("ustar\0" + "00"), 257);
  // The sum counts its own field as spaces.
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(utf8(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return header;
}

function writeOctal(header: Uint8Array, offset: number, width: number, value: number): void {
  header.set(utf8(`${value.toString(8).padStart(width - 1, "0")}\0`), offset);
}

function writeSize(header: Uint8Array, size: number): void {
  if (size < OCTAL_SIZE_END) return writeOctal(header, 124, 12, size);
  // As GNU tar does: a set first bit, then the number in binary.
  header[124] = 0x80;
  let rest = size;
  for (let place = 0; place < 11; place++) {
    header[135 - place] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}
