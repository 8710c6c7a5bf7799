/**
 * Both outputs of a command in one stream, as the Docker Engine API writes them ("attach", stream
 * format): a header of eight bytes (which one, three zeros, the length in big endian), then the bytes.
 */
import { FRAME_HEADER_BYTES } from "./limits.ts";

/** Takes such a stream apart as it comes. Bytes of unknown streams are dropped. */
export class Frames {
  readonly #onBytes: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #headerCount = 0;
  #left = 0;

  constructor(onBytes: (stream: "stdout" | "stderr", bytes: Uint8Array) => void) {
    this.#onBytes = onBytes;
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#left === 0) {
        const part = bytes.subarray(at, at + FRAME_HEADER_BYTES - this.#headerCount);
        this.#header.set(part, this.#headerCount);
        this.#headerCount += part.length;
        at += part.length;
        if (this.#headerCount < FRAME_HEADER_BYTES) return;
        this.#headerCount = 0;
        this.#left = new DataView(this.#header.buffer).getUint32(4);
        continue;
      }
      const part = bytes.subarray(at, at + this.#left);
      at += part.length;
      this.#left -= part.length;
      if (this.#header[0] === 1) this.#onBytes("stdout", part);
      if (this.#header[0] === 2) this.#onBytes("stderr", part);
    }
  }
}
