/** A secret in a file that nobody else may read. Nothing here ever puts a secret into a message. */
import { messageOf, SeedmintError } from "../core/errors.ts";

const FILE_BYTES_MAX = 1024;
const GROUP_AND_OTHERS = 0o077;

/** What messages say of a secret. */
export interface SecretWords {
  /** As in "Cannot use the fleet key in FILE". */
  readonly name: string;
  /** What to do when its file is not there, or is there already. */
  readonly whenMissing: string;
  readonly whenThere: string;
}

/**
 * Writes `text` to a new file with mode 0600.
 *
 * @throws {SeedmintError} `usage` if the file exists; `storage` if it cannot be written.
 */
export async function createSecretFile(
  path: string,
  text: string,
  { name, whenThere }: SecretWords,
): Promise<void> {
  const what = `Cannot write ${name} to ${path}`;
  try {
    using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    await file.write(new TextEncoder().encode(text));
    await file.sync();
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new SeedmintError("usage", `${what}: the file exists, and ${whenThere}`);
    }
    throw storage(what, error);
  }
}

/**
 * Reads the text of a secret; one that is too long reads as empty.
 *
 * @throws {SeedmintError} `storage` if it is not there, cannot be read, or others may read it.
 */
export async function readSecretFile(
  path: string,
  { name, whenMissing }: SecretWords,
): Promise<string> {
  const what = `Cannot use ${name} in ${path}`;
  let text = "";
  let mode: number;
  try {
    const status = await Deno.stat(path);
    mode = status.mode ?? 0;
    if (status.isFile && status.size <= FILE_BYTES_MAX) text = await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw storage(what, error);
    throw new SeedmintError("storage", `${what}: there is no such file; ${whenMissing}`);
  }
  if ((mode & GROUP_AND_OTHERS) !== 0) {
    throw new SeedmintError("storage", `${what}: others may read it; run: chmod 600 ${path}`);
  }
  return text;
}

function storage(what: string, error: unknown): SeedmintError {
  return new SeedmintError("storage", `${what}: ${messageOf(error)}`, { cause: error });
}
