/**
 * What keeps pushed bytes in the store: nobody else may have them, so they are pinned for as long as a
 * repository has them. Pins of the store's user are left alone.
 */
import type { Clock } from "../../../src/core/ports.ts";
import type { BlobAttributes, BlobRecord, BlobStore, Visibility } from "../../store/blob_store.ts";
import { LOCAL_REGISTRY, type RegistryIndex } from "../index/mod.ts";
import { type Digest, sha256Of } from "../names.ts";
import type { PageRequest } from "../ports.ts";

/** Options of {@link Keeping}. */
export interface KeepingOptions {
  readonly store: BlobStore;
  readonly index: RegistryIndex;
  readonly clock: Pick<Clock, "nowMs">;
  readonly visibility?: Visibility;
}

/** A blob that a repository has. */
export interface KeptBlob {
  readonly digest: Digest;
  readonly record: BlobRecord;
}

/** See the head of this file. */
export class Keeping {
  readonly #options: KeepingOptions;

  constructor(options: KeepingOptions) {
    this.#options = options;
  }

  /** What the store is told of a blob that is pushed; one that is here stays as it is. */
  attributesFor(digest: Digest, mediaType?: string): BlobAttributes {
    const known = this.#options.store.findBySha256(sha256Of(digest));
    const type = mediaType === undefined ? {} : { mediaType };
    if (known !== undefined) return { name: known.name ?? digest, ...type };
    return { name: digest, visibility: this.#options.visibility ?? "private", ...type };
  }

  /** Does `change`, which says that a repository has `blobs` now, and pins them: all or nothing. */
  keep(blobs: readonly KeptBlob[], change: () => void): void {
    const { store, index } = this.#options;
    const unpinned = blobs.filter(({ record }) => store.status(record.hash)?.pinned === false);
    index.transaction(() => {
      change();
      for (const { digest, record } of blobs) {
        index.mappings.put({ sha256: sha256Of(digest), hash: record.hash, size: record.size });
      }
      for (const { record } of unpinned) index.pinned.add(record.hash);
    });
    // Should this be the moment to die, the next start pins them.
    for (const { record } of unpinned) store.pin(record.hash);
  }

  /** Pins again what was pinned: the store may have been restored, or the last run have died. */
  restore(): void {
    const { store, index } = this.#options;
    for (const hash of index.pinned.all()) {
      if (store.status(hash)?.pinned === false) store.pin(hash);
    }
  }

  /**
   * Lets go of what a repository has no longer: its pin, if no other has it, and its bytes, if nothing
   * else keeps them.
   */
  async release(digest: Digest): Promise<void> {
    const { store, index } = this.#options;
    const { members, manifests, pinned } = index;
    if (members.repositoriesOf(digest, { registry: LOCAL_REGISTRY }).length > 0) return;
    const record = store.findBySha256(sha256Of(digest));
    if (record !== undefined && pinned.remove(record.hash)) store.unpin(record.hash);
    if (members.repositoriesOf(digest).length > 0) return;
    manifests.remove(digest);
    const now = record && store.status(record.hash);
    if (now === undefined || now.pinned || now.tags.length > 0 || store.isListed(now.hash)) return;
    await store.remove(now.hash);
  }

  /** Takes blobs that no manifest lists out of their repositories, once they are `ageMs` old. */
  async dropOrphans(ageMs: number): Promise<number> {
    const { index, clock } = this.#options;
    const bornMs = clock.nowMs() - ageMs;
    let count = 0;
    for (const repository of this.#repositories()) {
      for (const { digest, addedMs } of index.members.of(repository, "blob")) {
        if (addedMs > bornMs || index.members.isListed(repository, digest)) continue;
        index.members.remove(repository, digest, "blob");
        await this.release(digest);
        count++;
      }
    }
    return count;
  }

  *#repositories(): Generator<{ readonly registry: string; readonly repository: string }, void> {
    let page: PageRequest = { count: Infinity };
    for (;;) {
      const { items, hasMore } = this.#options.index.members.repositories(LOCAL_REGISTRY, page);
      for (const repository of items) yield { registry: LOCAL_REGISTRY, repository };
      if (!hasMore) return;
      page = { count: Infinity, last: items.at(-1)! };
    }
  }
}
