/**
 * Names in the data directory:
 *
 *     lock                          held while a process owns the store
 *     store.sqlite                  what is known of every blob, and the bytes of small ones
 *     store.sqlite-ballast          room for recording a removal when the disk is full
 *     blobs/3a/3a7f….data           a complete blob; this name exists for complete blobs only
 *     blobs/3a/3a7f….outboard       its parents in pre-order, iroh's `.obao4` without a prefix
 *     blobs/3a/3a7f….<lane>.part    groups of a partial blob, each at its offset
 *     blobs/3a/3a7f….<lane>.tree    parents of a partial blob, each at its offset
 *     tmp/                          imports under way and what is being removed; emptied at open
 *
 * A lane is `<size>-<number>`: one pair of files that groups of one claimed size are written to.
 */
import { join } from "node:path";
import type { Hash } from "../../src/core/hash.ts";

/** Two files that belong together. */
export interface BlobFiles {
  readonly data: string;
  readonly outboard: string;
}

/** Paths in one data directory. */
export class Layout {
  readonly directory: string;
  #temporaryCount = 0;

  constructor(directory: string) {
    this.directory = directory;
  }

  get lock(): string {
    return join(this.directory, "lock");
  }

  get database(): string {
    return join(this.directory, "store.sqlite");
  }

  get temporaryDirectory(): string {
    return join(this.directory, "tmp");
  }

  get blobsDirectory(): string {
    return join(this.directory, "blobs");
  }

  /** The folder of `hash`, made if it is missing. */
  folderOf(hash: Hash): string {
    const folder = join(this.blobsDirectory, hash.slice(0, 2));
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  complete(hash: Hash): BlobFiles {
    const stem = join(this.blobsDirectory, hash.slice(0, 2), hash);
    return { data: `${stem}.data`, outboard: `${stem}.outboard` };
  }

  lane(hash: Hash, lane: string): BlobFiles {
    const stem = join(this.blobsDirectory, hash.slice(0, 2), `${hash}.${lane}`);
    return { data: `${stem}.part`, outboard: `${stem}.tree` };
  }

  /** A new name in `tmp/`. */
  temporary(): string {
    return join(this.temporaryDirectory, `${Deno.pid}-${++this.#temporaryCount}`);
  }

  /** Makes the directories, and empties `tmp/`. */
  prepare(): void {
    Deno.mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    Deno.mkdirSync(this.blobsDirectory, { recursive: true, mode: 0o700 });
    Deno.mkdirSync(this.temporaryDirectory, { recursive: true, mode: 0o700 });
  }

  /** Removes what an earlier process left in `tmp/`. */
  emptyTemporary(): void {
    for (const entry of Deno.readDirSync(this.temporaryDirectory)) {
      Deno.removeSync(join(this.temporaryDirectory, entry.name), { recursive: true });
    }
  }
}

/** What a file name in `blobs/` says, or undefined if it is none of the store's. */
export function parseBlobFile(
  name: string,
): { readonly hash: string; readonly lane?: string; readonly size?: number } | undefined {
  const complete = /^([0-9a-f]{64})\.data$/.exec(name);
  if (complete !== null) return { hash: complete[1]! };
  const partial = /^([0-9a-f]{64})\.((\d{1,15})-\d+)\.part$/.exec(name);
  if (partial === null) return undefined;
  return { hash: partial[1]!, lane: partial[2]!, size: Number(partial[3]) };
}
