/** One process at a time: a lock on a file that the system releases when its holder dies. */
import { SeedmintError } from "../../src/core/errors.ts";

/** Holds the lock until it is disposed of. */
export class StoreLock implements Disposable {
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /**
   * Takes the lock of `directory` at `path`.
   *
   * @throws {SeedmintError} `locked` if another process, or another store in this one, holds it.
   */
  static take(path: string, directory: string): StoreLock {
    const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
    let isTaken = false;
    try {
      isTaken = file.tryLockSync(true);
      if (!isTaken) throw lockedError(directory, holderIn(path));
      file.truncateSync(0);
      file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
      return new StoreLock(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function holderIn(path: string): string {
  const pid = Deno.readTextFileSync(path).trim();
  if (!/^\d{1,10}$/.test(pid)) return "another process";
  return pid === String(Deno.pid) ? `this process (${pid})` : `process ${pid}`;
}

function lockedError(directory: string, holder: string): SeedmintError {
  return new SeedmintError(
    "locked",
    `Cannot open the store in ${directory}: ${holder} is using it; stop that one, let it do the work, or choose another data directory`,
    { retryable: true },
  );
}
