/** The seams of a follower: who tells of catalogs, and who brings their bytes. */
import type { SealStatement } from "../catalog/mod.ts";
import type { Publication } from "./publication.ts";

/** What is looked for. */
export interface CatalogQuery {
  /** Id of the root. */
  readonly root: string;
  /** Name of the catalog. */
  readonly catalog: string;
  /** The highest version of the root that is known. */
  readonly rootVersion: number;
  /** Nostr keys of publishers, 64 hex digits each; empty: whoever. */
  readonly publishers: readonly string[];
  /** Where its publication lies at an origin. */
  readonly url?: string;
}

/** A publication and where it came from. */
export interface FoundPublication extends Publication {
  /** For people: `relays`, an origin's host, a peer. */
  readonly from: string;
  /** The peer that told of it and has its bytes. */
  readonly peer?: { readonly peerId: string; readonly addrs: readonly string[] };
}

/** One way of finding catalogs. Everything that it yields is a hint. */
export interface CatalogFinder {
  readonly name: string;
  /**
   * Yields what is found as it comes, and ends by itself or on abort.
   *
   * @throws {SeedmintError} When this way cannot be gone at all.
   */
  find(
    query: CatalogQuery,
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<FoundPublication>;
  /** Calls `onNews` when a new publication may be there; what is returned ends it. */
  watch?(query: CatalogQuery, onNews: () => void): () => void;
}

/** Brings the bytes of a catalog. */
export interface CatalogBytes {
  /**
   * The bytes with the size and the BLAKE3 of `statement`, both checked.
   *
   * @throws {SeedmintError} If nobody delivers them.
   */
  fetch(
    statement: SealStatement,
    options: {
      readonly urls: readonly string[];
      readonly peer?: FoundPublication["peer"];
      readonly signal: AbortSignal;
    },
  ): Promise<Uint8Array>;
}
