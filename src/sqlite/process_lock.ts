/** One process at a time: a lock on a file that the system releases when its holder dies. */
import { SeedmintError } from "../core/errors.ts";

/** Holds the lock until it is disposed of. */
export class ProcessLock implements Disposable {
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /**
   * Takes the lock at `path`; `what` names what it guards, as in `the store in /var/lib/seedmint`.
   *
   * @throws {SeedmintError} `locked` if another process, or another part of this one, holds it.
   */
  static take(path: string, what: string): ProcessLock {
    const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
    let isTaken = false;
    try {
      isTaken = file.tryLockSync(true);
      if (!isTaken) throw lockedError(what, holderIn(path));
      file.truncateSync(0);
      file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
      return new ProcessLock(file);
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

function lockedError(what: string, holder: string): SeedmintError {
  return new SeedmintError(
    "locked",
    `Cannot open ${what}: ${holder} is using it; stop that one, let it do the work, or choose another data directory`,
    { retryable: true },
  );
}
