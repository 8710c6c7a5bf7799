/** Uploading, deleting and listing (Blossom BUD-02, 06, 12), and mirroring (BUD-04). */
import { isSeedmintError } from "../../src/core/errors.ts";
import { isSha256, type Sha256 } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { BlobRecord, BlobStore } from "../store/blob_store.ts";
import type { Authorization, Authorizations } from "./authorization.ts";
import { isMediaType, isServed, mediaTypeOf } from "./blobs.ts";
import { Claims } from "./claims.ts";
import type { Exchange } from "./exchange.ts";
import {
  BODY_BYTES_MAX,
  HINT_FETCH_MS,
  LIST_COST,
  LIST_LIMIT_MAX,
  UPLOAD_BYTES_MAX,
  UPLOADS_MAX,
  USED_AUTHORIZATIONS_MAX,
} from "./limits.ts";
import { extensionOf } from "./media_types.ts";
import type { LocalCacheSettings, UploadSettings } from "./options.ts";
import { busy, Refusal } from "../http/refusal.ts";
import { notFound } from "./refusal.ts";

/** Options of {@link Uploads}. */
export interface UploadsOptions {
  readonly store: BlobStore;
  readonly claims: Claims;
  readonly clock: Clock;
  readonly settings: UploadSettings | undefined;
  readonly localCache: LocalCacheSettings | undefined;
  readonly authorizations: Authorizations;
  /** Where clients reach this server, without a slash at the end. */
  readonly publicUrl: string;
}

/** What an upload says of itself, and who sent it. */
interface Offer {
  readonly sha256: Sha256 | undefined;
  readonly size: number;
  readonly mediaType: string | undefined;
  /** Absent for a program of this machine. */
  readonly authorization: Authorization | undefined;
}

/** See the head of this file. */
export class Uploads {
  readonly #options: UploadsOptions;
  /** When a key deleted a blob, in seconds since 1970: what it signed before brings it not back. */
  readonly #deletedS = new Map<string, number>();
  #count = 0;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  /** `HEAD /upload`: whether the upload that the headers describe would be taken. */
  async preflight(exchange: Exchange): Promise<void> {
    const size = exchange.header("x-content-length");
    if (size !== undefined && !/^(0|[1-9][0-9]{0,15})$/.test(size)) {
      throw new Refusal(400, "X-Content-Length is no number");
    }
    const type = exchange.header("x-content-type");
    this.#offerOf(exchange, { size: size === undefined ? undefined : Number(size), type });
    await exchange.reply(200);
  }

