/** What the operator decides about the gateway, and what the application plugs into it. */
import type { Bytes } from "../../src/core/bytes.ts";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import type { Gate } from "../ports.ts";
import type { BlobAttributes, BlobStore } from "../store/blob_store.ts";
import type { GatewayLimits } from "./limits.ts";
import type { PaymentRequests } from "./payment_requests.ts";

/** A blob to be had from servers that somebody named (Blossom BUD-10, BUD-04). */
export interface ServerFetch {
  readonly sha256: Sha256;
  /** Origins such as `https://cdn.example.com`; where no scheme was said, `https:` comes first. */
  readonly servers: readonly string[];
  /** Nostr keys, 64 hex digits, whose server lists (kind 10063) may name more. */
  readonly authors: readonly string[];
  /** The size that was promised, in bytes. */
  readonly size?: number;
  readonly sizeMax: number;
  readonly signal: AbortSignal;
}

/**
 * Brings a blob into the store, public and complete, verified against its SHA-256. It must never
 * spend, and never connect to an address of a private network or of this machine (redirects
 * included) unless the operator allowed it.
 *
 * @returns Whether the blob is here now.
 */
export type FetchBySha256 = (request: ServerFetch) => Promise<boolean>;

/**
 * Brings a blob into the store for somebody who watches it as it comes. It must never spend.
 *
 * @throws {SeedmintError} If nobody delivers it.
 */
export type MediaFetch = (
  request: {
    readonly hash: Hash;
    /** Bytes, as the collection says; 0 for a collection. */
    readonly size: number;
    /** The collection that lists it: who has that has this. */
    readonly collection?: Hash;
    readonly attributes: BlobAttributes;
    /** Where it is watched, in bytes: what follows is wanted first. */
    readonly position: () => number | undefined;
    readonly signal: AbortSignal;
  },
) => Promise<unknown>;

/** Playing what is not here yet, for players on this machine. */
export interface MediaSettings {
  readonly fetch: MediaFetch;
}

/** Who may upload (Blossom BUD-02, BUD-11), and what. */
export interface UploadSettings {
  /** Nostr keys, 64 hex digits, that may upload, and delete what they uploaded. */
  readonly keys: readonly string[];
  /** @default {UPLOAD_BYTES_MAX} */
  readonly bytesMax?: number;
  /**
   * Whether something of this node needs the blob, such as a collection: then a DELETE takes away
   * the uploader's claim alone. Pinned blobs are kept anyway.
   */
  readonly isNeeded?: (hash: Hash) => boolean;
  /** Offers `PUT /mirror` (BUD-04) to the same keys. */
  readonly mirror?: FetchBySha256;
}

/** Being the local Blossom cache of this machine, on loopback alone. */
export interface LocalCacheSettings {
  /** Follows `xs` and `as` hints for programs, never for web pages. Absent: hints are ignored. */
  readonly fetchBySha256?: FetchBySha256;
  /** Lets programs on this machine store blobs without a signature. They are public. @default {false} */
  readonly uploads?: boolean;
}

/** One GET or HEAD of a blob, an upload or a deletion that was answered. */
export interface GatewayEvent {
  readonly method: string;
  readonly status: number;
  /** Content bytes that were sent or, for an upload, taken. */
  readonly bytes: number;
  readonly ms: number;
  /** The blob, when it was found and may be seen. */
  readonly hash?: Hash;
}

/** Where and how the gateway listens. */
export interface GatewaySettings {
  /** @default {"127.0.0.1"} */
  readonly hostname?: string;
  /** 0 lets the system choose, which suits tests alone. */
  readonly port: number;
  /**
   * Where clients reach it, such as `https://cdn.example.com`: what a proxy with TLS shows. It is
   * written into URLs, and its name counts as ours in authorizations. @default the address listened on
   */
  readonly publicUrl?: string;
  /** Addresses of proxies of ours, whose last `X-Forwarded-For` names the client. */
  readonly proxies?: readonly string[];
  readonly uploads?: UploadSettings;
  /** Absent: `/media` gives only what is here. */
  readonly media?: MediaSettings;
  /** Set: only `hostname` of loopback is listened on. */
  readonly localCache?: LocalCacheSettings;
  readonly limits?: Partial<GatewayLimits>;
}

/** Options of {@link Gateway.start}. */
export interface GatewayOptions extends GatewaySettings {
  readonly store: BlobStore;
  /** Absent: everything public is free. */
  readonly gate?: Gate;
  /** Without it, priced content is refused in words. */
  readonly payments?: PaymentRequests;
  /**
   * 32 secret bytes that sessions are sealed with. Kept over restarts, sessions and their credit
   * outlive them. @default chosen at each start
   */
  readonly sessionKey?: Bytes;
  readonly clock: Clock;
  readonly random: Random;
  readonly onServed?: (event: GatewayEvent) => void;
}
