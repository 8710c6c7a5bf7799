/**
 * Names of content. A {@link Hash} is the BLAKE3-256 of the bytes and the address of a blob; a
 * {@link Sha256} is kept beside it because OCI, Blossom and release manifests name content so.
 * Both are 64 lower-case hex digits and differ in type, so that one is never passed for the other.
 */

declare const hashBrand: unique symbol;
declare const sha256Brand: unique symbol;

/** BLAKE3-256 of a blob, 64 lower-case hex digits: the blob's address. */
export type Hash = string & { readonly [hashBrand]: true };

/** SHA-256 of a blob, 64 lower-case hex digits, without the `sha256:` prefix. */
export type Sha256 = string & { readonly [sha256Brand]: true };

/** Size of either digest in bytes. */
export const HASH_BYTES = 32;

const HEX_64 = /^[0-9a-f]{64}$/;

/** Whether `text` is a well-formed {@link Hash}. */
export function isHash(text: unknown): text is Hash {
  return typeof text === "string" && HEX_64.test(text);
}

/** Whether `text` is a well-formed {@link Sha256}. */
export function isSha256(text: unknown): text is Sha256 {
  return typeof text === "string" && HEX_64.test(text);
}

/**
 * Reads a BLAKE3 hash as a user types it.
 *
 * @param text 64 hex digits, upper or lower case, an optional `blake3:` before them.
 * @throws {SyntaxError} If it is anything else.
 */
export function parseHash(text: string): Hash {
  const hex = text.trim().replace(/^blake3:/i, "").toLowerCase();
  if (!isHash(hex)) {
    throw new SyntaxError(
      `Cannot read "${
        clip(text)
      }" as a blob hash: 64 hex digits wanted, ${hex.length} characters found`,
    );
  }
  return hex;
}

/**
 * Reads a SHA-256 digest as a user or a registry writes it.
 *
 * @param text 64 hex digits, an optional `sha256:` before them.
 * @throws {SyntaxError} If it is anything else.
 */
export function parseSha256(text: string): Sha256 {
  const hex = text.trim().replace(/^sha256:/i, "").toLowerCase();
  if (!isSha256(hex)) {
    throw new SyntaxError(
      `Cannot read "${
        clip(text)
      }" as a SHA-256 digest: 64 hex digits wanted, ${hex.length} characters found`,
    );
  }
  return hex;
}

/** The 32 bytes of `hash`. */
export function hashToBytes(hash: Hash | Sha256): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(hash);
}

/**
 * @param bytes Exactly 32.
 * @throws {RangeError} If there are more or fewer.
 */
export function hashFromBytes(bytes: Uint8Array): Hash {
  return hexOf32(bytes) as Hash;
}

/**
 * @param bytes Exactly 32.
 * @throws {RangeError} If there are more or fewer.
 */
export function sha256FromBytes(bytes: Uint8Array): Sha256 {
  return hexOf32(bytes) as Sha256;
}

/** The first eight digits, for people: `3a7f01c2…`. */
export function shortHash(hash: Hash | Sha256): string {
  return `${hash.slice(0, 8)}…`;
}

function hexOf32(bytes: Uint8Array): string {
  if (bytes.length !== HASH_BYTES) {
    throw new RangeError(`Cannot read a digest: 32 bytes wanted, ${bytes.length} found`);
  }
  return bytes.toHex();
}

function clip(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
