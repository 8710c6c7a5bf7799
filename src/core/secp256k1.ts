/** secp256k1: the signatures of Nostr keys (BIP-340) and of Lightning invoices (ECDSA). */
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import type { Bytes } from "./bytes.ts";

/** BIP-340 allows any auxiliary bytes; the nonce depends on key and message all the same. */
const NO_AUXILIARY = new Uint8Array(32);

/**
 * The x-only public key of a secret, 32 bytes each.
 *
 * @throws {Error} If the secret is not a valid key.
 */
export function schnorrPublicKey(secret: Uint8Array): Bytes {
  return Uint8Array.from(schnorr.getPublicKey(secret));
}

/**
 * The 64-byte BIP-340 signature of a digest. The same digest and secret give the same signature.
 *
 * @throws {Error} If the secret is not a valid key.
 */
export function schnorrSign(digest: Uint8Array, secret: Uint8Array): Bytes {
  return Uint8Array.from(schnorr.sign(digest, secret, NO_AUXILIARY));
}

/** Whether a BIP-340 signature is valid; false, never an error, for anything malformed. */
export function schnorrVerify(
  signature: Uint8Array,
  digest: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  try {
    return schnorr.verify(signature, digest, publicKey);
  } catch {
    return false;
  }
}

/** The 65-byte ECDSA signature of a digest: the recovery id, then 64 bytes. */
export function ecdsaSignRecoverable(digest: Uint8Array, secret: Uint8Array): Bytes {
  return Uint8Array.from(
    secp256k1.sign(digest, secret, { prehash: false, format: "recovered" }),
  );
}

/**
 * The compressed public key that made a signature of {@link ecdsaSignRecoverable}, 33 bytes.
 *
 * @throws {Error} If there is none.
 */
export function ecdsaRecover(signature: Uint8Array, digest: Uint8Array): Bytes {
  return Uint8Array.from(secp256k1.recoverPublicKey(signature, digest, { prehash: false }));
}

/**
 * Whether a 64-byte ECDSA signature is valid, its `s` high or low; false, never an error, for anything
 * malformed.
 */
export function ecdsaVerify(
  signature: Uint8Array,
  digest: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  try {
    return secp256k1.verify(signature, digest, publicKey, { prehash: false, lowS: false });
  } catch {
    return false;
  }
}
