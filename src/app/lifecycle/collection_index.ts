/** Which collections list a blob, for those collections that have a price of their own. */
import type { Hash } from "../../core/hash.ts";
import { readCollection } from "../../../swarm/read_whole.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";

/** Kept in memory; only watched collections are read. */
export class CollectionIndex {
  readonly #store: Pick<BlobStore, "status" | "openReader">;
  readonly #watched = new Set<Hash>();
  readonly #childrenOf = new Map<Hash, readonly Hash[]>();
  readonly #parentsOf = new Map<Hash, Set<Hash>>();

  constructor(store: Pick<BlobStore, "status" | "openReader">) {
    this.#store = store;
  }

  /** The watched collections that list `hash`. */
  readonly parentsOf = (hash: Hash): Iterable<Hash> => this.#parentsOf.get(hash) ?? [];

  /** Watches exactly `roots`, and reads those that are new. */
  async watch(roots: Iterable<Hash>): Promise<void> {
    const wanted = new Set(roots);
    for (const root of this.#watched.difference(wanted)) {
      this.#watched.delete(root);
      this.#forget(root);
    }
    for (const root of wanted.difference(this.#watched)) await this.add(root);
  }

  /** Watches `root`, too. */
  async add(root: Hash): Promise<void> {
    this.#watched.add(root);
    await this.#read(root);
  }

  /** The store has more or less of `hash` than before. */
  async changed(hash: Hash): Promise<void> {
    if (this.#watched.has(hash)) await this.#read(hash);
  }

  async #read(root: Hash): Promise<void> {
    const record = this.#store.status(root);
    const isThere = record?.kind === "collection" && record.state === "complete";
    const children = isThere
      ? await readCollection(this.#store, root).then(
        (all) => all.map((child) => child.hash),
        () => [], // gone, or no collection after all
      )
      : [];
    // One that went out of the store still lists what it listed: that has its price as before.
    if (children.length === 0) return;
    this.#forget(root);
    this.#childrenOf.set(root, children);
    for (const child of children) {
      this.#parentsOf.getOrInsertComputed(child, () => new Set()).add(root);
    }
  }

  #forget(root: Hash): void {
    for (const child of this.#childrenOf.get(root) ?? []) {
      const parents = this.#parentsOf.get(child);
      parents?.delete(root);
      if (parents?.size === 0) this.#parentsOf.delete(child);
    }
    this.#childrenOf.delete(root);
  }
}
