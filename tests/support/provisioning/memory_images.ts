/** Images that are here, elsewhere, or nowhere. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Sha256 } from "../../../src/core/hash.ts";
import type { Image, Images } from "../../../provisioning/ports.ts";

/** The digest of every image in memory. */
export const IMAGE_DIGEST = "d1".repeat(32) as Sha256;

/** Images in memory. */
export class MemoryImages implements Images {
  /** Names that are here. */
  readonly here = new Set<string>();
  /** Names that cannot be had. */
  readonly missing = new Set<string>();
  /** Names of which nothing comes for as long as anybody waits. */
  readonly endless = new Set<string>();
  /** Names that were brought. */
  readonly brought: string[] = [];
  /** What names lead to, where that is a list of images for several platforms. */
  list: Sha256 | undefined;
  /** Awaited before an image comes. */
  gate: Promise<void> = Promise.resolve();

  async bring(
    reference: string,
    options: {
      readonly signal: AbortSignal;
      readonly onProgress?: (bytes: number, size: number | undefined) => void;
    },
  ): Promise<Image> {
    const name = reference.replace(/@.*$/, "");
    if (this.missing.has(name)) {
      throw new SeedmintError("not-found", `Cannot find image ${name}`);
    }
    if (!this.here.has(name)) {
      this.brought.push(reference);
      options.onProgress?.(512, 1024);
      await (this.endless.has(name) ? new Promise<never>(() => {}) : this.gate);
      options.signal.throwIfAborted();
    }
    this.here.add(name);
    return {
      digest: IMAGE_DIGEST,
      ...(this.list === undefined ? {} : { listDigest: this.list }),
      name,
      config: { env: [], entrypoint: [], cmd: ["/bin/sh"], exposedPorts: [] },
      layers: [],
    };
  }

  has(reference: string): boolean {
    return this.here.has(reference.replace(/@.*$/, ""));
  }
}
