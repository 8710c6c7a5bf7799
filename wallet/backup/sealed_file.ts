/**
 * The format of a backup file. All numbers are big-endian.
 *
 *     offset  size  meaning
 *          0     8  "SEEDMNTW"
 *          8     1  version of the format: 1
 *          9     8  fingerprint of the seed
 *         17     8  when it was made, in milliseconds since 1970
 *         25    12  nonce
 *         37     n  AES-256-GCM of the gzipped database, under the wallet's backup key; the 37 bytes
 *                   before are authenticated with it; the last 16 bytes are the tag
 */
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { concatBytes, equalBytes, utf8 } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/ports.ts";
import type { WalletKeys } from "../keys.ts";
import { DATABASE_BYTES_MAX } from "./limits.ts";

/** How every backup begins. */
export const BACKUP_MAGIC: Uint8Array<ArrayBuffer> = utf8("SEEDMNTW");

const VERSION = 1;
const HEADER_BYTES = 37;
const NONCE_OFFSET = 25;
const TAG_BYTES = 16;

/** The keys that a backup needs. */
export type BackupKeys = Pick<WalletKeys, "backupKey" | "fingerprint">;

/** Compresses and encrypts a database. */
export async function seal(
  database: Uint8Array,
  options: { readonly keys: BackupKeys; readonly createdMs: number; readonly random: Random },
): Promise<Uint8Array<ArrayBuffer>> {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  header.set(BACKUP_MAGIC);
  view.setUint8(8, VERSION);
  header.set(Uint8Array.fromHex(options.keys.fingerprint), 9);
  view.setBigUint64(17, BigInt(options.createdMs));
  header.set(options.random.bytes(12), NONCE_OFFSET);
  const packed = new Uint8Array(await promisify(gzip)(database));
  const sealed = await crypto.subtle.encrypt(
    parametersOf(header),
    await keyOf(options.keys, "encrypt"),
    packed,
  );
  return concatBytes(header, new Uint8Array(sealed));
}

/**
 * Decrypts what {@link seal} made; `name` is the file's, for messages.
 *
 * @throws {SeedmintError} `corrupt` if it is no backup or damaged; `storage` if it is newer than this
 * program; `denied` if it belongs to another seed.
 */
export async function unseal(
  file: Uint8Array<ArrayBuffer>,
  options: { readonly keys: BackupKeys; readonly name: string },
): Promise<{ readonly database: Uint8Array<ArrayBuffer>; readonly createdMs: number }> {
  const { keys, name } = options;
  const header = file.subarray(0, HEADER_BYTES);
  if (!equalBytes(header.subarray(0, 8), BACKUP_MAGIC)) {
    throw new SeedmintError(
      "corrupt",
      `Cannot restore ${name}: it is no backup of a Seedmint wallet; give the file that wallet backup wrote`,
    );
  }
  if (header[8] !== VERSION) {
    throw new SeedmintError(
      "storage",
      `Cannot restore ${name}: it has format ${
        header[8] ?? "none"
      }, this program knows ${VERSION}; run a newer Seedmint`,
    );
  }
  if (file.length < HEADER_BYTES + TAG_BYTES) throw damagedError(name);
  const fingerprint = header.slice(9, 17).toHex();
  if (fingerprint !== keys.fingerprint) {
    throw new SeedmintError(
      "denied",
      `Cannot restore ${name}: it was made with the seed ${fingerprint}, and this wallet has the seed ` +
        `${keys.fingerprint}; give the twelve words that it was made with`,
    );
  }
  try {
    const packed = await crypto.subtle.decrypt(
      parametersOf(header),
      await keyOf(keys, "decrypt"),
      file.subarray(HEADER_BYTES),
    );
    const database = await promisify(gunzip)(packed, { maxOutputLength: DATABASE_BYTES_MAX });
    const createdMs = new DataView(file.buffer, file.byteOffset).getBigUint64(17);
    return { database: new Uint8Array(database), createdMs: Number(createdMs) };
  } catch (error) {
    throw damagedError(name, error);
  }
}

function parametersOf(header: Uint8Array<ArrayBuffer>): AesGcmParams {
  return {
    name: "AES-GCM",
    iv: header.subarray(NONCE_OFFSET, NONCE_OFFSET + 12),
    additionalData: header,
    tagLength: TAG_BYTES * 8,
  };
}

function keyOf(keys: BackupKeys, use: "encrypt" | "decrypt"): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", keys.backupKey, "AES-GCM", false, [use]);
}

function damagedError(name: string, cause?: unknown): SeedmintError {
  return new SeedmintError(
    "corrupt",
    `Cannot restore ${name}: it is damaged or cut short; use another backup`,
    { cause },
  );
}
