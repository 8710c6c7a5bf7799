/**
 * The door to `@cashu/cashu-ts`, which is used for its cryptography and codecs only: no other file
 * imports it, and its `Wallet` and `Mint` classes, which send requests by themselves, are not used.
 */
import { getPubKeyFromPrivKey } from "@cashu/cashu-ts";

/** The compressed public key (33 bytes, hex) of a secp256k1 secret of 32 bytes. */
export function publicKeyOf(secretKey: Uint8Array): string {
  return getPubKeyFromPrivKey(secretKey).toHex();
}
