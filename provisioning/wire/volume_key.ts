/** The key of an encrypted volume, which its owner can always derive again. */
import { createHash } from "node:crypto";
import { concatBytes, utf8 } from "../../src/core/bytes.ts";
import type { VolumeEncryption } from "./request.ts";

/** The only cipher there is. */
export const VOLUME_ALGORITHM = "luks2-aes-xts";

/** The 32-byte key of a workload's volume. Secret. */
export function volumeKeyOf(
  options: {
    /** The owner's Nostr secret, 32 bytes. */
    readonly secretKey: Uint8Array;
    readonly workloadId: string;
  },
): Uint8Array<ArrayBuffer> {
  const gap = Uint8Array.of(0);
  const { secretKey, workloadId } = options;
  const message = concatBytes(
    utf8("paygress-volume-v1"),
    gap,
    secretKey,
    gap,
    utf8(workloadId),
  );
  return Uint8Array.from(createHash("sha256").update(message).digest());
}

/** As it stands in a request. */
export function volumeEncryptionOf(key: Uint8Array): VolumeEncryption {
  const keyB64 = key.toBase64({ alphabet: "base64url", omitPadding: true });
  return { version: 1, algorithm: VOLUME_ALGORITHM, keyB64 };
}

/** The key that a request carries, or undefined if version, cipher or key is another than that. */
export function readVolumeKey(encryption: VolumeEncryption): Uint8Array | undefined {
  if (encryption.version !== 1 || encryption.algorithm !== VOLUME_ALGORITHM) return undefined;
  if (!/^[A-Za-z0-9_-]{43}$/.test(encryption.keyB64)) return undefined;
  try {
    return Uint8Array.fromBase64(encryption.keyB64, { alphabet: "base64url" });
  } catch {
    return undefined;
  }
}
