/**
 * ChaCha20-Poly1305 under one key with a counting nonce: the `CipherState` of the Noise
 * specification, section 5.1. Each message is one single pass of the runtime's native cipher: it
 * measured eleven times the WebAssembly of @chainsafe/as-chacha20poly1305.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { concatBytes, freeBytes } from "../../../src/core/bytes.ts";
import { NOISE_NONCE_MAX, NOISE_TAG_BYTES } from "./limits.ts";

const ALGORITHM = "chacha20-poly1305";
const OPTIONS = { authTagLength: NOISE_TAG_BYTES } as const;

/** One direction of a connection, or the handshake's cipher. */
export class CipherState {
  readonly #key: Uint8Array;
  readonly #nonce = new Uint8Array(12);
  readonly #nonceView = new DataView(this.#nonce.buffer);
  #count: number;

  /** @param firstNonce For tests of exhaustion; a fresh key starts at 0. */
  constructor(key: Uint8Array, firstNonce = 0) {
    if (key.length !== 32) throw new RangeError(`A key has 32 bytes, not ${key.length}`);
    this.#key = key;
    this.#count = firstNonce;
  }

  /**
   * Encrypts `plaintext` into `target`, which takes {@link NOISE_TAG_BYTES} more.
   *
   * @throws {Error} Once the nonces are used up.
   */
  seal(plaintext: Uint8Array, target: Uint8Array, additional?: Uint8Array): void {
    const cipher = createCipheriv(ALGORITHM, this.#key, this.#nextNonce(), OPTIONS);
    if (additional !== undefined) {
      cipher.setAAD(additional, { plaintextLength: plaintext.length });
    }
    if (plaintext.length > 0) {
      const output = cipher.update(plaintext);
      target.set(output, 0);
      // Given back at once: left to the garbage collector, 64 KiB a message make it run all the time.
      freeBytes(output);
    }
    cipher.final();
    target.set(cipher.getAuthTag(), plaintext.length);
  }

  /** As {@link seal}, of the plaintext that `parts` make together. */
  sealParts(parts: readonly Uint8Array[], target: Uint8Array): void {
    if (!TAKES_PARTS) return this.seal(concatBytes(...parts), target);
    const cipher = createCipheriv(ALGORITHM, this.#key, this.#nextNonce(), OPTIONS);
    let offset = 0;
    for (const part of parts) {
      const output = cipher.update(part);
      target.set(output, offset);
      offset += output.length;
      freeBytes(output);
    }
    cipher.final();
    target.set(cipher.getAuthTag(), offset);
  }

  /**
   * Decrypts `message`, whose last {@link NOISE_TAG_BYTES} are the tag.
   *
   * @returns The plaintext in memory of its own.
   * @throws {Error} If the message was changed, or the nonces are used up.
   */
  open(message: Uint8Array, additional?: Uint8Array): Uint8Array {
    const length = message.length - NOISE_TAG_BYTES;
    if (length < 0) throw new RangeError("An encrypted message is shorter than its tag");
    const decipher = createDecipheriv(ALGORITHM, this.#key, this.#nextNonce(), OPTIONS);
    if (additional !== undefined) decipher.setAAD(additional, { plaintextLength: length });
    decipher.setAuthTag(message.subarray(length));
    if (length === 0) {
      decipher.final();
      return new Uint8Array(0);
    }
    const plaintext = decipher.update(message.subarray(0, length));
    decipher.final();
    // A plain array: slices of a Node Buffer would share its memory.
    return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length);
  }

  // Noise for ChaChaPoly: four zero bytes, then the counter as a little-endian 64-bit number.
  #nextNonce(): Uint8Array {
    if (this.#count >= NOISE_NONCE_MAX) {
      throw new RangeError("All nonces of this key were used; a new connection is needed");
    }
    this.#nonceView.setUint32(4, this.#count % 2 ** 32, true);
    this.#nonceView.setUint32(8, Math.floor(this.#count / 2 ** 32), true);
    this.#count += 1;
    return this.#nonce;
  }
}

/**
 * Whether the runtime's cipher makes one message of several updates. Some versions of Deno pad each
 * update for the tag as if it were the whole message.
 */
const TAKES_PARTS = ((): boolean => {
  const tagOf = (...parts: Uint8Array[]) => {
    const cipher = createCipheriv(ALGORITHM, new Uint8Array(32), new Uint8Array(12), OPTIONS);
    for (const part of parts) cipher.update(part);
    cipher.final();
    return cipher.getAuthTag();
  };
  return tagOf(new Uint8Array(12), new Uint8Array(20)).equals(tagOf(new Uint8Array(32)));
})();
