/** What belongs to which repository, and what refers to what in it. */
import type { Clock } from "../../../src/core/ports.ts";
import type { SqliteConnection } from "../../../src/sqlite/mod.ts";
import { type ParsedManifest, referrerOf } from "../manifest/mod.ts";
import type { Digest, RepositoryName } from "../names.ts";
import type { Descriptor, Page, PageRequest } from "../ports.ts";
import { digestIn, keyOf } from "./keys.ts";
import { PAGE_MAX, REFERRERS_MAX } from "./limits.ts";

/** What a member is asked for as. */
export type MemberKind = "manifest" | "blob";

/** The table of members. */
export class Members {
  readonly #database: SqliteConnection;
  readonly #clock: Pick<Clock, "nowMs">;

  constructor(database: SqliteConnection, clock: Pick<Clock, "nowMs">) {
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * Says that a repository has `digest`. `isPrivate`: it was had with a credential; what was once had
   * without one stays open. @default {false}
   */
  add(
    name: RepositoryName,
    digest: Digest,
    options: { readonly kind: MemberKind; readonly isPrivate?: boolean },
  ): void {
    const { kind, isPrivate = false } = options;
    const { registry, repository } = name;
    const known = this.#database.get(
      `SELECT is_private FROM members
       WHERE registry = ? AND repository = ? AND kind = ? AND digest = ?`,
      registry,
      repository,
      kind,
      keyOf(digest),
    );
    if (known !== undefined && (known.is_private === 0 || isPrivate)) return;
    this.#database.run(
      `INSERT INTO members (registry, repository, kind, digest, is_private, added_ms)
       VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (registry, repository, kind, digest)
       DO UPDATE SET is_private = min(is_private, excluded.is_private)`,
      registry,
      repository,
      kind,
      keyOf(digest),
      isPrivate ? 1 : 0,
      this.#clock.nowMs(),
    );
  }

  /** Whether the repository has it, as `kind` or as anything. */
  has(name: RepositoryName, digest: Digest, kind?: MemberKind): boolean {
    const kinds = kind === undefined ? "" : ` AND kind = '${kind}'`;
    return this.#database.get(
      `SELECT 1 FROM members WHERE registry = ? AND repository = ? AND digest = ?${kinds}`,
      name.registry,
      name.repository,
      keyOf(digest),
    ) !== undefined;
  }

  /** Whether the repository has it for everyone, not just for those who may log in. */
  isOpen(name: RepositoryName, digest: Digest): boolean {
    return this.#database.get(
      `SELECT 1 FROM members
       WHERE registry = ? AND repository = ? AND digest = ? AND is_private = 0`,
      name.registry,
      name.repository,
      keyOf(digest),
    ) !== undefined;
  }

  /** False if the repository had it not. */
  remove(name: RepositoryName, digest: Digest, kind: MemberKind): boolean {
    return this.#database.run(
      "DELETE FROM members WHERE registry = ? AND repository = ? AND kind = ? AND digest = ?",
      name.registry,
      name.repository,
      kind,
      keyOf(digest),
    ) > 0;
  }

  /** Whether a digest was only ever had with a credential. One that nobody knows is not. */
  isPrivate(digest: Digest): boolean {
    const row = this.#database.get(
      "SELECT min(is_private) AS least FROM members WHERE digest = ?",
      keyOf(digest),
    );
    return row?.least === 1;
  }

  /** Repositories that have `digest`, in order; of one registry if it is given. */
  repositoriesOf(
    digest: Digest,
    options: { readonly registry?: string; readonly kind?: MemberKind } = {},
  ): readonly (RepositoryName & { readonly isPrivate: boolean })[] {
    return this.#database.all(
      `SELECT registry, repository, min(is_private) AS least FROM members WHERE digest = ?
       AND registry = coalesce(?, registry) AND kind = coalesce(?, kind)
       GROUP BY registry, repository ORDER BY registry, repository LIMIT ?`,
      keyOf(digest),
      options.registry ?? null,
      options.kind ?? null,
      PAGE_MAX,
    ).map(({ registry, repository, least }) => ({
      registry: registry as string,
      repository: repository as string,
      isPrivate: least === 1,
    }));
  }

  /** Members of a repository, in order of digest, with when they came (milliseconds since 1970). */
  *of(
    name: RepositoryName,
    kind: MemberKind,
  ): Iterable<{ readonly digest: Digest; readonly addedMs: number }> {
    const rows = this.#database.all(
      `SELECT digest, added_ms FROM members WHERE registry = ? AND repository = ? AND kind = ?
       ORDER BY digest`,
      name.registry,
      name.repository,
      kind,
    );
    for (const row of rows) {
      yield { digest: digestIn(row, "digest"), addedMs: row.added_ms as number };
    }
  }

  /** Whether anything is known of the repository. */
  isRepository({ registry, repository }: RepositoryName): boolean {
    return this.#database.get(
      "SELECT 1 FROM members WHERE registry = ? AND repository = ? LIMIT 1",
      registry,
      repository,
    ) !== undefined;
  }

  /** A page of the repositories of one registry, in order of bytes. */
  repositories(registry: string, { count, last }: PageRequest): Page {
    const countMax = Math.max(0, Math.min(count, PAGE_MAX));
    const items = this.#database.all(
      `SELECT DISTINCT repository FROM members WHERE registry = ? AND repository > ?
       ORDER BY repository LIMIT ?`,
      registry,
      last ?? "",
      countMax + 1,
    ).map(({ repository }) => repository as string);
    return { items: items.slice(0, countMax), hasMore: items.length > countMax };
  }

  /** What refers to `subject` in a repository, in order of digest. */
  referrers(
    name: RepositoryName,
    subject: Digest,
    options: { readonly artifactType?: string } = {},
  ): readonly Descriptor[] {
    const found = this.#database.all(
      `SELECT parsed FROM manifests JOIN members USING (digest)
       WHERE subject = ? AND registry = ? AND repository = ? AND kind = 'manifest'
       ORDER BY digest LIMIT ?`,
      keyOf(subject),
      name.registry,
      name.repository,
      REFERRERS_MAX,
    ).map(({ parsed }) => referrerOf(JSON.parse(parsed as string) as ParsedManifest));
    const { artifactType } = options;
    if (artifactType === undefined) return found;
    return found.filter((descriptor) => descriptor.artifactType === artifactType);
  }

  /** Whether a manifest of the repository lists `digest`. */
  isListed(name: RepositoryName, digest: Digest): boolean {
    return this.#database.get(
      `SELECT 1 FROM manifest_children JOIN members ON members.digest = parent
       WHERE child = ? AND registry = ? AND repository = ? AND kind = 'manifest' LIMIT 1`,
      keyOf(digest),
      name.registry,
      name.repository,
    ) !== undefined;
  }
}
