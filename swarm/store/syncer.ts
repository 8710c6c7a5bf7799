/**
 * Brings finished blobs to stable storage in the background, so that a power loss costs no more
 * than reading again what was written in the last seconds. Nothing on the hot path waits for it.
 */
import { dirname } from "node:path";
import { groupCountOf } from "../bao/geometry.ts";
import type { CatalogRow } from "./catalog.ts";
import { SYNC_INTERVAL_MS } from "./limits.ts";
import type { StoreCore } from "./store_core.ts";

/** Runs a round now and then until it is disposed of. */
export class Syncer implements AsyncDisposable {
  readonly #core: StoreCore;
  readonly #closeMs: number;
  #cancel: (() => void) | undefined;
  #round: Promise<void> = Promise.resolve();
  #isStopped = false;

  /** `closeMs`: how long closing may take for a last round; 0 for none. */
  constructor(core: StoreCore, options: { readonly closeMs: number }) {
    this.#core = core;
    this.#closeMs = options.closeMs;
    this.#schedule();
  }

  /** One round: every blob that is not on stable storage is brought there. */
  async sync(): Promise<void> {
    this.#core.catalog.database.restoreBallast();
    for (const row of this.#core.catalog.notSynced()) {
      if (this.#isStopped) return;
      if (row.state === "partial" && row.groups.equals(row.syncedGroups)) continue;
      await this.#syncBlob(row);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel?.();
    if (this.#closeMs > 0) {
      const cancelDeadline = this.#core.clock.timer(this.#closeMs, () => this.#isStopped = true);
      await this.sync().catch(() => {});
      cancelDeadline();
    }
    this.#isStopped = true;
    await this.#round;
  }

  #schedule(): void {
    this.#cancel = this.#core.clock.timer(SYNC_INTERVAL_MS, () => {
      this.#round = this.sync().catch(() => {
        // A blob that cannot be synced now stays marked, and is checked after a power loss.
      }).finally(() => {
        if (!this.#isStopped) this.#schedule();
      });
    });
  }

  async #syncBlob(row: CatalogRow): Promise<void> {
    const { catalog, layout } = this.#core;
    const files = row.lane === undefined
      ? layout.complete(row.hash)
      : layout.lane(row.hash, row.lane);
    try {
      // A file of the user's own is the user's to sync; what is ours of it is the outboard.
      if (row.storage !== "in-place") await syncFile(files.data);
      await syncFile(files.outboard);
      await syncFile(dirname(files.data)).catch(() => {});
    } catch (error) {
      // Renamed or removed meanwhile: the next round sees what became of it.
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    if (this.#isStopped) return;
    catalog.database.transaction(() => {
      if (row.lane === undefined) catalog.setSynced(row.hash);
      else catalog.setSyncedGroups(row.hash, row.lane, row.groups, groupCountOf(row.size));
    });
  }
}

async function syncFile(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true });
  await file.sync();
}
