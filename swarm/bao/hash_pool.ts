/** Hashing files: BLAKE3 with outboard and SHA-256 in one go. */
import { createHash } from "node:crypto";
import { SeedmintError } from "../../src/core/errors.ts";
import { type Sha256, sha256FromBytes } from "../../src/core/hash.ts";
import { OutboardBuilder } from "./outboard.ts";
import type { Outboard } from "./tree.ts";

/** Bytes read at a time. */
const READ_BYTES = 2 ** 20;

/** What hashing a file gives. */
export interface HashedFile extends Outboard {
  readonly sha256: Sha256;
}

/** Options of {@link HashPool.hashFile}. */
export interface HashFileOptions {
  readonly signal?: AbortSignal;
  /** Called with the bytes hashed so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** Hashes files. */
export class HashPool implements AsyncDisposable {
  /**
   * @throws The reason of `signal`; {@link SeedmintError} `storage` if the file cannot be read.
   */
  async hashFile(path: string, options: HashFileOptions = {}): Promise<HashedFile> {
    using file = await Deno.open(path, { read: true });
    const { size } = await file.stat();
    const builder = new OutboardBuilder();
    const sha256 = createHash("sha256");
    const buffer = new Uint8Array(READ_BYTES);
    let bytes = 0;
    for (;;) {
      options.signal?.throwIfAborted();
      const count = await file.read(buffer);
      if (count === null) break;
      builder.update(buffer.subarray(0, count));
      sha256.update(buffer.subarray(0, count));
      bytes += count;
      options.onProgress?.(bytes);
    }
    if (bytes !== size) {
      throw new SeedmintError("storage", `Cannot hash ${path}: it changed while being read`);
    }
    return { ...builder.finish(), sha256: sha256FromBytes(sha256.digest()) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
