/**
 * What a follower must never forget, on disk: the versions of each root, the catalog accepted last, and
 * how high each key has signed. Every change is one transaction, before anybody uses what it says.
 */
import { SqliteConnection } from "../../src/sqlite/mod.ts";
import { canonicalJson } from "../canonical_json.ts";
import { type Catalog, openSealed, parseSeal, type Seal, writeSeal } from "../catalog/mod.ts";
import type { Authority, RootDocument, SignedRoot } from "../root/mod.ts";
import { FLOORS_MAX } from "./limits.ts";
import { stillCounts } from "./judging.ts";
import { type Publication, readPublicationText, writePublication } from "./publication.ts";
import { MIGRATIONS } from "./schema.ts";

/** A catalog by its root and name. */
export interface CatalogKey {
  /** Id of the root. */
  readonly root: string;
  readonly name: string;
}

/** A catalog that is followed, and how. */
export interface Follow extends CatalogKey {
  /** Nostr keys of publishers, 64 hex digits; empty: whoever. */
  readonly publishers: readonly string[];
  readonly url?: string;
  /** What is prefetched, as text. */
  readonly selectors: readonly string[];
  /** Of which images its word counts, as `isPinScope` reads them. @default {none} */
  readonly pins?: readonly string[];
}

/** A catalog that was accepted. */
export interface AcceptedCatalog extends Authority {
  readonly seal: Seal;
  readonly catalog: Catalog;
  /** The catalog's text. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly acceptedS: number;
  /** Where its bytes may be had besides the swarm, as its publication said. */
  readonly urls: readonly string[];
}

/** The database of a follower. */
export class FollowState implements Disposable {
  readonly #database: SqliteConnection;
  /** Catalogs as they were read last: strangers may ask often, and each is long. */
  readonly #read = new Map<string, AcceptedCatalog>();
  #published: readonly (Publication & { readonly seal: Seal })[] | undefined;

  private constructor(database: SqliteConnection) {
    this.#database = database;
  }

  /**
   * Opens or creates the database at `path`; `:memory:` keeps nothing.
   *
   * @throws {SeedmintError} `storage`
   */
  static open(path: string): FollowState {
    return new FollowState(
      SqliteConnection.open(path, { migrations: MIGRATIONS, synchronous: "full" }),
    );
  }

  /** The versions of a root that are believed, the first one first. */
  roots(id: string): readonly SignedRoot[] {
    return this.#database.all("SELECT text FROM roots WHERE id = ? ORDER BY version", id)
      .map(({ text }) => JSON.parse(text as string) as SignedRoot);
  }

  /** Keeps versions that follow on what is kept. */
  addRoots(steps: readonly SignedRoot[]): void {
    this.#database.transaction(() => {
      for (const step of steps) {
        this.#database.run(
          "INSERT OR IGNORE INTO roots VALUES (?, ?, ?)",
          step.signed.id,
          step.signed.version,
          canonicalJson(step),
        );
      }
    });
  }

  /** The catalog accepted last; undefined when keys that signed it were revoked since. */
  accepted(key: CatalogKey, root: RootDocument): AcceptedCatalog | undefined {
    const name = `${key.root}/${key.name}`;
    const accepted = this.#read.get(name) ?? this.#readAccepted(key);
    if (accepted === undefined) return undefined;
    this.#read.set(name, accepted);
    return stillCounts(accepted, root) ? accepted : undefined;
  }

  #readAccepted(key: CatalogKey): AcceptedCatalog | undefined {
    const row = this.#database.get(
      "SELECT * FROM catalogs WHERE root = ? AND name = ?",
      key.root,
      key.name,
    );
    if (row === undefined) return undefined;
    const seal = parseSeal(row.seal as string);
    const bytes = new Uint8Array(row.bytes as Uint8Array);
    return {
      seal,
      catalog: openSealed(seal, bytes),
      bytes,
      role: row.role as string,
      signers: JSON.parse(row.signers as string) as string[],
      threshold: row.threshold as number,
      acceptedS: row.accepted_s as number,
      urls: JSON.parse(row.urls as string) as string[],
    };
  }

  /** For each key, the highest sequence that it signed and that was accepted. */
  floors(key: CatalogKey): ReadonlyMap<string, number> {
    const rows = this.#database.all(
      "SELECT key, sequence FROM floors WHERE root = ? AND name = ?",
      key.root,
      key.name,
    );
    return new Map(rows.map((row) => [row.key as string, row.sequence as number]));
  }

  /** Takes a catalog: from now on nothing older is taken. */
  accept(accepted: Omit<AcceptedCatalog, "catalog">): void {
    const { root, catalog: name, sequence } = accepted.seal.signed;
    this.#read.delete(`${root}/${name}`);
    this.#database.transaction(() => {
      this.#database.run(
        "INSERT OR REPLACE INTO catalogs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        root,
        name,
        writeSeal(accepted.seal),
        accepted.bytes,
        accepted.role,
        JSON.stringify(accepted.signers),
        accepted.threshold,
        accepted.acceptedS,
        JSON.stringify(accepted.urls),
      );
      for (const key of accepted.signers) {
        this.#database.run(
          `INSERT INTO floors VALUES (?, ?, ?, ?) ON CONFLICT (root, name, key)
            DO UPDATE SET sequence = max(sequence, excluded.sequence)`,
          root,
          name,
          key,
          sequence,
        );
      }
      this.#database.run(
        `DELETE FROM floors WHERE root = ? AND name = ? AND key NOT IN
          (SELECT key FROM floors WHERE root = ? AND name = ? ORDER BY sequence DESC LIMIT ?)`,
        root,
        name,
        root,
        name,
        FLOORS_MAX,
      );
    });
  }

  /** All that is followed, in order. */
  follows(): readonly Follow[] {
    return this.#database.all("SELECT * FROM follows ORDER BY root, name").map((row) => ({
      root: row.root as string,
      name: row.name as string,
      publishers: JSON.parse(row.publishers as string) as string[],
      selectors: JSON.parse(row.selectors as string) as string[],
      pins: JSON.parse(row.pins as string) as string[],
      ...(row.url === null ? {} : { url: row.url as string }),
    }));
  }

  /** Follows a catalog, or changes how. */
  follow(follow: Follow): void {
    this.#database.run(
      "INSERT OR REPLACE INTO follows VALUES (?, ?, ?, ?, ?, ?)",
      follow.root,
      follow.name,
      JSON.stringify(follow.publishers),
      follow.url ?? null,
      JSON.stringify(follow.selectors),
      JSON.stringify(follow.pins ?? []),
    );
  }

  /**
   * Ends following. What was accepted stays known, so that following again goes on from there and not
   * from the start. @returns Whether it was followed.
   */
  unfollow(key: CatalogKey): boolean {
    return this.#database.run(
      "DELETE FROM follows WHERE root = ? AND name = ?",
      key.root,
      key.name,
    ) > 0;
  }

  /** What this node itself publishes. */
  published(): readonly (Publication & { readonly seal: Seal })[] {
    return this.#published ??= this.#database
      .all("SELECT publication FROM published ORDER BY root, name")
      .map(({ publication }) => readPublicationText(publication as string))
      .filter((one): one is Publication & { readonly seal: Seal } => one?.seal !== undefined);
  }

  /** Keeps what this node publishes, in place of what it did of this name. */
  publish(publication: Publication & { readonly seal: Seal }): void {
    const { root, catalog } = publication.seal.signed;
    const text = writePublication(publication);
    this.#published = undefined;
    this.#database.run("INSERT OR REPLACE INTO published VALUES (?, ?, ?)", root, catalog, text);
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}
