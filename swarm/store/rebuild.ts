/** A new database out of the blob files, when the old one is damaged. */
import { join } from "node:path";
import { equalBytes } from "../../src/core/bytes.ts";
import { type Hash, hashFromBytes, isHash, sha256FromBytes } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { openDamaged, ProcessLock, type SqlRow } from "../../src/sqlite/mod.ts";
import { BLOB_BYTES_MAX, groupCountOf } from "../bao/geometry.ts";
import { hashBytes, HashPool } from "../bao/mod.ts";
import type { Attributes } from "./attributes.ts";
import type { BlobKind, Visibility } from "./blob_store.ts";
import { Catalog, type NewRow } from "./catalog.ts";
import { ChangeFeed } from "./change_feed.ts";
import { checkFiles } from "./check.ts";
import { Database } from "./database.ts";
import { Files, fileSizeOf } from "./files.ts";
import { bytesInGroups } from "./group_bytes.ts";
import { Layout, parseBlobFile } from "./layout.ts";
import { sha256Of } from "./small.ts";
import { StoreCore } from "./store_core.ts";

/** What {@link rebuildStore} saved. */
export interface RebuildReport {
  readonly completeCount: number;
  readonly partialCount: number;
  /** Blobs whose files hold nothing that matches; they were moved to `damaged/`. */
  readonly unusable: readonly string[];
  /** Where the old database is now, if there was one. */
  readonly oldDatabase: string | undefined;
}

/** What was known of a blob, as far as the old database tells. */
interface Known {
  readonly attributes: Attributes;
  readonly tags: readonly string[];
  readonly path: string | undefined;
  readonly guard: string | undefined;
  readonly size: number;
}

/** Nothing is known, so nobody else may see it. */
const UNKNOWN: Attributes = {
  kind: "blob",
  visibility: "private",
  pinned: false,
  mediaType: undefined,
  name: undefined,
  sha256: undefined,
};

/** See `FileBlobStore.rebuild`. */
export async function rebuildStore(options: {
  readonly directory: string;
  readonly clock: Clock;
  readonly childrenOf?: (bytes: Uint8Array) => Iterable<Hash>;
}): Promise<RebuildReport> {
  const layout = new Layout(options.directory);
  layout.prepare();
  using _lock = ProcessLock.take(layout.lock, `the store in ${options.directory}`);
  layout.emptyTemporary();
  const old = readOld(fileSizeOf(layout.database) === undefined ? undefined : layout.database);
  // Until the new database is whole the old one stays: a store that opened with half of what is
  // known would take the files of the other half for debris.
  const building = layout.temporary();
  const found = await rebuildInto(building, layout, old, options);
  const oldDatabase = replaceDatabase(layout, building, options.clock);
  return { ...found, oldDatabase };
}

async function rebuildInto(
  path: string,
  layout: Layout,
  old: ReturnType<typeof readOld>,
  options: {
    readonly clock: Clock;
    readonly childrenOf?: (bytes: Uint8Array) => Iterable<Hash>;
  },
): Promise<Omit<RebuildReport, "oldDatabase">> {
  using database = new Database(path);
  await using hashPool = new HashPool();
  const core = new StoreCore({
    layout,
    files: new Files(),
    catalog: new Catalog(database),
    clock: options.clock,
    feed: new ChangeFeed(),
    quotaBytes: Infinity,
    childrenOf: options.childrenOf,
  });
  const rebuild = new Rebuild(core, hashPool, old.known);
  rebuild.inline(old.inline);
  await rebuild.files();
  await rebuild.inPlace();
  const { completeCount, partialCount, unusable } = rebuild;
  return { completeCount, partialCount, unusable };
}

/** One run over the files. */
class Rebuild {
  completeCount = 0;
  partialCount = 0;
  readonly unusable: string[] = [];
  readonly #core: StoreCore;
  readonly #hashPool: HashPool;
  readonly #known: ReadonlyMap<string, Known>;

  constructor(core: StoreCore, hashPool: HashPool, known: ReadonlyMap<string, Known>) {
    this.#core = core;
    this.#hashPool = hashPool;
    this.#known = known;
  }

