/**
 * `POST /session`: one payment for many blobs, such as all layers of an image; and `GET /session`:
 * what is left.
 */
import { isSeedmintError } from "../../src/core/errors.ts";
import { type Hash, isHash, isSha256 } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { groupCountOf } from "../bao/geometry.ts";
import type { PaymentTerms } from "../ports.ts";
import { readCollection } from "../read_whole.ts";
import type { BlobRecord, BlobStore } from "../store/blob_store.ts";
import { isServed } from "./blobs.ts";
import type { Exchange } from "./exchange.ts";
import {
  BODY_BYTES_MAX,
  BURST_SECONDS,
  SESSION_BLOBS_MAX,
  SESSION_BLOBS_PER_REQUEST,
  SESSION_COLLECTION_BYTES_MAX,
} from "./limits.ts";
import type { Price } from "./prices.ts";
import type { Purse } from "./purses.ts";
import { busy, Refusal } from "../http/refusal.ts";
import { notFound } from "./refusal.ts";
import type { Till } from "./till.ts";

/** What sessions need. */
export interface SessionParts {
  readonly store: BlobStore;
  readonly till: Till;
}

/** Opens a session, or adds to the one whose bearer token is sent. */
export async function openSession(parts: SessionParts, exchange: Exchange): Promise<void> {
  const { till } = parts;
  if (exchange.isFromPage) {
    throw new Refusal(403, "A web page cannot pay here; open the session with a program");
  }
  // Adding up a collection costs us something, too.
  if (!exchange.client.payments.tryTake(1)) {
    throw busy(429, "Too many sessions from your address; try again later", BURST_SECONDS);
  }
  const records = await wantedBlobs(parts, exchange);
  const price = await sumOf(parts, exchange, records);
  if (price === undefined) {
    return await exchange.replyJson(200, { free: true, message: "All of it is free: just GET it" });
  }
  const purse = await till.collect(exchange, price);
  await exchange.replyJson(201, sessionOf(till, purse));
}

/** Tells what a session has left. */
export async function showSession({ till }: SessionParts, exchange: Exchange): Promise<void> {
  const purse = till.bearerOf(exchange);
  if (purse === undefined) {
    throw new Refusal(401, "Send Authorization: Bearer and the session; POST /session opens one", {
      headers: [["WWW-Authenticate", "Bearer"]],
    });
  }
  await exchange.replyJson(200, sessionOf(till, purse));
}

function sessionOf(till: Till, purse: Purse): unknown {
  return { session: purse.bearer, creditMsat: till.creditOf(purse) };
}

/** The blobs that the body of the request names. @throws {Refusal} 400 or 404 */
async function wantedBlobs({ store }: SessionParts, exchange: Exchange): Promise<BlobRecord[]> {
  const { blobs, collection } = readBody(await exchange.smallBody(BODY_BYTES_MAX));
  chargeFor(exchange, blobs.length);
  const records = new Map<Hash, BlobRecord>();
  const add = (record: BlobRecord | undefined) => {
    if (isServed(record)) records.set(record.hash, record);
    return isServed(record);
  };
  for (const name of blobs) {
    // A bare digest is taken for BLAKE3 first, as everywhere in this node.
    const hex = name.replace(/^(blake3|sha256):/, "");
    const byHash = !name.startsWith("sha256:") && isHash(hex) && add(store.status(hex));
    const isHere = byHash ||
      (!name.startsWith("blake3:") && isSha256(hex) && add(store.findBySha256(hex)));
    if (!isHere) throw notFound();
  }
  if (collection !== undefined) {
    const root = store.status(collection);
    if (!isServed(root) || root.kind !== "collection") throw notFound();
    if (root.size > SESSION_COLLECTION_BYTES_MAX) {
      throw new Refusal(413, "The collection is too large; open a session for some of its blobs");
    }
    add(root);
    const children = await childrenOf(store, root);
    chargeFor(exchange, children.length);
    for (const child of children) add(store.status(child));
  }
  if (records.size > SESSION_BLOBS_MAX) {
    throw new Refusal(413, `A session is opened for at most ${SESSION_BLOBS_MAX} blobs; open two`);
  }
  return [...records.values()];
}

/** Looking at many blobs counts for as many requests, which are owed where there were not enough. */
function chargeFor({ client }: Exchange, blobCount: number): void {
  client.requests.take(Math.floor(blobCount / SESSION_BLOBS_PER_REQUEST));
}

async function childrenOf(store: BlobStore, root: BlobRecord): Promise<Hash[]> {
  try {
    return (await readCollection(store, root.hash)).map(({ hash }) => hash);
  } catch (error) {
    if (isSeedmintError(error)) throw notFound();
    throw error;
  }
}

function readBody(
  body: Uint8Array,
): { readonly blobs: readonly string[]; readonly collection: Hash | undefined } {
  const malformed = () =>
    new Refusal(400, 'A body such as {"blobs":["<hash>"]} or {"collection":"<hash>"} is wanted');
  let raw: unknown;
  try {
    raw = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw malformed();
  }
  if (typeof raw !== "object" || raw === null) throw malformed();
  const { blobs = [], collection } = raw as Record<string, unknown>;
  if (!Array.isArray(blobs) || !blobs.every((name) => typeof name === "string")) throw malformed();
  if (collection !== undefined && !isHash(collection)) throw malformed();
  if (blobs.length === 0 && collection === undefined) throw malformed();
  return { blobs, collection };
}

/** What all of it costs together, on the strictest of the terms; undefined if it is free. */
async function sumOf(
  { till }: SessionParts,
  exchange: Exchange,
  records: readonly BlobRecord[],
): Promise<Price | undefined> {
  const purse = till.purseOf(exchange);
  let terms: PaymentTerms | undefined;
  let costMsat = 0;
  for (const record of records) {
    if (record.size === 0) continue;
    const groups = RangeSet.of(0, groupCountOf(record.size));
    const own = await till.termsOf(exchange, record, groups);
    if (own === undefined) continue;
    costMsat += till.priceOf(record, { terms: own, groups, purse }).costMsat;
    terms = terms === undefined ? own : strictest(terms, own);
  }
  return terms === undefined ? undefined : { terms, costMsat };
}

/** One payment must do for both; the mints of both, so at least one of a well-made gate. */
function strictest(a: PaymentTerms, b: PaymentTerms): PaymentTerms {
  const common = a.mints.filter((mint) => b.mints.includes(mint));
  return {
    priceMsatPerMiB: Math.max(a.priceMsatPerMiB, b.priceMsatPerMiB),
    minTopUpSat: Math.max(a.minTopUpSat, b.minTopUpSat),
    mints: common.length > 0 ? common : a.mints,
    p2pk: a.p2pk,
    locktimeMin: Math.max(a.locktimeMin, b.locktimeMin),
  };
}
