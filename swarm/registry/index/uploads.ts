/** Uploads under way, so that a restart loses no byte that was acknowledged. */
import type { Clock } from "../../../src/core/ports.ts";
import type { SqliteConnection, SqlRow } from "../../../src/sqlite/mod.ts";

/** One upload. */
export interface UploadRow {
  readonly id: string;
  readonly repository: string;
  /** Bytes that were acknowledged. */
  readonly offset: number;
  /** When its client was last heard of, in milliseconds since 1970. */
  readonly touchedMs: number;
}

/** The table of uploads. */
export class Uploads {
  readonly #database: SqliteConnection;
  readonly #clock: Pick<Clock, "nowMs">;

  constructor(database: SqliteConnection, clock: Pick<Clock, "nowMs">) {
    this.#database = database;
    this.#clock = clock;
  }

  all(): readonly UploadRow[] {
    return this.#database.all("SELECT * FROM uploads ORDER BY id").map(uploadOf);
  }

  add(id: string, repository: string): void {
    this.#database.run(
      "INSERT INTO uploads (id, repository, offset, touched_ms) VALUES (?, ?, 0, ?)",
      id,
      repository,
      this.#clock.nowMs(),
    );
  }

  /** Bytes up to `offset` are on the disk and acknowledged. */
  acknowledge(id: string, offset: number): void {
    this.#database.run(
      "UPDATE uploads SET offset = ?, touched_ms = ? WHERE id = ?",
      offset,
      this.#clock.nowMs(),
      id,
    );
  }

  remove(id: string): boolean {
    return this.#database.run("DELETE FROM uploads WHERE id = ?", id) > 0;
  }
}

function uploadOf(row: SqlRow): UploadRow {
  return {
    id: row.id as string,
    repository: row.repository as string,
    offset: row.offset as number,
    touchedMs: row.touched_ms as number,
  };
}
