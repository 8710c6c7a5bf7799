/**
 * The Noise handshake `Noise_XX_25519_ChaChaPoly_SHA256`, without I/O.
 *
 *     initiator                         responder
 *     -> e                              reads A
 *     reads B                           <- e, ee, s, es, payload
 *     -> s, se, payload                 reads C
 *
 * Source: the Noise protocol framework, revision 34, sections 5 and 7.
 */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { Buffer } from "node:buffer";
import { concatBytes } from "../../../src/core/bytes.ts";
import { CipherState } from "./cipher_state.ts";
import { NOISE_TAG_BYTES } from "./limits.ts";

const KEY_BYTES = 32;
const ENCRYPTED_KEY_BYTES = KEY_BYTES + NOISE_TAG_BYTES;
const PROTOCOL_NAME = "Noise_XX_25519_ChaChaPoly_SHA256"; // exactly 32 bytes: used as it is
const EMPTY = new Uint8Array(0);

// RFC 8410: what stands before the 32 raw bytes in SPKI and PKCS #8.
const SPKI_PREFIX = Uint8Array.fromHex("302a300506032b656e032100");
const PKCS8_PREFIX = Uint8Array.fromHex("302e020100300506032b656e04220420");

/** An X25519 key pair. */
export interface X25519Pair {
  readonly publicKey: Uint8Array;
  readonly secret: KeyObject;
}

/** A fresh X25519 key pair. */
export function x25519Pair(): X25519Pair {
  const { publicKey, privateKey } = generateKeyPairSync("x25519");
  const spki = publicKey.export({ type: "spki", format: "der" });
  return { publicKey: Uint8Array.from(spki.subarray(SPKI_PREFIX.length)), secret: privateKey };
}

/** The X25519 key pair of a 32-byte secret, for test vectors. */
export function x25519PairOf(secret: Uint8Array): X25519Pair {
  const key = createPrivateKey({
    key: Buffer.from(concatBytes(PKCS8_PREFIX, secret)),
    type: "pkcs8",
    format: "der",
  });
  const spki = createPublicKey(key as unknown as string).export({ type: "spki", format: "der" });
  return { publicKey: Uint8Array.from(spki.subarray(SPKI_PREFIX.length)), secret: key };
}

/** What both sides know after the handshake. */
export interface HandshakeKeys {
  /** For what the initiator sends. */
  readonly fromInitiator: CipherState;
  /** For what the responder sends. */
  readonly fromResponder: CipherState;
}

/** One side of a handshake; its methods are called in the order of the picture above. */
export class XXHandshake {
  readonly #static: X25519Pair;
  readonly #ephemeral: X25519Pair;
  #chainingKey: Uint8Array = new TextEncoder().encode(PROTOCOL_NAME);
  #hash: Uint8Array = this.#chainingKey;
  #cipher: CipherState | undefined;
  #remoteEphemeral: Uint8Array = EMPTY;
  #remoteStatic: Uint8Array = EMPTY;

  /** @param ephemeral For test vectors; else a fresh pair. */
  constructor(
    options: {
      readonly staticKey: X25519Pair;
      readonly ephemeral?: X25519Pair;
      readonly prologue?: Uint8Array;
    },
  ) {
    this.#static = options.staticKey;
    this.#ephemeral = options.ephemeral ?? x25519Pair();
    this.#mixHash(options.prologue ?? EMPTY);
  }

  /** The other side's static key, once its message with it was read. */
  get remoteStatic(): Uint8Array {
    return this.#remoteStatic;
  }

