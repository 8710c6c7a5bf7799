/** The open index. */
import { messageOf, SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { SqliteConnection } from "../../../src/sqlite/mod.ts";
import { Authorizations } from "./authorizations.ts";
import { Images } from "./images.ts";
import { Manifests } from "./manifests.ts";
import { Mappings } from "./mappings.ts";
import { Members } from "./members.ts";
import { Pinned } from "./pinned.ts";
import { MIGRATIONS } from "./schema.ts";
import { Tags } from "./tags.ts";
import { Uploads } from "./uploads.ts";

/**
 * The registry that pushed repositories belong to. It can be no host on a network: what is pushed here
 * never answers for a registry elsewhere.
 */
export const LOCAL_REGISTRY = "seedmint.local";

/** Options of {@link RegistryIndex.open}. */
export interface RegistryIndexOptions {
  /** Path of the file; `:memory:` keeps nothing. */
  readonly path: string;
  readonly clock: Pick<Clock, "nowMs">;
  /** Mappings remembered. @default {1000000} */
  readonly mappingsMax?: number;
  /** Called before each commit; what it throws undoes the transaction. Tests break disks with it. */
  readonly beforeCommit?: () => void;
}

/** What the registry knows besides bytes. All calls are synchronous; a change lasts when they return. */
export class RegistryIndex implements Disposable {
  readonly manifests: Manifests;
  readonly members: Members;
  readonly tags: Tags;
  readonly authorizations: Authorizations;
  readonly images: Images;
  readonly mappings: Mappings;
  readonly uploads: Uploads;
  readonly pinned: Pinned;
  readonly #database: SqliteConnection;

  private constructor(database: SqliteConnection, options: RegistryIndexOptions) {
    const { clock } = options;
    this.#database = database;
    this.manifests = new Manifests(database, clock);
    this.members = new Members(database, clock);
    this.tags = new Tags(database, clock);
    this.authorizations = new Authorizations(database);
    this.images = new Images(database, clock);
    this.mappings = new Mappings(database, clock, options.mappingsMax);
    this.uploads = new Uploads(database, clock);
    this.pinned = new Pinned(database);
  }

  /**
   * Opens or makes the index.
   *
   * @throws {SeedmintError} `storage` if the file cannot be used.
   */
  static open(options: RegistryIndexOptions): RegistryIndex {
    const database = SqliteConnection.open(options.path, {
      migrations: MIGRATIONS,
      // A manifest that was pushed and acknowledged is there after a power cut.
      synchronous: "full",
      ...(options.beforeCommit === undefined ? {} : { beforeCommit: options.beforeCommit }),
    });
    try {
      return new RegistryIndex(database, options);
    } catch (cause) {
      database[Symbol.dispose]();
      throw new SeedmintError(
        "storage",
        `Cannot read the registry's index ${options.path}: ${
          messageOf(cause)
        }; move the file away, ` +
          "pushed images must then be pushed again",
        { cause },
      );
    }
  }

  /** All that `change` does lasts when this returns, or nothing does. `change` must not await. */
  transaction<T>(change: () => T): T {
    try {
      return this.#database.transaction(change);
    } catch (error) {
      this.manifests.forgetCached();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}
