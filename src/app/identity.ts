/**
 * Who this node is: a data directory that is ours alone, a seed of twelve words in it, and the keys
 * derived from them. Nothing here ever puts a word or a key into a message.
 */
import { join } from "node:path";
import { deriveKey, newSeedWords, parseSeedWords } from "../core/keys.ts";
import { messageOf, SeedmintError } from "../core/errors.ts";
import { peerIdOfSecret } from "../../swarm/net/peer_id.ts";

/** The keys of a node and the names that follow from them. */
export interface Identity {
  /** Secret of the libp2p key (Ed25519), 32 bytes. */
  readonly networkSecret: Uint8Array<ArrayBuffer>;
  /** Secret of the Nostr key (secp256k1), 32 bytes. */
  readonly nostrSecret: Uint8Array<ArrayBuffer>;
  readonly peerId: string;
}

const GROUP_AND_OTHERS = 0o077;
const SEED_FILE_BYTES_MAX = 1024;

/**
 * Creates the data directory with mode 0700, or checks that nobody else can look into it.
 *
 * @throws {SeedmintError} `storage` with the command that mends it.
 */
export async function openDataDirectory(directory: string): Promise<void> {
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    const status = await Deno.stat(directory);
    if (((status.mode ?? 0) & GROUP_AND_OTHERS) === 0) return;
    // One that was just made by hand and holds nothing yet may be closed without asking.
    if (await isEmpty(directory)) return await Deno.chmod(directory, 0o700);
    throw new SeedmintError(
      "storage",
      `Cannot use the data directory ${directory}: others may enter it (mode ${
        octal(status.mode)
      }); run: chmod 700 ${directory}`,
    );
  } catch (error) {
    throw asStorageError(error, `Cannot use the data directory ${directory}`);
  }
}

/**
 * Reads the seed, or makes one when there is none, and derives the keys.
 *
 * @param options `directory` is the data directory; `words` are used instead of its file.
 * @throws {SeedmintError} `storage` or `usage` if the seed cannot be used.
 */
export async function openIdentity(
  options: { readonly directory: string; readonly words?: string | undefined },
): Promise<Identity> {
  const words = await seedWords(options);
  const networkSecret = deriveKey(words, "seedmint/libp2p/ed25519/v1");
  return {
    networkSecret,
    nostrSecret: deriveKey(words, "seedmint/nostr/secp256k1/v1"),
    peerId: await peerIdOfSecret(networkSecret),
  };
}

/**
 * The twelve words themselves, for the wallet and for whoever writes them on paper. Made when there
 * are none.
 *
 * @throws {SeedmintError} As {@link openIdentity}.
 */
export async function seedWords(
  options: { readonly directory: string; readonly words?: string | undefined },
): Promise<string> {
  if (options.words !== undefined) return parseWords(options.words, "SEEDMINT_SEED");
  return await readOrCreateSeed(join(options.directory, "seed"));
}

/**
 * Makes `text` the seed of a data directory that has none yet; the same words again are no mistake.
 *
 * @throws {SeedmintError} `usage` if they are no seed, `denied` if the directory has another.
 */
export async function adoptSeed(directory: string, text: string): Promise<void> {
  const words = parseWords(text, "stdin");
  const path = join(directory, "seed");
  try {
    const known = await readSeed(path) ?? await createSeed(path, words);
    if (known === words) return;
  } catch (error) {
    throw asStorageError(error, `Cannot write the seed at ${path}`);
  }
  throw new SeedmintError(
    "denied",
    `Cannot use these words: ${path} holds others; choose an empty data directory with --data`,
  );
}

async function readOrCreateSeed(path: string): Promise<string> {
  try {
    return await readSeed(path) ?? await createSeed(path);
  } catch (error) {
    throw asStorageError(error, `Cannot read the seed at ${path}`);
  }
}

async function readSeed(path: string): Promise<string | undefined> {
  let status: Deno.FileInfo;
  try {
    status = await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  if (((status.mode ?? 0) & GROUP_AND_OTHERS) !== 0) {
    throw new SeedmintError(
      "storage",
      `Cannot use the seed at ${path}: others may read it (mode ${
        octal(status.mode)
      }); run: chmod 600 ${path}, and take a new seed if a stranger may have seen it`,
    );
  }
  const isTooLarge = !status.isFile || status.size > SEED_FILE_BYTES_MAX;
  return parseWords(isTooLarge ? "" : await Deno.readTextFile(path), path);
}

/** Writes a new seed under another name first, so that a crash never leaves half of one. */
async function createSeed(path: string, words = newSeedWords()): Promise<string> {
  const temporary = `${path}.${crypto.randomUUID()}.new`;
  using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
  await file.write(new TextEncoder().encode(`${words}\n`));
  await file.sync();
  try {
    // A link, unlike a rename, never replaces the seed of a process that was faster.
    await Deno.link(temporary, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return (await readSeed(path))!;
  } finally {
    await Deno.remove(temporary);
  }
  return words;
}

function parseWords(text: string, source: string): string {
  try {
    return parseSeedWords(text);
  } catch (error) {
    throw new SeedmintError("usage", `Cannot use the seed of ${source}: ${messageOf(error)}`);
  }
}

async function isEmpty(directory: string): Promise<boolean> {
  for await (const _ of Deno.readDir(directory)) return false;
  return true;
}

function asStorageError(error: unknown, what: string): unknown {
  if (error instanceof SeedmintError) return error;
  return new SeedmintError("storage", `${what}: ${messageOf(error)}`, { cause: error });
}

function octal(mode: number | null): string {
  return ((mode ?? 0) & 0o777).toString(8).padStart(4, "0");
}