  /** `-> e`. Its payload is sent in the clear: libp2p sends none. */
  writeA(payload: Uint8Array = EMPTY): Uint8Array {
    this.#mixHash(this.#ephemeral.publicKey);
    this.#mixHash(payload);
    return concatBytes(this.#ephemeral.publicKey, payload);
  }

  /**
   * Reads `-> e`.
   *
   * @returns The payload, which came in the clear and means nothing to libp2p.
   * @throws {RangeError} If the message is too short.
   */
  readA(message: Uint8Array): Uint8Array {
    this.#readEphemeral(message);
    const payload = message.slice(KEY_BYTES);
    this.#mixHash(payload);
    return payload;
  }

  /** `<- e, ee, s, es` */
  writeB(payload: Uint8Array): Uint8Array {
    const { publicKey } = this.#ephemeral;
    this.#mixHash(publicKey);
    this.#mixKey(dh(this.#ephemeral, this.#remoteEphemeral));
    const encryptedStatic = this.#encryptAndHash(this.#static.publicKey);
    this.#mixKey(dh(this.#static, this.#remoteEphemeral));
    return concatBytes(publicKey, encryptedStatic, this.#encryptAndHash(payload));
  }

  /**
   * Reads `<- e, ee, s, es`.
   *
   * @returns The payload.
   * @throws {Error} If the message is too short or was changed.
   */
  readB(message: Uint8Array): Uint8Array {
    this.#readEphemeral(message);
    this.#mixKey(dh(this.#ephemeral, this.#remoteEphemeral));
    this.#readStatic(message.subarray(KEY_BYTES));
    this.#mixKey(dh(this.#ephemeral, this.#remoteStatic));
    return this.#decryptAndHash(message.subarray(KEY_BYTES + ENCRYPTED_KEY_BYTES));
  }

  /** `-> s, se` */
  writeC(payload: Uint8Array): Uint8Array {
    const encryptedStatic = this.#encryptAndHash(this.#static.publicKey);
    this.#mixKey(dh(this.#static, this.#remoteEphemeral));
    return concatBytes(encryptedStatic, this.#encryptAndHash(payload));
  }

  /**
   * Reads `-> s, se`.
   *
   * @returns The payload.
   * @throws {Error} If the message is too short or was changed.
   */
  readC(message: Uint8Array): Uint8Array {
    this.#readStatic(message);
    this.#mixKey(dh(this.#ephemeral, this.#remoteStatic));
    return this.#decryptAndHash(message.subarray(ENCRYPTED_KEY_BYTES));
  }

  /** The keys for what follows the handshake. */
  split(): HandshakeKeys {
    const [first, second] = hkdf(this.#chainingKey, EMPTY);
    return { fromInitiator: new CipherState(first), fromResponder: new CipherState(second) };
  }

  #readEphemeral(message: Uint8Array): void {
    if (message.length < KEY_BYTES) throw new RangeError("A handshake message is too short");
    this.#remoteEphemeral = message.slice(0, KEY_BYTES);
    this.#mixHash(this.#remoteEphemeral);
  }

  #readStatic(bytes: Uint8Array): void {
    if (bytes.length < ENCRYPTED_KEY_BYTES) {
      throw new RangeError("A handshake message is too short");
    }
    this.#remoteStatic = this.#decryptAndHash(bytes.subarray(0, ENCRYPTED_KEY_BYTES));
  }

  #mixHash(bytes: Uint8Array): void {
    this.#hash = createHash("sha256").update(this.#hash).update(bytes).digest();
  }

  #mixKey(input: Uint8Array): void {
    const [chainingKey, key] = hkdf(this.#chainingKey, input);
    this.#chainingKey = chainingKey;
    this.#cipher = new CipherState(key);
  }

  #encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const message = new Uint8Array(plaintext.length + NOISE_TAG_BYTES);
    this.#cipher!.seal(plaintext, message, this.#hash);
    this.#mixHash(message);
    return message;
  }

  #decryptAndHash(message: Uint8Array): Uint8Array {
    const plaintext = this.#cipher!.open(message, this.#hash);
    this.#mixHash(message);
    return plaintext;
  }
}

/**
 * X25519, RFC 7748.
 *
 * @throws {Error} If the result is all zero: the other side sent a point of low order.
 */
function dh(pair: X25519Pair, publicKey: Uint8Array): Uint8Array {
  const shared = diffieHellman({
    privateKey: pair.secret,
    publicKey: createPublicKey({
      key: Buffer.from(concatBytes(SPKI_PREFIX, publicKey)),
      type: "spki",
      format: "der",
    }),
  });
  if (shared.every((byte) => byte === 0)) throw new Error("The other side's key has low order");
  return shared;
}

/** HKDF with two outputs, Noise specification, section 4.3. */
function hkdf(chainingKey: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array] {
  const temporary = createHmac("sha256", chainingKey).update(input).digest();
  const first = createHmac("sha256", temporary).update(Uint8Array.of(1)).digest();
  const second = createHmac("sha256", temporary).update(first).update(Uint8Array.of(2)).digest();
  return [Uint8Array.from(first), Uint8Array.from(second)];
}
