/**
 * The Bao encoding of ranges as a stream of pieces: big reads of data and of parents, laid out in
 * response order. While one piece is with the caller the next is being read.
 */
import type { Bytes } from "../../src/core/bytes.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, PARENT_BYTES } from "../bao/geometry.ts";
import { encodedItems } from "../bao/mod.ts";
import type { EncodeOptions } from "./blob_store.ts";
import { PIECE_BYTES } from "./limits.ts";

/** Where the bytes of one blob come from. Both calls fill the whole target or throw. */
export interface EncodeSource {
  readonly size: number;
  readData(offset: number, target: Bytes): Promise<void>;
  readParents(offset: number, target: Bytes): Promise<void>;
}

/** The first pieces are small, so that the first byte leaves early. */
const FIRST_PIECE_BYTES = 64 * 1024;

/** A group, and the most parents that can come before it: one for each level of the largest blob. */
const STEP_BYTES_MAX = GROUP_BYTES + 48 * PARENT_BYTES;

/** Items of one piece: a group's index, or a parent's offset as `-1 - offset`. */
interface PiecePlan {
  readonly items: readonly number[];
  readonly bytes: number;
}

/** Yields the encoding of `ranges`, all of them held, in pieces as `BlobReader.encode` says. */
export async function* encodePieces(
  source: EncodeSource,
  ranges: RangeSet,
  options: EncodeOptions = {},
): AsyncGenerator<Bytes, void, undefined> {
  const { roomBytes = 0 } = options;
  const plans = planPieces(source.size, ranges);
  let plan = plans.next();
  if (plan.done) return;
  let next: Promise<Bytes> | undefined = readPiece(source, plan.value, roomBytes);
  try {
    while (next !== undefined) {
      const piece: Bytes = await next;
      next = undefined;
      options.signal?.throwIfAborted();
      plan = plans.next();
      if (!plan.done) next = readPiece(source, plan.value, roomBytes);
      yield piece;
    }
  } finally {
    // A caller that stops early must not leave a read on a file that is about to be closed.
    await next?.catch(() => {});
  }
}

function* planPieces(size: number, ranges: RangeSet): Generator<PiecePlan> {
  let items: number[] = [];
  let bytes = 0;
  let bytesMax = Math.min(FIRST_PIECE_BYTES, PIECE_BYTES);
  for (const item of encodedItems(size, ranges)) {
    if (item.kind === "parent") {
      items.push(-1 - item.offset);
      bytes += PARENT_BYTES;
      continue;
    }
    items.push(item.index);
    bytes += item.size;
    if (bytes + STEP_BYTES_MAX <= bytesMax) continue;
    yield { items, bytes };
    items = [];
    bytes = 0;
    bytesMax = Math.min(bytesMax * 4, PIECE_BYTES);
  }
  if (items.length > 0) yield { items, bytes };
}

/**
 * Reads each contiguous run of groups and of parents at once, then lays them out in order. Groups
 * are read to the end of the piece and moved forward: a second megabyte for them would cost more
 * than the move.
 */
async function readPiece(
  source: EncodeSource,
  plan: PiecePlan,
  roomBytes: number,
): Promise<Bytes> {
  const groups: number[] = [];
  const parents: number[] = [];
  for (const item of plan.items) {
    if (item >= 0) groups.push(item * GROUP_BYTES);
    else parents.push(-1 - item);
  }
  const parentBytes = new Uint8Array(parents.length * PARENT_BYTES);
  const piece = new Uint8Array(roomBytes + plan.bytes).subarray(roomBytes);
  await readRuns(
    parents,
    PARENT_BYTES,
    parentBytes,
    (first, target) => source.readParents(parents[first]!, target),
  );
  await readRuns(
    groups,
    GROUP_BYTES,
    piece.subarray(parentBytes.length),
    (first, target) => source.readData(groups[first]!, target),
  );
  let at = 0;
  let parentAt = 0;
  let groupAt = parentBytes.length;
  for (const item of plan.items) {
    if (item < 0) {
      piece.set(parentBytes.subarray(parentAt, parentAt + PARENT_BYTES), at);
      parentAt += PARENT_BYTES;
      at += PARENT_BYTES;
    } else {
      const groupEnd = Math.min(groupAt + GROUP_BYTES, piece.length);
      if (at < groupAt) piece.copyWithin(at, groupAt, groupEnd);
      at += groupEnd - groupAt;
      groupAt = groupEnd;
    }
  }
  return piece;
}

/** Calls `read` once per run of `offsets` that are `step` apart, with its part of `target`. */
async function readRuns(
  offsets: readonly number[],
  step: number,
  target: Bytes,
  read: (first: number, target: Bytes) => Promise<void>,
): Promise<void> {
  let first = 0;
  for (let index = 1; index <= offsets.length; index++) {
    if (index < offsets.length && offsets[index] === offsets[index - 1]! + step) continue;
    const end = Math.min(index * step, target.length);
    if (end > first * step) await read(first, target.subarray(first * step, end));
    first = index;
  }
}
