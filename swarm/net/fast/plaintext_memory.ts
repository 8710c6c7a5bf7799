/**
 * Memory of decrypted messages that is freed as soon as its last byte was used. Left to the garbage
 * collector, 64 KiB a message make it run all the time, which measured an eighth of a receiver's
 * work. Whoever uses bytes for the last time says so, each byte once; bytes that nobody gives back
 * are collected as ever.
 */

/** Below this size a message is not worth the bookkeeping. */
const WORTH_BYTES = 16 * 1024;

const usedBytesLeft = new WeakMap<ArrayBufferLike, number>();

/** Begins to count for `plaintext`, if it has its memory for itself. */
export function lendMemory(plaintext: Uint8Array): void {
  const { buffer, length } = plaintext;
  if (length >= WORTH_BYTES && buffer.byteLength === length) usedBytesLeft.set(buffer, length);
}

/** `count` bytes of `buffer` are not used any more; they must not be given back again. */
export function returnMemory(buffer: ArrayBufferLike, count: number): void {
  const left = usedBytesLeft.get(buffer);
  if (left === undefined || count === 0) return;
  if (left > count) {
    usedBytesLeft.set(buffer, left - count);
    return;
  }
  usedBytesLeft.delete(buffer);
  // Fewer bytes left than given back: somebody gave twice, and others may still use them.
  if (left === count && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
