/** The key of a fleet in a file: whoever has it admits peers, so nobody else may read it. */
import { ed25519PublicKey } from "../core/ed25519.ts";
import { SeedmintError } from "../core/errors.ts";
import type { Random } from "../core/ports.ts";
import { createSecretFile, readSecretFile, type SecretWords } from "./secret_file.ts";

const KEY_BYTES = 32;

const WORDS: SecretWords = {
  name: "the fleet key",
  whenMissing: "fleet init makes one, --key FILE names another",
  whenThere: "a key that is lost is lost for good; name another with --key",
};

/**
 * Makes a new key and writes it to `path` with mode 0600.
 *
 * @returns The public key, as `--fleet-key` takes it.
 * @throws {SeedmintError} `usage` if the file exists; `storage` if it cannot be written.
 */
export async function createFleetKey(path: string, random: Random): Promise<string> {
  const secret = random.bytes(KEY_BYTES);
  await createSecretFile(path, `${secret.toHex()}\n`, WORDS);
  return (await ed25519PublicKey(secret)).toHex();
}

/**
 * Reads the secret from `path`.
 *
 * @throws {SeedmintError} `storage` if it cannot be read or others may read it; `usage` if it is none.
 */
export async function readFleetKey(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const text = await readSecretFile(path, WORDS);
  if (/^[0-9a-f]{64}\s*$/.test(text)) return Uint8Array.fromHex(text.trim());
  throw new SeedmintError(
    "usage",
    `Cannot use the fleet key in ${path}: it is not what fleet init writes, 64 hex digits`,
  );
}