  inline(items: ReadonlyMap<string, Uint8Array>): void {
    for (const [hash, bytes] of items) {
      if (!isHash(hash) || hashBytes(bytes) !== hash) continue;
      const row = { ...this.#row(hash, bytes.length), storage: "inline", synced: true } as const;
      this.#add({
        ...row,
        attributes: { ...row.attributes, sha256: sha256Of(bytes) },
        heldBytes: bytes.length,
      }, () => bytes);
      this.#core.catalog.database.transaction(() => this.#core.catalog.putInline(hash, bytes));
    }
  }

  /** Complete blobs first: a partial twin of one is not needed. */
  async files(): Promise<void> {
    const found = [...Deno.readDirSync(this.#core.layout.blobsDirectory)].flatMap((folder) => {
      const directory = join(this.#core.layout.blobsDirectory, folder.name);
      return folder.isDirectory ? [...Deno.readDirSync(directory)].map(({ name }) => name) : [];
    }).map(parseBlobFile).filter((file) => file !== undefined);
    for (const { hash, lane } of found) {
      if (lane === undefined && isHash(hash)) await this.#completeFile(hash);
    }
    for (const { hash, lane, size } of found) {
      if (lane === undefined || size === undefined || !isHash(hash)) continue;
      await this.#lane(hash, lane, size);
    }
  }

  async inPlace(): Promise<void> {
    for (const [hash, known] of this.#known) {
      if (known.path === undefined || known.guard === undefined || !isHash(hash)) continue;
      if (this.#core.catalog.get(hash) !== undefined) continue;
      const row = this.#row(hash, known.size);
      const { outboard } = this.#core.layout.complete(hash);
      const good = await checkFiles(row, { data: known.path, outboard });
      if (!good.equals(row.groups)) continue;
      const { path, guard } = known;
      this.#add({ ...row, storage: "in-place", path, guard, heldBytes: 0, synced: true });
    }
  }

  async #completeFile(hash: Hash): Promise<void> {
    const files = this.#core.layout.complete(hash);
    const size = fileSizeOf(files.data)!;
    const hashed = await this.#hashPool.hashFile(files.data);
    if (hashed.hash === hash) {
      const outboard = fileSizeOf(files.outboard) === undefined
        ? new Uint8Array(0)
        : await Deno.readFile(files.outboard);
      if (!equalBytes(outboard, hashed.parents)) {
        this.#core.files.write(files.outboard, hashed.parents);
      }
      const row = this.#row(hash, size);
      const attributes = { ...row.attributes, sha256: hashed.sha256 };
      return this.#add(
        { ...row, attributes, guard: this.#known.get(hash)?.guard },
        () => Deno.readFileSync(files.data),
      );
    }
    const row = this.#row(hash, size);
    const good = await checkFiles(row, files);
    const lane = `${size}-${this.#core.clock.nowMs()}`;
    const target = this.#core.layout.lane(hash, lane);
    this.#core.files.rename(files.data, target.data);
    if (fileSizeOf(files.outboard) !== undefined) {
      this.#core.files.rename(files.outboard, target.outboard);
    }
    this.#addPartial(hash, { lane, size, good });
  }

  async #lane(hash: Hash, lane: string, size: number): Promise<void> {
    const files = this.#core.layout.lane(hash, lane);
    if (fileSizeOf(files.data) === undefined || size > BLOB_BYTES_MAX) return;
    const isKnown = this.#core.catalog.get(hash) !== undefined;
    const good = isKnown ? RangeSet.EMPTY : await checkFiles(this.#row(hash, size), files);
    this.#addPartial(hash, { lane, size, good });
  }

  /** Records what is good. A size that no last group proves is worth nothing. */
  #addPartial(
    hash: Hash,
    found: { readonly lane: string; readonly size: number; readonly good: RangeSet },
  ): void {
    const { lane, size, good } = found;
    const files = this.#core.layout.lane(hash, lane);
    const isProven = good.has(groupCountOf(size) - 1) || this.#known.get(hash)?.size === size;
    if (!good.isEmpty && isProven && this.#core.catalog.get(hash) === undefined) {
      const heldBytes = bytesInGroups(size, good);
      this.#add({
        ...this.#row(hash, size),
        state: "partial",
        groups: good,
        lane,
        heldBytes,
      });
      return;
    }
    this.#setAside(files.data);
    this.#setAside(files.outboard);
    if (this.#core.catalog.get(hash) === undefined) this.unusable.push(hash);
  }

  #setAside(path: string): void {
    if (fileSizeOf(path) === undefined) return;
    const directory = join(this.#core.layout.directory, "damaged");
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#core.files.rename(path, join(directory, path.split("/").at(-1)!));
  }

  #row(hash: Hash, size: number): NewRow {
    const row = this.#core.completeRow(hash, size, { before: undefined, described: {} });
    return { ...row, attributes: this.#known.get(hash)?.attributes ?? UNKNOWN };
  }

  #add(row: NewRow, readBytes?: () => Uint8Array): void {
    const children = readBytes === undefined ? [] : this.#core.childrenIn(row, readBytes);
    this.#core.change(undefined, row, () => {
      this.#core.catalog.setChildren(row.hash, children);
      for (const tag of this.#known.get(row.hash)?.tags ?? []) {
        this.#core.catalog.addTag(row.hash, tag);
      }
    });
    if (row.state === "complete") this.completeCount++;
    else this.partialCount++;
  }
}