  /** `PUT /upload`. The bytes are hashed as they come; nothing of a failed upload is kept. */
  async take(exchange: Exchange): Promise<void> {
    const { head } = exchange;
    if (head.isCoded) {
      throw new Refusal(411, "Say the size in Content-Length; chunks are not taken");
    }
    const offer = this.#offerOf(exchange, {
      size: head.hasLength ? head.contentLength : undefined,
      type: exchange.header("content-type"),
    });
    const known = offer.sha256 && this.#options.store.findBySha256(offer.sha256);
    if (isServed(known)) return await this.#claim(exchange, known, { offer, isNew: false });
    this.#begin();
    const startedMs = this.#options.clock.nowMs();
    let record: BlobRecord;
    try {
      record = await this.#import(exchange, offer, known);
    } finally {
      this.#count--;
    }
    exchange.bytes = record.size;
    await this.#claim(exchange, record, { offer, isNew: isNewSince(startedMs, known, record) });
  }

  /** `DELETE /<sha256>`: takes back what the key uploaded. */
  async delete(exchange: Exchange, sha256: Sha256): Promise<void> {
    const { authorizations, store, claims, settings, clock } = this.#options;
    const { publicKey } = authorizations.check(exchange.header("authorization"), {
      verb: "delete",
      sha256,
    });
    const record = store.findBySha256(sha256);
    if (!isServed(record)) throw notFound();
    if (!claims.has(record, publicKey)) {
      throw new Refusal(403, "This key did not upload it, so it cannot delete it");
    }
    const isNeeded = settings?.isNeeded?.(record.hash) === true;
    await claims.remove(record, { publicKey, isNeeded });
    if (this.#deletedS.size >= USED_AUTHORIZATIONS_MAX) {
      this.#deletedS.delete(this.#deletedS.keys().next().value!);
    }
    this.#deletedS.set(`${publicKey} ${sha256}`, Math.floor(clock.nowMs() / 1000));
    await exchange.reply(204);
  }

  /** `GET /list/<key>`: what an allowed key uploaded, the newest first. */
  async list(exchange: Exchange, publicKey: string): Promise<void> {
    if (!exchange.client.requests.tryTake(LIST_COST)) {
      throw busy(429, "Too many requests from your address; try again later", 5);
    }
    const { query } = exchange.head;
    const since = numberIn(query, "since") ?? 0;
    const until = numberIn(query, "until") ?? Infinity;
    const limit = Math.min(numberIn(query, "limit") ?? LIST_LIMIT_MAX, LIST_LIMIT_MAX);
    const cursor = query.get("cursor");
    if (cursor !== null && !isSha256(cursor)) throw new Refusal(400, "The cursor is no SHA-256");
    const isAllowed = this.#options.settings?.keys.includes(publicKey) === true;
    // What was hidden since is no place to go on from, as what never was here.
    const all = isAllowed ? this.#options.claims.list(publicKey).filter(isServed) : [];
    const begin = cursor === null ? 0 : all.findIndex(({ sha256 }) => sha256 === cursor) + 1;
    if (cursor !== null && begin === 0) throw new Refusal(400, "The cursor names nothing here");
    const page = all.slice(begin).filter((record) => {
      const uploadedS = Math.floor(record.addedMs / 1000);
      return record.sha256 !== undefined && uploadedS >= since && uploadedS <= until;
    });
    await exchange.replyJson(
      200,
      page.slice(0, limit).map((record) => this.#descriptorOf(record, record.sha256!)),
    );
  }

  /** `PUT /mirror`: uploads what another Blossom server has. */
  async mirror(exchange: Exchange): Promise<void> {
    const mirror = this.#options.settings?.mirror;
    if (mirror === undefined) throw new Refusal(404, "Mirroring is not offered here; upload it");
    if (exchange.isFromPage) {
      throw new Refusal(403, "A web page cannot make this server fetch; upload the bytes");
    }
    const url = urlIn(await exchange.smallBody(BODY_BYTES_MAX));
    const sha256 = /^\/([0-9a-f]{64})(?:\.[A-Za-z0-9.]{1,32})?$/.exec(url.pathname)?.[1];
    if (!isSha256(sha256)) {
      throw new Refusal(
        400,
        "The URL must be that of a Blossom server: /, a SHA-256, an extension",
      );
    }
    const { store, authorizations, clock } = this.#options;
    const authorization = authorizations.check(exchange.header("authorization"), {
      verb: "upload",
      sha256,
    });
    this.#refuseDeleted(authorization, sha256);
    const known = store.findBySha256(sha256);
    const offer: Offer = { sha256, size: 0, mediaType: undefined, authorization };
    if (isServed(known)) return await this.#claim(exchange, known, { offer, isNew: false });
    this.#begin();
    const startedMs = clock.nowMs();
    const late = new AbortController();
    const stop = clock.timer(HINT_FETCH_MS, () => late.abort());
    try {
      const isHere = await mirror({
        sha256,
        servers: [url.origin],
        authors: [],
        sizeMax: this.#bytesMax,
        signal: AbortSignal.any([exchange.signal, late.signal]),
      });
      const record = isHere ? store.findBySha256(sha256) : undefined;
      // What is here and hidden is as if no server had it: who asks need not have the bytes.
      if (!isServed(record)) throw new Error("not found");
      await this.#claim(exchange, record, { offer, isNew: isNewSince(startedMs, known, record) });
    } catch (error) {
      if (error instanceof Refusal) throw error;
      throw new Refusal(502, "The blob could not be had from there; upload the bytes");
    } finally {
      this.#count--;
      stop();
    }
  }

  /** Counts an upload, from a client or from another server. @throws {Refusal} 503 */
  #begin(): void {
    if (this.#count >= UPLOADS_MAX) {
      throw busy(503, "Too many uploads at one time; try again later", 10);
    }
    this.#count++;
  }

  get #bytesMax(): number {
    return this.#options.settings?.bytesMax ?? UPLOAD_BYTES_MAX;
  }

  /** Checks all that can be checked before the bytes. */
  #offerOf(
    exchange: Exchange,
    said: { readonly size: number | undefined; readonly type: string | undefined },
  ): Offer {
    const named = exchange.header("x-sha-256");
    if (named !== undefined && !isSha256(named)) {
      throw new Refusal(400, "X-SHA-256 is no SHA-256 in lower-case hex");
    }
    const authorization = this.#authorize(exchange, named);
    const sha256 = named ?? onlyOf(authorization);
    if (authorization !== undefined && sha256 === undefined) {
      throw new Refusal(400, "Say which of the authorized blobs it is in X-SHA-256");
    }
    if (said.size === undefined) {
      throw new Refusal(411, "Say the size of the blob in Content-Length");
    }
    if (said.size > this.#bytesMax) {
      throw new Refusal(413, `At most ${this.#bytesMax} bytes are taken`);
    }
    if (authorization !== undefined) this.#refuseDeleted(authorization, sha256!);
    const isKnownType = said.type !== undefined && isMediaType(said.type) &&
      // What programs send when they were told nothing.
      !/^application\/(octet-stream|x-www-form-urlencoded)\b/.test(said.type);
    return {
      sha256,
      size: said.size,
      mediaType: isKnownType ? said.type : undefined,
      authorization,
    };
  }

  #authorize(exchange: Exchange, sha256: Sha256 | undefined): Authorization | undefined {
    const { settings, localCache, authorizations } = this.#options;
    const isTrusted = localCache?.uploads === true && exchange.isLocal && !exchange.isFromPage;
    const header = exchange.header("authorization");
    if (isTrusted && header === undefined) return undefined;
    if (settings === undefined || settings.keys.length === 0) {
      throw new Refusal(403, "Uploads are not taken here; the operator can allow keys to upload");
    }
    return authorizations.check(header, { verb: "upload", sha256 });
  }

  #refuseDeleted(authorization: Authorization, sha256: Sha256): void {
    const deletedS = this.#deletedS.get(`${authorization.publicKey} ${sha256}`);
    if (deletedS === undefined || authorization.createdS > deletedS) return;
    throw new Refusal(
      401,
      "Not authorized: it was signed before the blob was deleted; sign another",
    );
  }

  async #import(
    exchange: Exchange,
    offer: Offer,
    known: BlobRecord | undefined,
  ): Promise<BlobRecord> {
    const { store } = this.#options;
    const body = exchange.body();
    const stream = ReadableStream.from(copied(body)) as ReadableStream<Uint8Array>;
    const { mediaType, authorization, sha256 } = offer;
    try {
      return await store.importStream(stream, {
        // What is here already keeps what is known of it.
        ...(known === undefined && mediaType !== undefined ? { mediaType } : {}),
        tag: Claims.tagOf(authorization?.publicKey),
        ...(sha256 === undefined ? {} : { expected: { sha256 } }),
        signal: exchange.signal,
      });
    } catch (error) {
      if (error instanceof Refusal) throw error;
      if (isSeedmintError(error, "corrupt")) {
        throw new Refusal(409, "The bytes are not those that the hash names; nothing was kept");
      }
      if (isSeedmintError(error, "no-space")) {
        exchange.close();
        throw new Refusal(507, "There is no room for it; nothing was kept");
      }
      exchange.close();
      throw busy(503, "The upload broke off; nothing was kept. Send it again");
    }
  }

  async #claim(
    exchange: Exchange,
    record: BlobRecord,
    options: { readonly offer: Offer; readonly isNew: boolean },
  ): Promise<void> {
    const { claims, store } = this.#options;
    const { offer, isNew } = options;
    const publicKey = offer.authorization?.publicKey;
    if (!isServed(record)) {
      // Its uploader has the bytes, so little is told; what the operator hid stays hidden.
      store.untag(record.hash, Claims.tagOf(publicKey));
      throw new Refusal(403, "This blob is not published here");
    }
    exchange.hash = record.hash;
    claims.add(record, { publicKey, isNew });
    const sha256 = record.sha256 ?? offer.sha256;
    await exchange.replyJson(isNew ? 201 : 200, this.#descriptorOf(record, sha256!));
  }

  #descriptorOf(record: BlobRecord, sha256: Sha256): unknown {
    const type = mediaTypeOf(record);
    return {
      url: `${this.#options.publicUrl}/${sha256}.${extensionOf(type)}`,
      sha256,
      size: record.size,
      type,
      uploaded: Math.floor(record.addedMs / 1000),
      blake3: record.hash,
    };
  }
}

/** Whether the upload brought the blob: one without a SHA-256 on record may have been here before. */
function isNewSince(
  startedMs: number,
  known: BlobRecord | undefined,
  record: BlobRecord,
): boolean {
  return known === undefined && record.addedMs >= startedMs;
}

function onlyOf(authorization: Authorization | undefined): Sha256 | undefined {
  if (authorization?.sha256s.size !== 1) return undefined;
  return [...authorization.sha256s][0];
}

function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^[0-9]{1,15}$/.test(text)) throw new Refusal(400, `${name} is no number`);
  return Number(text);
}

function urlIn(body: Uint8Array): URL {
  try {
    const { url } = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    const parsed = new URL(url);
    const isPlain = /^https?:$/.test(parsed.protocol) && parsed.username === "" &&
      parsed.password === "";
    if (isPlain) return parsed;
  } catch {
    // Refused below.
  }
  throw new Refusal(400, 'A body such as {"url":"https://..."} is wanted');
}

/** The pieces of a body in memory of their own: a store may keep them for a while. */
async function* copied(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for await (const piece of body) yield piece.slice();
}
