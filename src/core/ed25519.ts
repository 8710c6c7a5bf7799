/** Ed25519 (RFC 8032) signatures: what a libp2p key, a fleet key and a release root sign with. */
import { getPublicKeyAsync, signAsync, verifyAsync } from "@noble/ed25519";

/** The 32-byte public key of a 32-byte secret. */
export async function ed25519PublicKey(secret: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return Uint8Array.from(await getPublicKeyAsync(secret));
}

/** The 64-byte signature of `message` under a 32-byte secret. */
export async function ed25519Sign(
  message: Uint8Array,
  secret: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  return Uint8Array.from(await signAsync(message, secret));
}

/** Whether `signature` is valid; false, never an error, for anything malformed. */
export async function ed25519Verify(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): Promise<boolean> {
  try {
    return await verifyAsync(signature, message, publicKey);
  } catch {
    return false;
  }
}
