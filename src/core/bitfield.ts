/**
 * Bitfields of chunk groups as they are stored and sent: bit `i` is `bytes[i >> 3] >> (i & 7) & 1`,
 * and bits at or past the count of groups are zero.
 */
import { RangeSet } from "./range_set.ts";

/** The bitfield of `groups` among `groupCount`. */
export function bitfieldFromRanges(
  groups: RangeSet,
  groupCount: number,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.ceil(groupCount / 8));
  for (const range of groups.below(groupCount)) {
    let index = range.start;
    for (; index < range.end && (index & 7) !== 0; index++) bytes[index >> 3]! |= 1 << (index & 7);
    const wholeEnd = range.end & ~7;
    if (wholeEnd > index) {
      bytes.fill(0xff, index >> 3, wholeEnd >> 3);
      index = wholeEnd;
    }
    for (; index < range.end; index++) bytes[index >> 3]! |= 1 << (index & 7);
  }
  return bytes;
}

/**
 * The groups whose bits are set.
 *
 * @throws {RangeError} If the size is not that of `groupCount` bits, or a bit past them is set.
 */
export function rangesFromBitfield(bytes: Uint8Array, groupCount: number): RangeSet {
  if (bytes.length !== Math.ceil(groupCount / 8)) {
    throw new RangeError(
      `Cannot read a bitfield of ${groupCount} groups: ${
        Math.ceil(groupCount / 8)
      } bytes wanted, ${bytes.length} found`,
    );
  }
  const boundaries: number[] = [];
  let inside = false;
  for (let byteIndex = 0; byteIndex < bytes.length; byteIndex++) {
    const byte = bytes[byteIndex]!;
    if (byte === (inside ? 0xff : 0)) continue;
    for (let bit = 0; bit < 8; bit++) {
      const isSet: boolean = ((byte >> bit) & 1) === 1;
      if (isSet === inside) continue;
      boundaries.push(byteIndex * 8 + bit);
      inside = isSet;
    }
  }
  if (inside) boundaries.push(bytes.length * 8);
  const end = boundaries.at(-1) ?? 0;
  if (end > groupCount) {
    throw new RangeError(
      `Cannot read a bitfield: bit ${end - 1} is set, ${groupCount} groups exist`,
    );
  }
  return RangeSet.fromBoundaries(boundaries);
}
