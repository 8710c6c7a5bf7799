/**
 * Files of a ceremony: a master seed that nobody else may read, and documents that are replaced as a
 * whole. Nothing here ever puts a secret into a message.
 */
import { dirname } from "node:path";
import { messageOf, SeedmintError } from "../core/errors.ts";
import type { Random } from "../core/ports.ts";
import { formatRootSeed, newRootSeed, parseRootSeed } from "../../trust/root/mod.ts";
import { createSecretFile, readSecretFile, type SecretWords } from "./secret_file.ts";

const SEED_WORDS: SecretWords = {
  name: "the master seed",
  whenMissing: "root pubkey --new makes one, --seed FILE names another",
  whenThere: "a seed that is lost is lost for good; name another with --seed",
};

/**
 * Makes a new master seed and writes it to `path` with mode 0600.
 *
 * @throws {SeedmintError} `usage` if the file exists; `storage` if it cannot be written.
 */
export async function createRootSeed(
  path: string,
  random: Random,
): Promise<Uint8Array<ArrayBuffer>> {
  const seed = newRootSeed(random);
  await createSecretFile(path, `${formatRootSeed(seed)}\n`, SEED_WORDS);
  return seed;
}

/**
 * Reads the master seed in `path`.
 *
 * @throws {SeedmintError} `storage` if it cannot be read or others may read it; `usage` if it is none.
 */
export async function readRootSeed(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const text = await readSecretFile(path, SEED_WORDS);
  try {
    return parseRootSeed(text);
  } catch (error) {
    throw new SeedmintError("usage", `Cannot use the master seed in ${path}: ${messageOf(error)}`);
  }
}

/** Whether there is a file at `path`. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw storage(`Cannot look at ${path}`, error);
  }
}

/**
 * Reads a text of a ceremony.
 *
 * @throws {SeedmintError} `usage` if it is too large or not there.
 */
export async function readDocument(
  path: string,
  options: { readonly bytesMax: number; readonly what: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const lead = `Cannot read ${options.what} in ${path}`;
  try {
    const { size } = await Deno.stat(path);
    if (size <= options.bytesMax) return await Deno.readFile(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(error);
    throw new SeedmintError("usage", `${lead}: ${why}`, { cause: error });
  }
  throw new SeedmintError("usage", `${lead}: it has more than ${options.bytesMax} bytes`);
}

/**
 * Writes a text as a whole: who reads it sees the old or the new one, never a part.
 *
 * @throws {SeedmintError} `usage` if it exists and `isNew`; `storage`.
 */
export async function writeDocument(
  path: string,
  bytes: string | Uint8Array,
  options: { readonly isNew?: boolean } = {},
): Promise<void> {
  const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  const temporary = `${path}.${crypto.randomUUID()}.new`;
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    {
      using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o644 });
      for (let offset = 0; offset < data.length;) {
        offset += await file.write(data.subarray(offset));
      }
      await file.sync();
    }
    // A link, unlike a rename, never replaces what somebody else made meanwhile.
    if (options.isNew === true) await Deno.link(temporary, path);
    else await Deno.rename(temporary, path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new SeedmintError("usage", `Cannot write ${path}: it exists; name another with -o`);
    }
    throw storage(`Cannot write ${path}`, error);
  } finally {
    await Deno.remove(temporary).catch(() => {});
  }
}

function storage(what: string, error: unknown): SeedmintError {
  return new SeedmintError("storage", `${what}: ${messageOf(error)}`, { cause: error });
}
