/**
 * What can be asked of a node about signed catalogs and the releases they list. Parameters and results
 * are plain JSON.
 */
import type { Hash, Sha256 } from "../../core/hash.ts";
import type { GetResult, NoteEvent, ProgressEvent } from "./methods.ts";

/** A publication that was refused, and why. */
export interface RefusedView {
  /** `unsigned`, `rollback`, `equivocation`, `expired`, `root-expired`, `future`, `content`, … */
  readonly code: string;
  readonly message: string;
  /** Where it was found. */
  readonly from: string;
  readonly sequence: number | null;
}

/** A catalog that is followed. */
export interface CatalogView {
  /** Name of the root, for people. */
  readonly root: string;
  readonly rootId: string;
  readonly rootVersion: number;
  readonly name: string;
  /** Sequence of the catalog that counts; null when none does. */
  readonly sequence: number | null;
  /** Its hash. */
  readonly hash: Hash | null;
  /** Who signed it: a role of the root, or `root`. */
  readonly role: string | null;
  readonly issuedMs: number | null;
  readonly expiresMs: number | null;
  readonly checkedMs: number | null;
  readonly releaseCount: number;
  readonly imageCount: number;
  readonly fileCount: number;
  readonly publishers: readonly string[];
  readonly url: string | null;
  readonly selectors: readonly string[];
  /** Of which images its word counts at the mirror. */
  readonly pins: readonly string[];
  /** Refusals of the last look. */
  readonly refused: readonly RefusedView[];
  /** What is wrong, in words; empty when all is well. */
  readonly problems: readonly string[];
}

/** One thing that a catalog lists. */
export interface CatalogEntryView {
  readonly catalog: string;
  readonly kind: "release" | "image" | "file";
  /** Of an image its reference. */
  readonly name: string;
  readonly version: string | null;
  readonly price: "free" | "priced";
  /** Name of the file; null for images. */
  readonly file: string | null;
  readonly platform: string | null;
  readonly size: number | null;
  /** Null for an image without a collection. */
  readonly hash: Hash | null;
  readonly sha256: Sha256 | null;
  /** Of an image. */
  readonly digest: string | null;
  readonly mediaType: string | null;
  /** Whether all of it is in the store; null when that is not known. */
  readonly here: boolean | null;
}

/** What a look for a newer catalog came to. */
export interface FollowResult extends CatalogView {
  /** `new`: a newer one counts now. */
  readonly outcome: "new" | "same" | "nothing" | "refused";
}

/** `catalog.follow` */
export interface FollowParams {
  /** `NAME` or `ROOT/NAME`. */
  readonly catalog: string;
  /** Absent: as before, or whoever. */
  readonly publishers?: readonly string[];
  /** Absent: as before, or none. */
  readonly url?: string;
  /** Absent: as before, or nothing. */
  readonly selectors?: readonly string[];
  /** Absent: as before, or none. */
  readonly pins?: readonly string[];
}

/** `catalog.publish`: paths are absolute. */
export interface PublishParams {
  readonly catalog: string;
  readonly seal: string;
  /** The file with every version of the root. */
  readonly root: string;
  /** Where the catalog's bytes may be had besides the swarm. */
  readonly urls: readonly string[];
  /** Files and folders that it lists, to be added to the store first. */
  readonly paths: readonly string[];
}

/** What came of publishing. */
export interface PublishResult {
  readonly root: string;
  readonly name: string;
  readonly sequence: number;
  readonly hash: Hash;
  readonly nostrKey: string;
  /** Relays that took it, of how many. */
  readonly relayCount: number;
  readonly relayCountAll: number;
  /** Entries that are neither in the store nor at an origin. */
  readonly missing: readonly { readonly name: string; readonly hash: Hash }[];
}

/** `release.get` */
export interface ReleaseGetParams {
  /** `NAME` or `NAME@VERSION`; the latest unless a version is given. */
  readonly release: string;
  /** `NAME` or `ROOT/NAME` of the catalog; absent: any that is followed. */
  readonly catalog?: string;
  /** `all`, or a platform such as `linux/amd64`. */
  readonly platform: string;
  /** Only this file of it. */
  readonly file?: string;
  /** Absolute path; a directory when it ends with `/` or is one already. Absent: stays in the store. */
  readonly output?: string;
  readonly overwrite: boolean;
}

/** One file of a release that was fetched. */
export interface ReleaseFile {
  readonly name: string;
  readonly platform: string | null;
  readonly hash: Hash;
  readonly sha256: Sha256;
  readonly size: number;
  readonly path: string | null;
  readonly sources: GetResult["sources"];
}

/** What `release.get` did. */
export interface ReleaseResult {
  readonly catalog: string;
  readonly sequence: number;
  readonly name: string;
  readonly version: string;
  readonly notes: string | null;
  readonly ms: number;
  readonly files: readonly ReleaseFile[];
}

/** Every method: parameters, events, result. */
export interface TrustMethods {
  "catalog.list": {
    params: Record<never, never>;
    event: never;
    result: { readonly catalogs: readonly CatalogView[] };
  };
  "catalog.entries": {
    params: { readonly catalog: string };
    event: { readonly event: "entry"; readonly entry: CatalogEntryView };
    result: CatalogView;
  };
  "catalog.follow": { params: FollowParams; event: NoteEvent; result: FollowResult };
  "catalog.unfollow": {
    params: { readonly catalog: string };
    event: never;
    result: { readonly catalog: string };
  };
  "catalog.publish": {
    params: PublishParams;
    event: NoteEvent | ProgressEvent;
    result: PublishResult;
  };
  "release.get": {
    params: ReleaseGetParams;
    event: NoteEvent | ProgressEvent;
    result: ReleaseResult;
  };
}
