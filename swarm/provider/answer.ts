/** The answer to one want for a blob that the requester may see. */
import type { Bytes } from "../../src/core/bytes.ts";
import { isSeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { truncateRanges } from "../bao/mod.ts";
import { COLLECTION_BYTES_MAX } from "../collection.ts";
import type { DirectServer } from "../direct/mod.ts";
import type { Fleet } from "../fleet.ts";
import type { ByteStream, Gate, Viewer } from "../ports.ts";
import {
  type Denied,
  type Granted,
  type PaymentRequired,
  type Want,
  WANT_BOUNDARIES_MAX,
} from "../protocol/mod.ts";
import type { BlobReader, BlobRecord, BlobStore } from "../store/blob_store.ts";
import { childItems, type CollectionCache } from "./collections.ts";
import { firstRuns } from "./lookup.ts";
import type { Metering } from "./metering.ts";
import type { Sender } from "./sender.ts";

/** How the answer to a want ended, for metrics. */
export type Outcome =
  | "served"
  | "direct"
  | "not-found"
  | "denied"
  | "busy"
  | "payment-required"
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
}

/** What a conversation needs of its provider. */
export interface ConversationContext {
  readonly store: BlobStore;
  readonly gate: Gate | undefined;
  readonly fleet: Pick<Fleet, "viewerOf">;
  readonly metering: Metering;
  readonly collections: CollectionCache;
  readonly direct: DirectServer | undefined;
  readonly clock: Clock;
  readonly onServed: ((event: ServedEvent) => void) | undefined;
}

/** One want under way. */
export interface Answer {
  readonly context: ConversationContext;
  readonly stream: ByteStream;
  readonly sender: Sender;
  readonly signal: AbortSignal;
  readonly want: Want;
  readonly viewer: Viewer;
  readonly record: BlobRecord;
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
  const refusal = await refusalOf(answer, groups);
  if (refusal !== undefined) {
    await sender.message(refusal);
    return refusal.t;
  }
  return want.format === "collection"
    ? await sendCollection(answer)
    : await sendBlob(answer, asked, groups);
}

function isServableCollection(record: BlobRecord): boolean {
  return record.kind === "collection" && record.state === "complete" &&
    record.size <= COLLECTION_BYTES_MAX;
}

/** What the gate says against serving. A gate that fails refuses: it may be about to ask a price. */
async function refusalOf(
  answer: Answer,
  groups: RangeSet,
): Promise<Denied | PaymentRequired | undefined> {
  const { context: { gate }, viewer, record } = answer;
  if (gate === undefined || gate.isFree?.(record.hash) === true) return undefined;
  try {
    const decided = await gate.decide({ viewer, root: record.hash, groups });
    if (decided.decision === "free") return undefined;
    if (decided.decision === "deny") return { t: "denied", code: codeOf(decided.code) };
    const { priceMsatPerMiB, minTopUpSat, mints, p2pk, locktimeMin } = decided;
    return { t: "payment-required", priceMsatPerMiB, minTopUpSat, mints, p2pk, locktimeMin };
  } catch {
    return { t: "denied", code: "internal" };
  }
}

/** What a gate calls its refusal, as far as the wire can say it. */
function codeOf(text: string): string {
  return /^[a-z][a-z0-9-]{0,31}$/.test(text) ? text : "refused";
}

async function sendBlob(answer: Answer, asked: RangeSet, groups: RangeSet): Promise<Outcome> {
  const { context, stream, sender, want, record, signal } = answer;
  if (want.direct === true && record.state === "complete") {
    const { peerId, relayed } = stream;
    const { hash, visibility } = record;
    const direct = context.direct?.offer({
      peerId,
      relayed,
      hash,
      visibility,
      groupCount: groups.count,
    });
    if (direct !== undefined) {
      await sender.message({ ...grantOf(answer, asked, groups), direct });
      await sender.message({ t: "end" });
      return "direct";
    }
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
    await sender.message(grantOf(answer, asked, held));
    const failure = await sendPieces(sender, reader.encode(held, { signal, ...sender.pieceRoom }));
    return await finish(sender, failure);
  } finally {
    await reader[Symbol.asyncDispose]();
  }
}

async function sendCollection(answer: Answer): Promise<Outcome> {
  const { context, sender, want, record, viewer, signal } = answer;
  const { store } = context;
  let children;
  try {
    children = await context.collections.childrenOf(record);
  } catch (error) {
    return await refuseUnreadable(sender, error);
  }
  await sender.message(grantOf(answer, RangeSet.EMPTY, RangeSet.EMPTY));
  const wanted = want.children ?? RangeSet.ALL;
  const items = childItems({
    store,
    viewer,
    visibility: record.visibility,
    children,
    wanted,
    signal,
  });
  let failure: string | undefined;
  try {
    for (let next = await stepOf(items); !next.done; next = await stepOf(items)) {
      const item = next.value;
      if (item.kind === "small") await sender.smallData(item.bytes);
      else if (item.kind === "piece") await sender.data(item.bytes);
      else await sender.message({ t: "missing", children: item.children });
    }
  } catch (error) {
    if (!(error instanceof ReadFailure)) throw error;
    failure = error.code;
  } finally {
    await items.return();
  }
  return await finish(sender, failure);
}

/** Sends all of `pieces`; returns the code of a failure to read them. */
async function sendPieces(
  sender: Sender,
  pieces: AsyncIterable<Bytes>,
): Promise<string | undefined> {
  const iterator = pieces[Symbol.asyncIterator]();
  try {
    for (let next = await stepOf(iterator); !next.done; next = await stepOf(iterator)) {
      await sender.ownData(next.value);
    }
    return undefined;
  } catch (error) {
    if (error instanceof ReadFailure) return error.code;
    throw error;
  } finally {
    await iterator.return?.();
  }
}

/** A failure of ours to read, as opposed to one of the stream to take it. */
class ReadFailure extends Error {
  readonly code: string;

  constructor(cause: unknown) {
    super("Cannot read what was granted", { cause });
    this.code = isSeedmintError(cause, "not-found") ? "gone" : "internal";
  }
}

async function stepOf<T>(iterator: AsyncIterator<T, void>): Promise<IteratorResult<T, void>> {
  try {
    return await iterator.next();
  } catch (cause) {
    throw new ReadFailure(cause);
  }
}

async function finish(sender: Sender, failure: string | undefined): Promise<Outcome> {
  if (failure === undefined) {
    await sender.message({ t: "end" });
    return "served";
  }
  await sender.message({ t: "failed", code: failure });
  return "failed";
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

function grantOf(answer: Answer, asked: RangeSet, groups: RangeSet): Granted {
  const { want, record } = answer;
  return {
    t: "granted",
    size: record.size,
    ...(want.hash === undefined ? { hash: record.hash } : {}),
    ...(groups.equals(asked) ? {} : { ranges: groups }),
    ...(record.visibility === "fleet" ? { visibility: "fleet" } : {}),
  };
}
