/**
 * GET and HEAD of one blob.
 *
 * Why what leaves here is verified: the store takes no byte under a name that anyone may read before
 * its chunk group matched the BLAKE3 root, and a `BlobReader` gives out such bytes alone. A file that
 * somebody else may write (in place, or linked) has its fingerprint compared when it is opened and
 * again after each read, before the bytes are handed on, as for peers; one that changed is absent
 * from then on, and the answer under way is cut off, so that its length tells the client.
 */
import type { Bytes } from "../../src/core/bytes.ts";
import { isSeedmintError } from "../../src/core/errors.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";
import type { PaymentTerms } from "../ports.ts";
import type { BlobReader, BlobRecord, BlobStore } from "../store/blob_store.ts";
import type { Charging } from "./charging.ts";
import { isMultiRange, type Wanted, wantedOf } from "../http/conditions.ts";
import type { Exchange } from "./exchange.ts";
import type { ReplyHeaders } from "../http/message.ts";
import { busy, Refusal } from "../http/refusal.ts";
import { sendSpan } from "../http/sending.ts";
import { notFound } from "./refusal.ts";
import type { Till } from "./till.ts";

/** What answers need. */
export interface BlobParts {
  readonly store: BlobStore;
  readonly till: Till;
}

/** A blob that anyone may have. */
export type ServedRecord = BlobRecord & {
  readonly visibility: "public";
  readonly state: "complete";
};

/** Whether anyone may have it here: public, and whole. All else is as if it were not there. */
export function isServed(record: BlobRecord | undefined): record is ServedRecord {
  return record?.visibility === "public" && record.state === "complete";
}

/** Answers GET or HEAD of `record`, whose ETag is `name`. */
export async function answerBlob(
  parts: BlobParts,
  exchange: Exchange,
  options: {
    readonly record: BlobRecord;
    readonly name: string;
    /** @default what the record says */
    readonly mediaType?: string;
  },
): Promise<void> {
  const { record, name, mediaType = mediaTypeOf(record) } = options;
  exchange.hash = record.hash;
  const etag = `"${name}"`;
  const wanted = wantedOf(exchange.head.headers, { etag, size: record.size });
  const groups = groupsOf(wanted, record.size);
  const terms = groups.isEmpty ? undefined : await parts.till.termsOf(exchange, record, groups);
  const headers: ReplyHeaders = [
    ["ETag", etag],
    ["Accept-Ranges", "bytes"],
    ["Cache-Control", `${terms === undefined ? "public" : "private"}, max-age=31536000, immutable`],
  ];
  if (wanted.kind === "unchanged") return await exchange.reply(304, headers);
  if (terms !== undefined && isMultiRange(exchange.head.headers)) {
    throw new Refusal(416, "Ask for one range at a time: the whole would be charged");
  }
  const content: ReplyHeaders = [
    ...headers,
    ...contentHeaders({ size: record.size, mediaType }, wanted),
  ];
  const status = wanted.kind === "range" ? 206 : 200;
  if (exchange.head.method === "HEAD") {
    if (terms !== undefined) refuseUnpaid(parts.till, exchange, { record, terms, groups });
    return await exchange.begin(status, content);
  }
  if (terms === undefined) {
    await using reader = await openReader(parts.store, record);
    await exchange.begin(status, content);
    return await sendContent(exchange, reader, { wanted, charging: undefined });
  }
  const price = parts.till.priceOf(record, { terms, groups, purse: parts.till.purseOf(exchange) });
  const paying = await parts.till.collect(exchange, price);
  await using reader = await openReader(parts.store, record);
  await using charging = parts.till.open(record, { purse: paying, terms });
  await exchange.begin(status, content);
  await sendContent(exchange, reader, { wanted, charging });
}

