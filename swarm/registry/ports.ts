/**
 * The seams of the registry: what its HTTP side asks (the mirror and the local registry answer), what
 * an upstream registry gives, and what signed catalogs and the swarm know of digests.
 */
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { FetchReport } from "../fetch/mod.ts";
import type { Origin, ProviderHint } from "../ports.ts";
import type { BlobAttributes, BlobRecord } from "../store/blob_store.ts";
import type { Digest, Reference, RepositoryName } from "./names.ts";

/** What a manifest lists: one blob or another manifest (OCI image-spec `descriptor`). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string;
  };
}

/** A manifest or an index, byte for byte as it was pushed. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether the origin could not be asked and this is the last good answer for the tag. */
  readonly isStale?: boolean;
}

/** A blob that can be delivered, now or as it arrives. */
export interface BlobDelivery extends AsyncDisposable {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** The blob, when it is complete here: then a reader of the store is the fastest way. */
  readonly record?: BlobRecord;
  /**
   * Verified bytes from `start` to `end`, in order, as they arrive; nothing is fetched for what is not
   * read. Ending the iteration early ends the work for it. An array is valid until the next is asked.
   *
   * @throws {SeedmintError} When nobody can deliver the rest: the answer is to be cut off.
   */
  read(
    range: { readonly start: number; readonly end: number },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** One page of a listing, in ascending order of bytes. */
export interface Page {
  readonly items: readonly string[];
  readonly hasMore: boolean;
}

/** Where a page begins: after `last`, at most `count` items. */
export interface PageRequest {
  readonly count: number;
  readonly last?: string;
}

/** Who asks, and until when. */
export interface AskOptions {
  readonly signal: AbortSignal;
}

/**
 * Reading a registry; undefined is 404, quickly. Throws a `SeedmintError` (`unavailable`, `timeout`,
 * `busy`, `denied`…) only when something is wrong that the client's own origin would not have.
 */
export interface RegistryReader {
  manifest(
    name: RepositoryName,
    reference: Reference,
    options: AskOptions & {
      /** Media types that the client takes; empty: any. Never converted. */
      readonly accept: readonly string[];
      /** HEAD: the bytes are not sent. */
      readonly isHead: boolean;
    },
  ): Promise<StoredManifest | undefined>;
  blob(
    name: RepositoryName,
    digest: Digest,
    options: AskOptions & { readonly isHead: boolean },
  ): Promise<BlobDelivery | undefined>;
  tags(name: RepositoryName, page: PageRequest, options: AskOptions): Promise<Page | undefined>;
  /** Manifests whose `subject` is `digest`; empty when there are none. */
  referrers(
    name: RepositoryName,
    digest: Digest,
    options: AskOptions & { readonly artifactType?: string },
  ): Promise<readonly Descriptor[]>;
  /** Names of repositories that are here. */
  repositories(page: PageRequest): Promise<Page>;
}

/** An upload under way. */
export interface UploadStatus {
  readonly id: string;
  /** Bytes taken so far. */
  readonly offset: number;
}

/** Writing to the local registry. Repositories are plain paths: it has no registry host. */
export interface RegistryWriter {
  /** @throws {SeedmintError} `busy` when too many are under way. */
  beginUpload(repository: string): Promise<UploadStatus>;
  uploadStatus(repository: string, id: string): UploadStatus | undefined;
  /**
   * Appends a chunk.
   *
   * @returns Undefined if there is no such upload.
   * @throws {SeedmintError} `conflict` if it does not begin at the upload's offset; `no-space`.
   */
  append(
    repository: string,
    id: string,
    chunk: AsyncIterable<Uint8Array<ArrayBuffer>>,
    options: { readonly start?: number; readonly signal: AbortSignal },
  ): Promise<UploadStatus | undefined>;
  /**
   * Ends an upload whose bytes must have `digest`, and keeps the blob.
   *
   * @returns False if there is no such upload.
   * @throws {SeedmintError} `corrupt` if they have not; the upload is gone then.
   */
  finishUpload(repository: string, id: string, digest: Digest): Promise<boolean>;
  cancelUpload(repository: string, id: string): Promise<boolean>;
  /** Makes a blob of `from` (or of any repository here) one of `repository`. False if it is not here. */
  mount(repository: string, digest: Digest, from: string | undefined): Promise<boolean>;
  /**
   * Keeps a manifest, under a tag if `reference` is one.
   *
   * @returns Its digest and, when it refers to a `subject`, the subject's digest.
   * @throws {SeedmintError} `invalid` for no manifest; `not-found` with a message that names the blob
   * or manifest that it lists and that is not here; `corrupt` if the digest in `reference` is not its.
   */
  putManifest(
    repository: string,
    reference: Reference,
    manifest: { readonly mediaType: string; readonly bytes: Uint8Array<ArrayBuffer> },
  ): Promise<{ readonly digest: Digest; readonly subject?: Digest }>;
  /** Deletes a tag, or a manifest with all its tags. False if it is not here. */
  deleteManifest(repository: string, reference: Reference): Promise<boolean>;
  /** Takes a blob out of a repository. False if it is not in it. */
  deleteBlob(repository: string, digest: Digest): Promise<boolean>;
}

/** What an upstream registry said of a manifest. */
export type UpstreamManifest =
  | ({ readonly status: "found"; readonly etag?: string } & StoredManifest)
  /** As the `etag` or digest that was sent along says, nothing changed. */
  | { readonly status: "unchanged" }
  | { readonly status: "missing" }
  /** 401 or 403, even with our credential. */
  | { readonly status: "denied" }
  /** 429: not before so many milliseconds. */
  | { readonly status: "limited"; readonly retryMs: number };

/** An OCI registry elsewhere, with its tokens, redirects and limits. Never throws for what it answers
 * in order; `unavailable`, `timeout`, `protocol` otherwise. */
export interface Upstream {
  /** Canonical host. */
  readonly registry: string;
  /**
   * Whether `repository` is asked for with a credential of this node that it needs: false once it turned
   * out that anybody is let in without.
   */
  hasCredential(repository: string): boolean;
  manifest(
    repository: string,
    reference: Reference,
    options: {
      readonly signal: AbortSignal;
      /** Of an earlier answer for the same reference. */
      readonly etag?: string;
      /** HEAD: `bytes` is empty in the answer. */
      readonly isHead?: boolean;
    },
  ): Promise<UpstreamManifest>;
  /** Whether the blob is there and may be had, by HEAD: its size, or why not. */
  blobSize(
    repository: string,
    digest: Digest,
    options: AskOptions,
  ): Promise<
    { readonly status: "found"; readonly size: number } | {
      readonly status: "missing" | "denied" | "limited";
    }
  >;
  /** The blob as an origin with ranges: tokens and redirects inside, no token ever sent to a CDN. */
  blobOrigin(repository: string, digest: Digest): Origin;
  tags(repository: string, page: PageRequest, options: AskOptions): Promise<Page | undefined>;
  referrers(
    repository: string,
    digest: Digest,
    options: AskOptions & { readonly artifactType?: string },
  ): Promise<readonly Descriptor[] | undefined>;
}

/** What names a blob of the swarm for a digest. */
export interface DigestMapping {
  readonly sha256: Sha256;
  readonly hash: Hash;
  readonly size: number;
}

/** What signed catalogs say. The trust layer answers; without it nothing is pinned. */
export interface SignedPins {
  /** The digest that a trusted catalog pins a tag to. */
  pinOf(name: RepositoryName, tag: string): Digest | undefined;
  /** A mapping that a trusted key signed. */
  mappingOf(sha256: Sha256): DigestMapping | undefined;
}

/** The swarm as the mirror uses it; the node's own transfers implement it. */
export interface SwarmFetch {
  /** Peers that may have content with this SHA-256; ends by itself or on abort. */
  find(sha256: Sha256, options: AskOptions): AsyncIterable<ProviderHint>;
  /** Whether what this peer says of digests is believed: a fleet member or a pinned publisher. */
  isTrusted(hint: ProviderHint): boolean;
  /**
   * Asks a peer in one question what it holds whole of content with these digests (`Have` takes
   * SHA-256). Answers in their order; undefined for what it does not hold. What adverts say is not
   * enough: one that lists a manifest's digest is that of the image's collection.
   *
   * @throws {SeedmintError} If the peer cannot be asked.
   */
  ask(
    hint: ProviderHint,
    sha256s: readonly Sha256[],
    options: AskOptions,
  ): Promise<readonly (DigestMapping | undefined)[]>;
  /** What this peer said of a digest proved false: it is not believed again. */
  ban(hint: ProviderHint, reason: string): void;
  /**
   * Fetches a blob into the store, from peers first, `origin` behind them. Never pays.
   *
   * @throws {SeedmintError} If nobody delivers it.
   */
  fetch(
    request: {
      readonly hash: Hash;
      /** As somebody claims; a larger blob is refused. */
      readonly size?: number;
      readonly hints: readonly ProviderHint[];
      readonly origin?: Origin;
      readonly attributes?: BlobAttributes;
      /** Where somebody reads, in bytes: what follows is fetched first (see `fetchBlob`). */
      readonly position?: () => number | undefined;
      /** Called as bytes of `origin` come, which may be verified much later. */
      readonly onReceived?: (bytes: number) => void;
      readonly signal: AbortSignal;
    },
  ): Promise<FetchReport>;
}

/**
 * Content known only by its SHA-256, brought in by this node or with the fleet's help (see
 * `swarm/cascade`): hashed both ways on the way in, kept once its digest is right.
 */
export interface DigestIntake {
  /**
   * One intake for one digest, whoever asks: joins the one under way.
   *
   * @throws {SeedmintError} `corrupt` if its bytes have another digest; what `origin` throws.
   */
  bring(
    request: {
      readonly sha256: Sha256;
      readonly size: number;
      readonly origin: Origin;
      readonly attributes?: BlobAttributes;
      readonly signal: AbortSignal;
      readonly onProgress?: (bytes: number) => void;
    },
  ): Promise<BlobRecord>;
}
