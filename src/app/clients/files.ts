/** The files of clients below a root, read as text and changed in one go. */
import { dirname, join } from "node:path";
import { SeedmintError } from "../../core/errors.ts";
import { storageError } from "../api/parts.ts";
import { FILE_BYTES_MAX, FILES_MAX } from "./limits.ts";

/** Reading; paths are absolute as the client knows them. */
export interface ClientFiles {
  /** Undefined if there is none. @throws {SeedmintError} `storage` if it cannot be read. */
  read(path: string): Promise<string | undefined>;
  /** Names in a directory, in order; empty if there is none. */
  list(path: string): Promise<readonly string[]>;
}

/** What one file is to become. */
export interface FileChange {
  readonly path: string;
  /** Absent: there is none. */
  readonly before?: string;
  /** Absent: it goes. */
  readonly after?: string;
  /** Its directory was made for it alone, and goes with it when nothing else is inside. */
  readonly ownsDirectory?: true;
}

/** What was done to a file. */
export interface AppliedChange {
  readonly path: string;
  readonly action: "created" | "changed" | "removed";
  /** Where what it was before is kept. */
  readonly backup?: string;
}

/** Files of this machine; `root` stands in for `/`. */
export class HostFiles implements ClientFiles {
  readonly #root: string;

  constructor(root = "/") {
    this.#root = root;
  }

  /** Where a path of a client really is. */
  place(path: string): string {
    return join(this.#root, path);
  }

  async read(path: string): Promise<string | undefined> {
    const place = this.place(path);
    try {
      const { size, isFile } = await Deno.stat(place);
      if (!isFile || size > FILE_BYTES_MAX) {
        throw new SeedmintError("storage", `Cannot read ${place}: a file of at most 1 MiB wanted`);
      }
      return await Deno.readTextFile(place);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw storageError(error, `Cannot read ${place}`);
    }
  }

  async list(path: string): Promise<readonly string[]> {
    const names: string[] = [];
    try {
      for await (const { name } of Deno.readDir(this.place(path))) {
        names.push(name);
        if (names.length >= FILES_MAX) break;
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw storageError(error, `Cannot list ${this.place(path)}`);
    }
    return names.sort();
  }

  /**
   * Makes the changes. The first change of a file keeps what it was beside it; taking ours out again
   * takes that copy away when nothing of it is lost.
   *
   * @param options `isRemoval`: ours is taken out, so that what is there now is not worth a copy.
   * @throws {SeedmintError} `storage`
   */
  async apply(
    changes: readonly FileChange[],
    options: { readonly isRemoval: boolean },
  ): Promise<readonly AppliedChange[]> {
    const applied: AppliedChange[] = [];
    for (const change of changes) {
      try {
        applied.push(await this.#apply(change, options.isRemoval));
      } catch (error) {
        const what = `Cannot change ${this.place(change.path)}`;
        if (!(error instanceof Deno.errors.PermissionDenied)) throw storageError(error, what);
        const message = `${what}: only its owner may; run setup as root, or with --user`;
        throw new SeedmintError("storage", message, { cause: error });
      }
    }
    return applied;
  }

  async #apply(
    { path, before, after, ownsDirectory }: FileChange,
    isRemoval: boolean,
  ): Promise<AppliedChange> {
    // A link stays a link: what it leads to is changed.
    const place = before === undefined ? this.place(path) : await Deno.realPath(this.place(path));
    const backup = backupOf(this.place(path));
    const kept = await readIfThere(backup);
    const isKept = !isRemoval && kept === undefined;
    if (isKept && before !== undefined && hasForeignText(before)) {
      await writeBeside(backup, before, place);
    }
    if (after === undefined) {
      await Deno.remove(place);
      if (ownsDirectory) await removeEmpty(dirname(place));
    } else {
      await Deno.mkdir(dirname(place), { recursive: true, mode: 0o755 });
      await writeBeside(place, after, before === undefined ? undefined : place);
    }
    const isRestored = kept !== undefined && kept.trimEnd() === (after ?? "").trimEnd();
    if (isRestored) await Deno.remove(backup);
    return {
      path: place,
      action: after === undefined ? "removed" : before === undefined ? "created" : "changed",
      ...(await readIfThere(backup) === undefined ? {} : { backup }),
    };
  }
}

/** Where what a file was before is kept: no client reads files of this name. */
export function backupOf(path: string): string {
  return `${path}.seedmint-backup`;
}

/** What a file that we alone wrote says in its first line. */
export const OWN_FILE_MARK = "# BEGIN seedmint";

/** Whether there is anything in a file that is worth a copy. */
function hasForeignText(text: string): boolean {
  return !text.startsWith(OWN_FILE_MARK);
}

/** Writes a file by way of another beside it, so that no client ever reads half of it. */
async function writeBeside(path: string, text: string, like: string | undefined): Promise<void> {
  const draft = `${path}.seedmint-new`;
  const mode = like === undefined ? 0o644 : ((await Deno.stat(like)).mode ?? 0o644) & 0o777;
  await Deno.writeTextFile(draft, text, { mode });
  await Deno.chmod(draft, mode);
  await Deno.rename(draft, path);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function removeEmpty(directory: string): Promise<void> {
  try {
    await Deno.remove(directory);
  } catch {
    // Something else is inside: it stays.
  }
}
