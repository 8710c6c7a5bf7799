/** The answer to one want for a blob that the requester may see. */
import { isSeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { truncateRanges } from "../bao/mod.ts";
import { COLLECTION_BYTES_MAX, type CollectionChild } from "../collection.ts";
import type { DirectServer } from "../direct/mod.ts";
import type { Fleet } from "../fleet.ts";
import type { ByteStream, Gate, Receipts, Viewer } from "../ports.ts";
import { type DirectGrant, type Granted, type Want, WANT_BOUNDARIES_MAX } from "../protocol/mod.ts";
import type { BlobReader, BlobRecord, BlobStore } from "../store/blob_store.ts";
import { type ChildItem, childItems, type CollectionCache } from "./collections.ts";
import { granting, sendPieces } from "./granting.ts";
import { firstRuns } from "./lookup.ts";
import type { MeteredSending } from "./metered_sending.ts";
import type { Account, Metering } from "./metering.ts";
import type { Sender } from "./sender.ts";
import { childrenOn, type ServingTerms, termsOf } from "./terms.ts";
import type { Till } from "./till.ts";

/** How the answer to a want ended, for metrics. */
export type Outcome =
  | "served"
  | "direct"
  | "not-found"
  | "denied"
  | "busy"
  | "payment-required"
  /** A payment that came with the want is being looked at. */
  | "pending"
  /** It ended early, since the credit ended. */
  | "unpaid"
  | "failed"
  | "reset";

/** One want that was answered. */
export interface ServedEvent {
  readonly peerId: string;
  readonly outcome: Outcome;
  readonly path: "stream" | "direct";
  /** Payload bytes that were sent. */
  readonly bytes: number;
  readonly ms: number;
  /** The blob, when it was found and may be seen. */
  readonly hash?: Hash;
  /** Content bytes that were charged, when it cost something. */
  readonly paidBytes?: number;
  /** What they cost. */
  readonly priceMsatPerMiB?: number;
}

/** What a conversation needs of its provider. */
export interface ConversationContext {
  readonly store: BlobStore;
  readonly gate: Gate | undefined;
  readonly fleet: Pick<Fleet, "viewerOf">;
  readonly metering: Metering;
  readonly collections: CollectionCache;
  readonly direct: DirectServer | undefined;
  readonly receipts: Receipts | undefined;
  readonly clock: Clock;
  readonly onServed: ((event: ServedEvent) => void) | undefined;
}

/** One want under way. */
export interface Answer {
  readonly context: ConversationContext;
  readonly stream: ByteStream;
  readonly sender: Sender;
  readonly account: Account;
  readonly till: Till;
  readonly signal: AbortSignal;
  readonly want: Want;
  readonly viewer: Viewer;
  readonly record: BlobRecord;
  /** Told once, at the end of an answer that cost something. */
  readonly onPaid: (paid: Required<Pick<ServedEvent, "paidBytes" | "priceMsatPerMiB">>) => void;
}

/** Answers for a blob that the viewer may see. */
export async function answerSeen(answer: Answer): Promise<Outcome> {
  const { want, record, sender } = answer;
  if (want.format === "collection" && !isServableCollection(record)) return await notFound(sender);
  const asked = want.format === "collection"
    ? RangeSet.ALL
    : truncateRanges(want.ranges ?? RangeSet.ALL, record.size);
  const groups = firstRuns(asked.intersect(record.groups), WANT_BOUNDARIES_MAX);
  if (groups.isEmpty) return await notFound(sender);
  const terms = await termsOf(answer, groups);
  if (terms.kind === "refused") {
    await sender.message(terms.message);
    return terms.message.t;
  }
  return want.format === "collection"
    ? await sendCollection(answer, terms)
    : await sendBlob(answer, terms, { asked, groups });
}

function isServableCollection(record: BlobRecord): boolean {
  return record.kind === "collection" && record.state === "complete" &&
    record.size <= COLLECTION_BYTES_MAX;
}

async function sendBlob(
  answer: Answer,
  terms: ServingTerms,
  ranges: { readonly asked: RangeSet; readonly groups: RangeSet },
): Promise<Outcome> {
  const { context, sender, record, signal } = answer;
  const { asked, groups } = ranges;
  const direct = directOf(answer, terms, groups);
  if (direct !== undefined) {
    await sender.message({ ...grantOf(answer, terms, { asked, groups }), direct });
    await sender.message({ t: "end" });
    return "direct";
  }
  let reader: BlobReader;
  try {
    reader = await context.store.openReader(record.hash);
  } catch (error) {
    return await refuseUnreadable(sender, error);
  }
  try {
    const held = groups.intersect(reader.groups);
    if (held.isEmpty) return await notFound(sender);
    const granted = grantOf(answer, terms, { asked, groups: held });
    return await granting(answer, terms, granted, async (metered) => {
      metered?.begin(record.size, held);
      await sendPieces({
        pieces: reader.encode(held, { signal, ...sender.pieceRoom }),
        send: (piece) => metered === undefined ? sender.ownData(piece) : metered.piece(piece),
      });
    });
  } finally {
    await reader[Symbol.asyncDispose]();
  }
}

/** The direct path for this answer, when it may be offered. */
function directOf(answer: Answer, terms: ServingTerms, groups: RangeSet): DirectGrant | undefined {
  const { context, stream, want, viewer, record } = answer;
  if (want.direct !== true || record.state !== "complete") return undefined;
  return context.direct?.offer({
    viewer,
    relayed: stream.relayed,
    hash: record.hash,
    visibility: record.visibility,
    groupCount: groups.count,
    ...(terms.kind === "free" ? {} : { priceMsatPerMiB: terms.priceMsatPerMiB }),
  });
}

async function sendCollection(answer: Answer, terms: ServingTerms): Promise<Outcome> {
  const { context, sender, want, record, viewer, signal } = answer;
  const { store } = context;
  let children: readonly CollectionChild[];
  try {
    children = await context.collections.childrenOf(record);
  } catch (error) {
    return await refuseUnreadable(sender, error);
  }
  const granted = grantOf(answer, terms, { asked: RangeSet.EMPTY, groups: RangeSet.EMPTY });
  const wanted = want.children ?? RangeSet.ALL;
  const { visibility } = record;
  const isOnTerms = childrenOn(terms, { gate: context.gate, viewer });
  return await granting(answer, terms, granted, async (metered) => {
    await sendPieces({
      pieces: childItems({ store, viewer, visibility, children, wanted, isOnTerms, signal }),
      send: (item) => sendChildItem(item, sender, metered),
    });
  });
}

async function sendChildItem(
  item: ChildItem,
  sender: Sender,
  metered: MeteredSending | undefined,
): Promise<void> {
  switch (item.kind) {
    case "small":
      if (metered === undefined) return await sender.smallData(item.bytes);
      return await metered.small(item.bytes, (bytes) => sender.smallData(bytes));
    case "begin":
      return metered?.begin(item.size, RangeSet.ALL);
    case "piece":
      return metered === undefined
        ? await sender.data(item.bytes)
        : await metered.piece(item.bytes);
    case "missing":
      return await sender.message({ t: "missing", children: item.children });
  }
}

async function refuseUnreadable(sender: Sender, error: unknown): Promise<Outcome> {
  if (isSeedmintError(error, "not-found")) return await notFound(sender);
  await sender.message({ t: "denied", code: "internal" });
  return "denied";
}

/** Says that it is not here, in the very same words whatever the reason. */
export async function notFound(sender: Sender): Promise<Outcome> {
  await sender.message({ t: "not-found" });
  return "not-found";
}

function grantOf(
  answer: Answer,
  terms: ServingTerms,
  ranges: { readonly asked: RangeSet; readonly groups: RangeSet },
): Granted {
  const { want, record } = answer;
  const { asked, groups } = ranges;
  return {
    t: "granted",
    size: record.size,
    ...(want.hash === undefined ? { hash: record.hash } : {}),
    ...(groups.equals(asked) ? {} : { ranges: groups }),
    ...(record.visibility === "fleet" ? { visibility: "fleet" } : {}),
    ...(terms.kind === "free" ? {} : {
      priceMsatPerMiB: terms.priceMsatPerMiB,
      creditMsat: terms.creditMsat,
      ...(terms.channelSat === undefined ? {} : { channelSat: terms.channelSat }),
    }),
  };
}
