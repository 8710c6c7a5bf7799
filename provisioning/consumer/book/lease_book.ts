/** The lessee's book `lessee.sqlite`: written before money moves. */

/** Options of {@link LeaseBook.open}. */
export interface LeaseBookOptions {
  /** `:memory:` for none on disk. */
  readonly path: string;
  /** Called before each commit; what it throws undoes the transaction. Tests kill with it. */
  readonly beforeCommit?: () => void;
}

/** An open book. Only one process may have it open: take a `ProcessLock` beside it. */
export class LeaseBook implements Disposable {
  /** @throws {SeedmintError} `storage` */
  static open(_options: LeaseBookOptions): LeaseBook {
    throw new Error("not yet");
  }

  [Symbol.dispose](): void {}
}
