/** When a registry last took our credential for a repository. */
import type { SqliteConnection } from "../../../src/sqlite/mod.ts";
import type { RepositoryName } from "../names.ts";
import { FreshTimes } from "./fresh_times.ts";
import { repositoryKey } from "./keys.ts";

/** The table of authorisations. */
export class Authorizations {
  readonly #database: SqliteConnection;
  readonly #fresh = new FreshTimes();

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  /** The registry took our credential for the repository at `atMs` (milliseconds since 1970). */
  note(name: RepositoryName, atMs: number): void {
    const key = repositoryKey(name);
    if (!this.#fresh.note(key, atMs, this.#writtenMs(name))) return;
    this.#database.run(
      `INSERT INTO authorizations (registry, repository, at_ms) VALUES (?, ?, ?)
       ON CONFLICT (registry, repository) DO UPDATE SET at_ms = excluded.at_ms`,
      name.registry,
      name.repository,
      atMs,
    );
  }

  /** When that was, in milliseconds since 1970; undefined if it never was, or not any more. */
  atMs(name: RepositoryName): number | undefined {
    const atMs = this.#fresh.latest(repositoryKey(name), this.#writtenMs(name));
    return atMs === -Infinity ? undefined : atMs;
  }

  /** The registry refused our credential: from now on nothing of it is answered. */
  revoke(name: RepositoryName): void {
    this.#fresh.forget(repositoryKey(name));
    this.#database.run(
      "DELETE FROM authorizations WHERE registry = ? AND repository = ?",
      name.registry,
      name.repository,
    );
  }

  #writtenMs(name: RepositoryName): number {
    const row = this.#database.get(
      "SELECT at_ms FROM authorizations WHERE registry = ? AND repository = ?",
      name.registry,
      name.repository,
    );
    return row === undefined ? -Infinity : row.at_ms as number;
  }
}