/** HEAD tells the price, unless the session has what it takes; nothing is paid by it. */
function refuseUnpaid(
  till: Till,
  exchange: Exchange,
  asked: {
    readonly record: BlobRecord;
    readonly terms: PaymentTerms;
    readonly groups: RangeSet;
  },
): void {
  const purse = till.purseOf(exchange);
  const price = till.priceOf(asked.record, { terms: asked.terms, groups: asked.groups, purse });
  if (purse === undefined || !till.covers(purse, price)) throw till.demand(exchange, price, purse);
}

/** Headers that say what content an answer has. */
export function contentHeaders(
  { size, mediaType }: { readonly size: number; readonly mediaType: string },
  wanted: Wanted,
): ReplyHeaders {
  if (wanted.kind !== "range") {
    return [["Content-Type", mediaType], ["Content-Length", `${size}`]];
  }
  return [
    ["Content-Type", mediaType],
    ["Content-Length", `${wanted.end - wanted.start}`],
    ["Content-Range", `bytes ${wanted.start}-${wanted.end - 1}/${size}`],
  ];
}

/** The media type as a header can say it. */
export function mediaTypeOf(record: BlobRecord): string {
  const type = record.mediaType ?? "";
  return isMediaType(type) ? type : "application/octet-stream";
}

/** Whether `text` is a media type, with or without parameters. */
export function isMediaType(text: string): boolean {
  return text.length <= 255 &&
    /^[\w!#$&^.+-]{1,64}\/[\w!#$&^.+-]{1,64}(\s*;[\x20-\x7e]{0,120})?$/.test(text);
}

/** The chunk groups that an answer touches. */
export function groupsOf(wanted: Wanted, size: number): RangeSet {
  if (wanted.kind === "unchanged") return RangeSet.EMPTY;
  const { start, end } = wanted.kind === "all" ? { start: 0, end: size } : wanted;
  return RangeSet.of(Math.floor(start / GROUP_BYTES), Math.ceil(end / GROUP_BYTES));
}

async function openReader(store: BlobStore, record: BlobRecord): Promise<BlobReader> {
  let reader: BlobReader;
  try {
    reader = await store.openReader(record.hash);
  } catch (error) {
    if (isSeedmintError(error, "not-found")) throw notFound();
    throw busy(503, "It cannot be read at the moment; try again later", 10);
  }
  // What became damaged since the record was read is here in part at most.
  if (reader.groups.includes(groupsOf({ kind: "all" }, record.size))) return reader;
  await reader[Symbol.asyncDispose]();
  throw notFound();
}

/** Sends the bytes that `wanted` names. */
async function sendContent(
  exchange: Exchange,
  reader: BlobReader,
  options: { readonly wanted: Wanted; readonly charging: Charging | undefined },
): Promise<void> {
  const { wanted, charging } = options;
  const span = wanted.kind === "range" ? wanted : { start: 0, end: reader.size };
  await sendSpan(reader, span, {
    send: (bytes, at) => sendPiece(exchange, bytes, { at, charging }),
  });
}

/** Sends one piece, charged group by group before it goes. */
async function sendPiece(
  exchange: Exchange,
  bytes: Bytes,
  options: { readonly at: number; readonly charging: Charging | undefined },
): Promise<void> {
  const { at, charging } = options;
  if (charging === undefined) return await exchange.send(bytes);
  const lastGroup = Math.ceil((at + bytes.length) / GROUP_BYTES);
  let sent = 0;
  while (sent < bytes.length) {
    const group = Math.floor((at + sent) / GROUP_BYTES);
    const charged = await charging.charge(group, lastGroup, exchange.signal);
    if (charged.end === group) throw new OutOfCredit();
    const until = Math.min(bytes.length, charged.end * GROUP_BYTES - at);
    if (exchange.signal.aborted) {
      charging.giveBack(charged);
      throw exchange.signal.reason;
    }
    await exchange.send(bytes.subarray(sent, until));
    sent = until;
  }
}

/** The credit was used up by other answers of the same purse: this one ends short. */
class OutOfCredit extends Error {
  override readonly name = "OutOfCredit";
}
