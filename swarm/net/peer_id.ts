/**
 * libp2p peer ids of Ed25519 keys, without libp2p: an identity multihash (code 0x00, 36 bytes) of
 * the key's protobuf, in base58btc. See https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
 *
 * Other key types exist (RSA, secp256k1, ECDSA); Seedmint speaks only to peers with Ed25519 keys,
 * because adverts and fleet certificates are checked against the key that the id itself carries.
 */
import { ed25519PublicKey } from "../../src/core/ed25519.ts";
import { PEER_ID_LENGTH } from "./limits.ts";

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** identity multihash of 36 bytes; protobuf { Type: Ed25519, Data: 32 bytes }. */
const PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);
const PUBLIC_KEY_SIZE = 32;

/** The peer id of a 32-byte Ed25519 secret. */
export async function peerIdOfSecret(secret: Uint8Array): Promise<string> {
  return peerIdOfPublicKey(await ed25519PublicKey(secret));
}

/**
 * The peer id of a 32-byte Ed25519 public key.
 *
 * @throws {RangeError} If the key has another size.
 */
export function peerIdOfPublicKey(publicKey: Uint8Array): string {
  if (publicKey.length !== PUBLIC_KEY_SIZE) {
    throw new RangeError(
      `Cannot build a peer id: a public key of ${PUBLIC_KEY_SIZE} bytes wanted, ${publicKey.length} found`,
    );
  }
  const bytes = new Uint8Array(PREFIX.length + PUBLIC_KEY_SIZE);
  bytes.set(PREFIX);
  bytes.set(publicKey, PREFIX.length);
  return encodeBase58(bytes);
}

/** The Ed25519 public key inside a peer id; undefined for anything else, however malformed. */
export function publicKeyOfPeerId(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (typeof text !== "string" || text.length !== PEER_ID_LENGTH) return undefined;
  const bytes = decodeBase58(text, PREFIX.length + PUBLIC_KEY_SIZE);
  if (bytes === undefined) return undefined;
  for (let index = 0; index < PREFIX.length; index++) {
    if (bytes[index] !== PREFIX[index]) return undefined;
  }
  return bytes.slice(PREFIX.length);
}

/** Whether `text` is the peer id of an Ed25519 key, in its one canonical form. */
export function isPeerId(text: unknown): text is string {
  return typeof text === "string" && publicKeyOfPeerId(text) !== undefined;
}

/** Base58 with Bitcoin's alphabet; each leading zero byte is a `1`. */
function encodeBase58(bytes: Uint8Array): string {
  let zeroCount = 0;
  while (bytes[zeroCount] === 0) zeroCount++;
  let value = 0n;
  for (const byte of bytes) value = value * 256n + BigInt(byte);
  let text = "";
  for (; value > 0n; value /= 58n) text = ALPHABET[Number(value % 58n)] + text;
  return "1".repeat(zeroCount) + text;
}

/** The inverse for exactly `size` bytes, or undefined. The caller bounds the length of `text`. */
function decodeBase58(text: string, size: number): Uint8Array<ArrayBuffer> | undefined {
  let value = 0n;
  for (const digit of text) {
    const index = ALPHABET.indexOf(digit);
    if (index < 0) return undefined;
    value = value * 58n + BigInt(index);
  }
  if (value >> BigInt(8 * size) !== 0n) return undefined;
  const bytes = new Uint8Array(size);
  for (let index = size - 1; value > 0n; index--, value >>= 8n) {
    bytes[index] = Number(value & 0xffn);
  }
  // One key has one name: a text that encodes to something else is not it.
  return encodeBase58(bytes) === text ? bytes : undefined;
}
