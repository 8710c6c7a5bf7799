/** What accepted catalogs say of images and digests, ready to be asked often. */
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { Catalog } from "../catalog/mod.ts";
import { isInScope } from "../root/mod.ts";

/** A SHA-256, the BLAKE3 and the size of one content. */
export interface SignedMapping {
  readonly sha256: Sha256;
  readonly hash: Hash;
  readonly size: number;
}

/** A catalog, and of which images its word counts, as `isPinScope` reads them. */
export interface PinningCatalog {
  readonly catalog: Catalog;
  /** As who follows it says. */
  readonly scopes: readonly string[];
  /** As the root says of the role that signed it; absent: no less than its followers let it. */
  readonly roleScopes?: readonly string[];
}

/**
 * Tags and digests of all catalogs that are believed, of each as far as it is believed: who publishes
 * films is not to say what `docker.io/library/nginx:latest` is.
 */
export class CatalogPins {
  #pins = new Map<string, string>();
  #mappings = new Map<Sha256, SignedMapping>();

  /**
   * Forgets everything and takes these. A catalog without scopes says nothing here. Where two catalogs speak of one tag, the earlier in the list
   * counts; of one digest both cannot be right, and the first is believed until the bytes show it.
   */
  replace(catalogs: readonly PinningCatalog[]): void {
    const pins = new Map<string, string>();
    const mappings = new Map<Sha256, SignedMapping>();
    const map = (sha256: Sha256, hash: Hash, size: number) => {
      if (!mappings.has(sha256)) mappings.set(sha256, { sha256, hash, size });
    };
    for (const { catalog, scopes, roleScopes = ["*"] } of catalogs) {
      if (scopes.length === 0 || roleScopes.length === 0) continue;
      const { images, releases, files } = catalog;
      for (const { reference, digest, blobs } of images) {
        if (!isInScope(scopes, reference) || !isInScope(roleScopes, reference)) continue;
        if (!pins.has(reference)) pins.set(reference, digest);
        for (const { sha256, blake3, size } of blobs) map(sha256, blake3, size);
      }
      for (const { sha256, blake3, size } of [...releases.flatMap((one) => one.files), ...files]) {
        map(sha256, blake3, size);
      }
    }
    [this.#pins, this.#mappings] = [pins, mappings];
  }

  /** What `reference` (`registry/repository:tag`) is pinned to: `sha256:` and 64 hex digits. */
  digestOf(reference: string): string | undefined {
    return this.#pins.get(reference);
  }

  mappingOf(sha256: Sha256): SignedMapping | undefined {
    return this.#mappings.get(sha256);
  }

  get counts(): { readonly pins: number; readonly mappings: number } {
    return { pins: this.#pins.size, mappings: this.#mappings.size };
  }
}
