/** The key of a fleet in a file: whoever has it admits peers, so nobody else may read it. */
import { ed25519PublicKey } from "../core/ed25519.ts";
import { messageOf, SeedmintError } from "../core/errors.ts";
import type { Random } from "../core/ports.ts";

const KEY_BYTES = 32;
const FILE_BYTES_MAX = 1024;
const GROUP_AND_OTHERS = 0o077;

/**
 * Makes a new key and writes it to `path` with mode 0600.
 *
 * @returns The public key, as `--fleet-key` takes it.
 * @throws {SeedmintError} `usage` if the file exists; `storage` if it cannot be written.
 */
export async function createFleetKey(path: string, random: Random): Promise<string> {
  const secret = random.bytes(KEY_BYTES);
  try {
    using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    await file.write(new TextEncoder().encode(`${secret.toHex()}\n`));
    await file.sync();
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new SeedmintError(
        "usage",
        `Cannot write a fleet key to ${path}: the file exists, and a key that is lost is lost for good; name another with --key`,
      );
    }
    throw storage(`Cannot write a fleet key to ${path}`, error);
  }
  return (await ed25519PublicKey(secret)).toHex();
}

/**
 * Reads the secret from `path`.
 *
 * @throws {SeedmintError} `storage` if it cannot be read or others may read it; `usage` if it is none.
 */
export async function readFleetKey(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const what = `Cannot use the fleet key in ${path}`;
  let text = "";
  let mode: number;
  try {
    const status = await Deno.stat(path);
    mode = status.mode ?? 0;
    if (status.isFile && status.size <= FILE_BYTES_MAX) text = await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw storage(what, error);
    throw new SeedmintError(
      "storage",
      `${what}: there is no such file; fleet init makes one, --key FILE names another`,
    );
  }
  if ((mode & GROUP_AND_OTHERS) !== 0) {
    throw new SeedmintError("storage", `${what}: others may read it; run: chmod 600 ${path}`);
  }
  if (/^[0-9a-f]{64}\s*$/.test(text)) return Uint8Array.fromHex(text.trim());
  throw new SeedmintError("usage", `${what}: it is not what fleet init writes, 64 hex digits`);
}

function storage(what: string, error: unknown): SeedmintError {
  return new SeedmintError("storage", `${what}: ${messageOf(error)}`, { cause: error });
}
