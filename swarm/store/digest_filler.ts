/**
 * Learns the SHA-256 of blobs that came without one. What peers send is verified by BLAKE3 alone,
 * group by group and in any order; SHA-256 needs every byte once more, in order. So it is computed
 * afterwards, a piece at a time with pauses, where it takes nothing from transfers. With it, the
 * blob can be found here by the name that OCI registries and release manifests use.
 */
import { createHash } from "node:crypto";
import { type Hash, sha256FromBytes } from "../../src/core/hash.ts";
import { isSeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { BlobReader, BlobStore } from "./blob_store.ts";
import { digestDutyOf } from "./digest_duty.ts";
import { DIGEST_PAUSE_MS, DIGEST_PIECE_BYTES } from "./limits.ts";

/** What a {@link DigestFiller} works with. */
export interface DigestFillerOptions {
  readonly store: BlobStore;
  readonly clock: Clock;
  /** Told when a blob could not be read; it is tried again after the next start. */
  readonly onError?: (hash: Hash, error: unknown) => void;
}

/** Goes through the store once, then follows its changes, one blob at a time. */
export class DigestFiller implements AsyncDisposable {
  readonly #options: DigestFillerOptions;
  readonly #waiting = new Set<Hash>();
  /** What somebody else is about to compute. */
  readonly #others = new Set<Hash>();
  readonly #stop = new AbortController();
  readonly #unsubscribe: () => void;
  #working: Promise<void> | undefined;

  constructor(options: DigestFillerOptions) {
    this.#options = options;
    this.#unsubscribe = options.store.onChange((hash) => this.#consider(hash));
    for (const record of options.store.list()) this.#consider(record.hash);
  }

  /** Resolves once nothing that is known of lacks its SHA-256. */
  async settled(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.#waiting.clear();
    this.#stop.abort(new Error("the node is stopping"));
    await this.settled();
  }

  #consider(hash: Hash): void {
    const record = this.#options.store.status(hash);
    if (record?.state !== "complete" || record.sha256 !== undefined) return;
    const duty = digestDutyOf(this.#options.store, hash);
    if (duty === undefined) {
      this.#waiting.add(hash);
      this.#begin();
    } else if (!this.#others.has(hash)) {
      this.#others.add(hash);
      void duty.then(() => {
        this.#others.delete(hash);
        if (!this.#stop.signal.aborted) this.#consider(hash);
      });
    }
  }

  #begin(): void {
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
      if (this.#waiting.size > 0) this.#begin();
    });
  }

  async #work(): Promise<void> {
    for (const hash of this.#waiting) {
      try {
        await this.#fill(hash);
      } catch (error) {
        const isExpected = this.#stop.signal.aborted || isSeedmintError(error, "not-found");
        if (!isExpected) this.#options.onError?.(hash, error);
      }
      this.#waiting.delete(hash);
    }
  }

  async #fill(hash: Hash): Promise<void> {
    const { store } = this.#options;
    if (store.status(hash)?.sha256 !== undefined) return;
    await using reader = await store.openReader(hash);
    const sha256 = await this.#digest(reader);
    if (store.status(hash)?.state === "complete") store.setAttributes(hash, { sha256 });
  }

  async #digest(reader: BlobReader) {
    const digest = createHash("sha256");
    const piece = new Uint8Array(Math.min(DIGEST_PIECE_BYTES, Math.max(1, reader.size)));
    for (let offset = 0; offset < reader.size;) {
      this.#stop.signal.throwIfAborted();
      const count = await reader.read(offset, piece);
      if (count === 0) throw new Error(`the blob ended at ${offset} of ${reader.size} bytes`);
      digest.update(piece.subarray(0, count));
      offset += count;
      await this.#options.clock.sleep(DIGEST_PAUSE_MS, { signal: this.#stop.signal });
    }
    return sha256FromBytes(digest.digest());
  }
}
