/**
 * `GET`, `HEAD /media/<collection>/<path>`: films, and playlists with their segments, as a browser's
 * video element and players ask for them. What is not here yet is fetched for programs and pages of
 * this machine alone, and only of a collection that is here, or that a program of this machine names.
 */
import { isSeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import { isLoopbackHost } from "../../src/nostr/relay/hosts.ts";
import { type CollectionChild, decodeCollection } from "../collection.ts";
import { wantedOf } from "../http/conditions.ts";
import type { ReplyHeaders } from "../http/message.ts";
import { busy } from "../http/refusal.ts";
import { readWhole } from "../read_whole.ts";
import type { BlobStore } from "../store/blob_store.ts";
import {
  answerBlob,
  type BlobParts,
  contentHeaders,
  groupsOf,
  isMediaType,
  isServed,
} from "./blobs.ts";
import type { Exchange } from "./exchange.ts";
import { MEDIA_COLLECTION_BYTES_MAX, MEDIA_COLLECTIONS_MAX } from "./limits.ts";
import { type MediaBlob, MediaPlays } from "./media_plays.ts";
import { mediaTypeByName } from "./media_types.ts";
import type { GatewayOptions } from "./options.ts";
import { notFound } from "./refusal.ts";

/** Children of a collection by name. */
type Children = ReadonlyMap<string, CollectionChild>;

/** See the head of this file. */
export class Media implements AsyncDisposable {
  readonly #store: BlobStore;
  readonly #plays: MediaPlays | undefined;
  /** The collections that were asked for last; a player asks for many parts of one. */
  readonly #collections = new Map<Hash, Children>();

  constructor({ store, media, clock }: Pick<GatewayOptions, "store" | "media" | "clock">) {
    this.#store = store;
    this.#plays = media && new MediaPlays({ store, clock, fetch: media.fetch });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#plays?.[Symbol.asyncDispose]();
  }

  /** Answers with the child of `collection` that has this name. */
  async answer(
    parts: BlobParts,
    exchange: Exchange,
    { collection, name }: { readonly collection: Hash; readonly name: string },
  ): Promise<void> {
    const plays = isOfThisMachine(exchange) ? this.#plays : undefined;
    exchange.watch();
    const children = await this.#childrenOf(collection, exchange, plays);
    const child = children?.get(name);
    if (child === undefined) throw notFound();
    const mediaType = typeOf(child);
    const record = this.#store.status(child.hash);
    if (isServed(record)) {
      return await answerBlob(parts, exchange, { record, name: child.hash, mediaType });
    }
    const isHidden = record !== undefined && record.visibility !== "public";
    if (plays === undefined || isHidden) throw notFound();
    const { hash, size } = child;
    // What has a price is watched once it is here: none is asked for what may never come.
    if (await parts.till.termsOf(exchange, child, groupsOf({ kind: "all" }, size)) !== undefined) {
      throw notFound();
    }
    // Whose it is says whoever gives it: a viewer must not make a fleet's film everybody's.
    const attributes = { mediaType };
    await sendArriving(plays, exchange, {
      blob: { hash, size, collection, attributes },
      mediaType,
    });
  }

  async #childrenOf(
    hash: Hash,
    exchange: Exchange,
    plays: MediaPlays | undefined,
  ): Promise<Children | undefined> {
    if (!isServed(this.#store.status(hash))) {
      // A page could name anything; the collections that are here were chosen by the operator.
      if (plays === undefined || exchange.isFromPage || this.#store.status(hash) !== undefined) {
        return undefined;
      }
      const attributes = { kind: "collection" } as const;
      await orNotFound(plays.whole({ hash, size: 0, attributes }, exchange.signal));
      if (!isServed(this.#store.status(hash))) return undefined;
    }
    const known = this.#collections.get(hash);
    const children = known ?? await this.#read(hash);
    if (children === undefined) return undefined;
    this.#collections.delete(hash);
    this.#collections.set(hash, children);
    if (this.#collections.size > MEDIA_COLLECTIONS_MAX) {
      this.#collections.delete(this.#collections.keys().next().value!);
    }
    return children;
  }

  async #read(hash: Hash): Promise<Children | undefined> {
    const record = this.#store.status(hash);
    if (record?.kind !== "collection" || record.size > MEDIA_COLLECTION_BYTES_MAX) return undefined;
    try {
      const bytes = await readWhole(this.#store, hash, MEDIA_COLLECTION_BYTES_MAX);
      return new Map(decodeCollection(bytes).map((child) => [child.name, child]));
    } catch (error) {
      if (isSeedmintError(error, "protocol") || isSeedmintError(error, "not-found")) {
        return undefined;
      }
      throw error;
    }
  }
}

/** The media type of a child: as its publisher says, else as its name tells. */
function typeOf({ name, mediaType }: CollectionChild): string {
  return mediaType !== undefined && isMediaType(mediaType) ? mediaType : mediaTypeByName(name);
}

/**
 * Whether the other end is on this machine, and so by its own account: a page may be behind it, that
 * is what players run in, but no proxy for somebody else.
 */
function isOfThisMachine(exchange: Exchange): boolean {
  if (!exchange.isSameMachine) return false;
  const host = exchange.header("host") ?? "";
  if (!URL.canParse(`http://${host}`)) return false;
  return isLoopbackHost(new URL(`http://${host}`).hostname.replace(/^\[(.*)\]$/, "$1"));
}

/** Sends what comes while it comes; the head waits for the first bytes, and can be a 404 until then. */
async function sendArriving(
  plays: MediaPlays,
  exchange: Exchange,
  { blob, mediaType }: { readonly blob: MediaBlob; readonly mediaType: string },
): Promise<void> {
  const { hash, size } = blob;
  exchange.hash = hash;
  const etag = `"${hash}"`;
  const wanted = wantedOf(exchange.head.headers, { etag, size });
  const headers: ReplyHeaders = [
    ["ETag", etag],
    ["Accept-Ranges", "bytes"],
    ["Cache-Control", "public, max-age=31536000, immutable"],
  ];
  if (wanted.kind === "unchanged") return await exchange.reply(304, headers);
  const content = [...headers, ...contentHeaders({ size, mediaType }, wanted)];
  const status = wanted.kind === "range" ? 206 : 200;
  const span = wanted.kind === "range" ? wanted : { start: 0, end: size };
  if (exchange.head.method === "HEAD" || span.start === span.end) {
    return await exchange.begin(status, content);
  }
  try {
    for await (const piece of plays.read(blob, span, exchange.signal)) {
      if (exchange.status === 0) await exchange.begin(status, content);
      await exchange.send(piece);
    }
  } catch (error) {
    if (exchange.status === 0 && isSeedmintError(error) && !exchange.signal.aborted) {
      throw unwatchable(error.code);
    }
    throw error;
  }
}

async function orNotFound(fetching: Promise<void>): Promise<void> {
  try {
    await fetching;
  } catch (error) {
    if (isSeedmintError(error)) throw unwatchable(error.code);
    throw error;
  }
}

function unwatchable(code: string) {
  return code === "timeout" || code === "busy"
    ? busy(503, "Nobody delivers it at the moment; try again later", 5)
    : notFound();
}
