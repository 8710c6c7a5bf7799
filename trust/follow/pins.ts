/** What accepted catalogs say of images and digests, ready to be asked often. */
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { Catalog } from "../catalog/mod.ts";

/** A host, and a repository or all below a path: `ghcr.io/acme/web`, `ghcr.io/acme/`, `ghcr.io/`. */
const SCOPE =
  /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?\/(?:[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/|$))*$/;

/** Characters of a scope at most: a reference has no more. */
const SCOPE_CHARS_MAX = 300;

/**
 * Whether `text` names images that a catalog may speak of: a repository with its registry, all
 * repositories below a path or of a registry when it ends with `/`, or `*` for whatever it likes.
 */
export function isPinScope(text: string): boolean {
  return text === "*" || (text.length <= SCOPE_CHARS_MAX && SCOPE.test(text));
}

/** Whether any of `scopes` has the image that `reference` (`registry/repository:tag`) names. */
export function isInScope(scopes: readonly string[], reference: string): boolean {
  const repository = reference.slice(0, reference.lastIndexOf(":"));
  return scopes.some((scope) =>
    scope === "*" || (scope.endsWith("/") ? repository.startsWith(scope) : repository === scope)
  );
}

/** A SHA-256, the BLAKE3 and the size of one content. */
export interface SignedMapping {
  readonly sha256: Sha256;
  readonly hash: Hash;
  readonly size: number;
}

/** A catalog, and of which images its word counts; see {@link isPinScope}. */
export interface PinningCatalog {
  readonly catalog: Catalog;
  readonly scopes: readonly string[];
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
    for (const { catalog, scopes } of catalogs) {
      if (scopes.length === 0) continue;
      const { images, releases, files } = catalog;
      for (const { reference, digest, blobs } of images) {
        if (!isInScope(scopes, reference)) continue;
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
