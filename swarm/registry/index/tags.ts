/** Where tags point, and when the registry that they belong to last said so. */
import type { Clock } from "../../../src/core/ports.ts";
import type { SqliteConnection } from "../../../src/sqlite/mod.ts";
import type { Digest, RepositoryName } from "../names.ts";
import type { Page, PageRequest } from "../ports.ts";
import { FreshTimes } from "./fresh_times.ts";
import { digestIn, keyOf, repositoryKey } from "./keys.ts";
import { PAGE_MAX } from "./limits.ts";

/** What is known of one tag. */
export interface TagRow {
  readonly tag: string;
  readonly digest: Digest;
  /** What its registry sent along, to ask whether anything changed. */
  readonly etag?: string;
  /** When its registry last said so, in milliseconds since 1970. */
  readonly checkedMs: number;
  /** Since when it points there, in milliseconds since 1970. */
  readonly setMs: number;
}

/** The table of tags. */
export class Tags {
  readonly #database: SqliteConnection;
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #fresh = new FreshTimes();

  constructor(database: SqliteConnection, clock: Pick<Clock, "nowMs">) {
    this.#database = database;
    this.#clock = clock;
  }

  get(name: RepositoryName, tag: string): TagRow | undefined {
    const row = this.#database.get(
      "SELECT * FROM tags WHERE registry = ? AND repository = ? AND tag = ?",
      name.registry,
      name.repository,
      tag,
    );
    if (row === undefined) return undefined;
    return {
      tag,
      digest: digestIn(row, "digest"),
      ...(row.etag === null ? {} : { etag: row.etag as string }),
      checkedMs: this.#fresh.latest(freshKey(name, tag), row.checked_ms as number),
      setMs: row.set_ms as number,
    };
  }

  /**
   * Says where a tag points. That it was checked and still does is written to the disk only now and
   * then; `checkedMs` is now unless it is given.
   */
  set(
    name: RepositoryName,
    tag: string,
    said: { readonly digest: Digest; readonly etag?: string; readonly checkedMs?: number },
  ): void {
    const nowMs = this.#clock.nowMs();
    const checkedMs = said.checkedMs ?? nowMs;
    const known = this.get(name, tag);
    const isSame = known?.digest === said.digest && known.etag === said.etag;
    const key = freshKey(name, tag);
    if (isSame && !this.#fresh.note(key, checkedMs, this.#writtenMs(name, tag))) return;
    this.#fresh.forget(key);
    this.#database.run(
      `INSERT INTO tags (registry, repository, tag, digest, etag, checked_ms, set_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (registry, repository, tag) DO UPDATE SET digest = excluded.digest,
         etag = excluded.etag, checked_ms = excluded.checked_ms, set_ms = excluded.set_ms`,
      name.registry,
      name.repository,
      tag,
      keyOf(said.digest),
      said.etag ?? null,
      checkedMs,
      known?.digest === said.digest ? known.setMs : nowMs,
    );
  }

  /** False if there was none. */
  remove(name: RepositoryName, tag: string): boolean {
    this.#fresh.forget(freshKey(name, tag));
    return this.#database.run(
      "DELETE FROM tags WHERE registry = ? AND repository = ? AND tag = ?",
      name.registry,
      name.repository,
      tag,
    ) > 0;
  }

  /** Tags of a repository that point to `digest`, in order of bytes. */
  of(name: RepositoryName, digest: Digest): readonly string[] {
    return this.#database.all(
      "SELECT tag FROM tags WHERE registry = ? AND repository = ? AND digest = ? ORDER BY tag",
      name.registry,
      name.repository,
      keyOf(digest),
    ).map(({ tag }) => tag as string);
  }

  /** A page of a repository's tags, in order of bytes. */
  page(name: RepositoryName, { count, last }: PageRequest): Page {
    const countMax = Math.max(0, Math.min(count, PAGE_MAX));
    const items = this.#database.all(
      `SELECT tag FROM tags WHERE registry = ? AND repository = ? AND tag > ? ORDER BY tag LIMIT ?`,
      name.registry,
      name.repository,
      last ?? "",
      countMax + 1,
    ).map(({ tag }) => tag as string);
    return { items: items.slice(0, countMax), hasMore: items.length > countMax };
  }

  #writtenMs(name: RepositoryName, tag: string): number {
    const row = this.#database.get(
      "SELECT checked_ms FROM tags WHERE registry = ? AND repository = ? AND tag = ?",
      name.registry,
      name.repository,
      tag,
    );
    return row?.checked_ms as number;
  }
}

function freshKey(name: RepositoryName, tag: string): string {
  return `${repositoryKey(name)}:${tag}`;
}
