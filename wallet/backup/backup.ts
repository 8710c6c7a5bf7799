/** Writing a backup of an open wallet, and taking one over. */
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { equalBytes } from "../../src/core/bytes.ts";
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import { COPY_PREFIX, type ImportReport, type SqliteWalletStore } from "../store/mod.ts";
import { BACKUP_BYTES_MAX } from "./limits.ts";
import { BACKUP_MAGIC, type BackupKeys, seal, unseal } from "./sealed_file.ts";

/** Options of {@link writeBackup}. */
export interface WriteBackupOptions {
  readonly store: SqliteWalletStore;
  /** The file to write; an older backup there is replaced, anything else is not. */
  readonly path: string;
  readonly keys: BackupKeys;
  readonly clock: Clock;
  readonly random: Random;
}

/** Options of {@link restoreBackup}. */
export interface RestoreBackupOptions {
  readonly store: SqliteWalletStore;
  readonly path: string;
  readonly keys: BackupKeys;
  readonly random: Random;
  /** Gives up the operations and proofs that `store` has. @default {false} */
  readonly replace?: boolean;
}

/**
 * Writes everything that `store` holds into one encrypted file with mode 0600. The file is there whole
 * or not at all, whatever happens.
 *
 * @throws {SeedmintError} `denied` if `path` holds something that is no backup; `storage`, `no-space`
 */
export async function writeBackup(
  options: WriteBackupOptions,
): Promise<{ readonly path: string; readonly bytes: number }> {
  const { path, store, clock, random } = options;
  await assertReplaceable(path);
  const suffix = random.bytes(8).toHex();
  const database = await withPrivateFile(privatePath(store, suffix), async (copyPath) => {
    store.copyTo(copyPath);
    return await Deno.readFile(copyPath);
  });
  const sealed = await seal(database, {
    keys: options.keys,
    createdMs: clock.nowMs(),
    random,
  });
  const temporary = join(dirname(path), `.${basename(path).slice(0, 200)}.${suffix}`);
  try {
    await writeDurably(temporary, sealed);
    await Deno.rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw fileError(`write the backup ${path}`, error);
  }
  return { path, bytes: sealed.length };
}

/**
 * Takes over a backup into `store`, which must be empty unless `replace` is set. Afterwards every open
 * operation goes on by itself, and proofs are spent only after their mint was asked
 * (`store.proofs({needsRecheck: true})`, then `markChecked` or `moveProofs(…, "spent")`).
 *
 * @throws {SeedmintError} `not-found`, `corrupt`, `denied` (another seed, or something would be lost) or
 * `storage` (made by a newer program); then nothing has changed.
 */
export async function restoreBackup(
  options: RestoreBackupOptions,
): Promise<ImportReport & { readonly createdMs: number }> {
  const { path, store, random } = options;
  const { database, createdMs } = await unseal(await readBackup(path), {
    keys: options.keys,
    name: path,
  });
  const copyAt = privatePath(store, random.bytes(8).toHex());
  return await withPrivateFile(copyAt, async (copyPath) => {
    await writeDurably(copyPath, database);
    return { ...store.importFrom(copyPath, { replace: options.replace ?? false }), createdMs };
  });
}

/** Where the plain copy lies for a moment: beside the database, which holds the same. */
function privatePath(store: SqliteWalletStore, suffix: string): string {
  const folder = store.path === ":memory:" ? tmpdir() : dirname(store.path);
  return join(folder, `${COPY_PREFIX}${suffix}`);
}

async function withPrivateFile<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  try {
    return await use(path);
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) {
      await Deno.remove(`${path}${suffix}`).catch(() => {});
    }
  }
}

async function readBackup(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { size } = await Deno.stat(path);
    if (size > BACKUP_BYTES_MAX) {
      throw new SeedmintError(
        "corrupt",
        `Cannot restore ${path}: it has ${size} bytes, and a backup has at most ${BACKUP_BYTES_MAX}`,
      );
    }
    return await Deno.readFile(path);
  } catch (error) {
    throw fileError(`read the backup ${path}`, error);
  }
}

/** A slip of the hand must not overwrite something else. */
async function assertReplaceable(path: string): Promise<void> {
  try {
    using file = await Deno.open(path, { read: true });
    const start = new Uint8Array(BACKUP_MAGIC.length);
    const count = await file.read(start) ?? 0;
    if (count === start.length && equalBytes(start, BACKUP_MAGIC)) return;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw fileError(`write the backup ${path}`, error);
  }
  throw new SeedmintError(
    "denied",
    `Cannot write the backup ${path}: there is a file that is no backup; choose another name`,
  );
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.writeFile(path, bytes, { createNew: true, mode: 0o600 });
  using file = await Deno.open(path, { write: true });
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path, { read: true });
  await folder.sync().catch(() => {
    // Some file systems cannot sync a folder; the rename is then as durable as they make it.
  });
}

function fileError(action: string, error: unknown): Error {
  if (error instanceof SeedmintError) return error;
  if (error instanceof Deno.errors.NotFound) {
    return new SeedmintError("not-found", `Cannot ${action}: there is no such file or folder`, {
      cause: error,
    });
  }
  const isFull = /ENOSPC|os error 28/.test(messageOf(error));
  return new SeedmintError(
    isFull ? "no-space" : "storage",
    `Cannot ${action}: ${messageOf(error)}; check the folder, or choose another`,
    { cause: error },
  );
}
