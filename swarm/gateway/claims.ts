/**
 * Who uploaded which blob, kept as tags of the store: `blossom:<key>` for each uploader, which also
 * keeps the blob from garbage collection, and `blossom` on what came by an upload at all. So what
 * the operator added is never removed because somebody uploaded it too, and then deleted it.
 */
import type { Hash } from "../../src/core/hash.ts";
import type { BlobRecord, BlobStore } from "../store/blob_store.ts";

/** The mark of a blob that an upload brought. */
const CAME_BY_UPLOAD = "blossom";

/** Tags of uploads, and an index of them in memory. */
export class Claims {
  readonly #store: BlobStore;
  #byKey: Map<string, Set<Hash>> | undefined;

  constructor(store: BlobStore) {
    this.#store = store;
  }

  /** The tag that `publicKey` keeps a blob by; of who signed nothing, without a key. */
  static tagOf(publicKey: string | undefined): string {
    return publicKey === undefined ? `${CAME_BY_UPLOAD}:local` : `${CAME_BY_UPLOAD}:${publicKey}`;
  }

  /** Notes that `publicKey` uploaded the blob. */
  add(
    record: BlobRecord,
    claim: { readonly publicKey: string | undefined; readonly isNew: boolean },
  ) {
    if (claim.isNew) this.#store.tag(record.hash, CAME_BY_UPLOAD);
    this.#store.tag(record.hash, Claims.tagOf(claim.publicKey));
    if (claim.publicKey !== undefined) this.#of(claim.publicKey).add(record.hash);
  }

  has(record: BlobRecord, publicKey: string): boolean {
    return record.tags.includes(Claims.tagOf(publicKey));
  }

  /** Takes a claim away, and the blob with it if nothing else wants it. */
  async remove(
    record: BlobRecord,
    claim: { readonly publicKey: string; readonly isNeeded: boolean },
  ): Promise<void> {
    this.#store.untag(record.hash, Claims.tagOf(claim.publicKey));
    this.#of(claim.publicKey).delete(record.hash);
    const now = this.#store.status(record.hash);
    if (now === undefined || claim.isNeeded || now.pinned) return;
    if (now.tags.length === 1 && now.tags[0] === CAME_BY_UPLOAD) await this.#store.remove(now.hash);
  }

  /** What `publicKey` uploaded and is still there, the newest first. */
  list(publicKey: string): BlobRecord[] {
    const records: BlobRecord[] = [];
    for (const hash of this.#of(publicKey)) {
      const record = this.#store.status(hash);
      if (record !== undefined && this.has(record, publicKey)) records.push(record);
    }
    return records.sort((a, b) => b.addedMs - a.addedMs || (a.hash < b.hash ? -1 : 1));
  }

  #of(publicKey: string): Set<Hash> {
    this.#byKey ??= this.#read();
    let hashes = this.#byKey.get(publicKey);
    if (hashes === undefined) {
      hashes = new Set();
      this.#byKey.set(publicKey, hashes);
    }
    return hashes;
  }

  /** Looks through the store once. */
  #read(): Map<string, Set<Hash>> {
    const byKey = new Map<string, Set<Hash>>();
    for (const { hash, tags } of this.#store.list()) {
      for (const tag of tags) {
        const key = /^blossom:([0-9a-f]{64})$/.exec(tag)?.[1];
        if (key === undefined) continue;
        byKey.set(key, (byKey.get(key) ?? new Set()).add(hash));
      }
    }
    return byKey;
  }
}
