/** Which blobs get an advert, and where: a pure decision on what the store knows of them. */
import type { Hash } from "../../src/core/hash.ts";
import type { BlobRecord } from "../store/blob_store.ts";

/** Relays by who reads them. */
export type Channel = "public" | "fleet";

/** What the operator wants advertised. */
export type AnnouncePolicy =
  /** Every blob up to a limit; above it as `collections`. */
  | "all"
  /** Collections, and blobs that are tagged or pinned. */
  | "collections"
  /** Nothing of single blobs; the node itself is advertised all the same. */
  | "none";

/** Where a blob may be advertised; undefined for one that is private, or not whole. */
export function channelOf(record: BlobRecord | undefined): Channel | undefined {
  if (record === undefined || record.state !== "complete") return undefined;
  switch (record.visibility) {
    case "public":
      return "public";
    case "fleet":
      return "fleet";
    case "private":
      return undefined;
  }
}

/** Whether somebody asked for this very blob to be kept: those are advertised first. */
export function isRoot(record: BlobRecord): boolean {
  return record.kind === "collection" || record.pinned || record.tags.length > 0;
}

/** Keeps count of what could be advertised, and decides whether single blobs still are. */
export class AdvertPolicy {
  readonly #policy: AnnouncePolicy;
  readonly #singleBlobsMax: number;
  readonly #singles = new Set<Hash>();
  #crowded = false;

  constructor(policy: AnnouncePolicy, options: { readonly singleBlobsMax: number }) {
    this.#policy = policy;
    this.#singleBlobsMax = options.singleBlobsMax;
  }

  /**
   * Notes what the store says of a blob now.
   *
   * @returns Blobs whose decision changed with it, because the limit was crossed.
   */
  note(hash: Hash, record: BlobRecord | undefined): readonly Hash[] {
    const isSingle = record !== undefined && channelOf(record) !== undefined && !isRoot(record);
    if (isSingle) this.#singles.add(hash);
    else this.#singles.delete(hash);
    // The way back is lower, so that one blob more or less does not turn all adverts on and off.
    const crowded = this.#singles.size > this.#singleBlobsMax * (this.#crowded ? 0.9 : 1);
    if (crowded === this.#crowded) return [];
    this.#crowded = crowded;
    return [...this.#singles];
  }

  /** Where the blob is to be advertised; undefined for nowhere. */
  decide(record: BlobRecord | undefined): Channel | undefined {
    const channel = channelOf(record);
    if (channel === undefined || this.#policy === "none") return undefined;
    if (isRoot(record!)) return channel;
    return this.#policy === "all" && !this.#crowded ? channel : undefined;
  }
}