/** Puts the new database in place of the old one, whose name it returns. */
function replaceDatabase(layout: Layout, building: string, clock: Clock): string | undefined {
  {
    using file = Deno.openSync(building, { read: true, write: true });
    file.syncSync();
  }
  const target = `${layout.database}.damaged-${clock.nowMs()}`;
  // A log of the old database must never be replayed into the new one.
  for (const suffix of ["-wal", "-shm"]) {
    if (fileSizeOf(layout.database + suffix) === undefined) continue;
    Deno.renameSync(layout.database + suffix, target + suffix);
  }
  const hadOld = fileSizeOf(layout.database) !== undefined;
  // A link keeps the old one under its name, too, so that at no moment there is none.
  if (hadOld) Deno.linkSync(layout.database, target);
  Deno.renameSync(building, layout.database);
  layout.emptyTemporary();
  return hadOld ? target : undefined;
}

/** Everything that the old database still gives, read without trusting any of it. */
function readOld(
  path: string | undefined,
): { readonly known: Map<string, Known>; readonly inline: Map<string, Uint8Array> } {
  const known = new Map<string, Known>();
  const inline = new Map<string, Uint8Array>();
  const old = path === undefined ? undefined : openDamaged(path);
  if (old === undefined) return { known, inline };
  const tags = new Map<string, string[]>();
  for (const row of old.all("SELECT hash, name FROM tags")) {
    const hash = hexOf(row.hash);
    if (hash !== undefined) tags.set(hash, [...tags.get(hash) ?? [], String(row.name)]);
  }
  for (const row of old.all("SELECT * FROM blobs")) {
    const hash = hexOf(row.hash);
    if (hash !== undefined) known.set(hash, knownOf(row, tags.get(hash) ?? []));
  }
  for (const row of old.all("SELECT hash, bytes FROM inline_bytes")) {
    const hash = hexOf(row.hash);
    if (hash !== undefined && row.bytes instanceof Uint8Array) inline.set(hash, row.bytes);
  }
  old.close();
  return { known, inline };
}

function knownOf(row: SqlRow, tags: readonly string[]): Known {
  const visibility: Visibility = row.visibility === "public" || row.visibility === "fleet"
    ? row.visibility
    : "private";
  const kind: BlobKind = row.kind === "collection" ? "collection" : "blob";
  const sha256 = row.sha256 instanceof Uint8Array && row.sha256.length === 32
    ? sha256FromBytes(row.sha256)
    : undefined;
  return {
    attributes: {
      kind,
      visibility,
      pinned: row.pinned === 1,
      mediaType: textOf(row.media_type),
      name: textOf(row.name),
      sha256,
    },
    tags,
    path: textOf(row.path),
    guard: textOf(row.guard),
    size: typeof row.size === "number" ? row.size : -1,
  };
}

function hexOf(value: unknown): Hash | undefined {
  return value instanceof Uint8Array && value.length === 32 ? hashFromBytes(value) : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
