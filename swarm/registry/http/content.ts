/**
 * Content of a blob on its way to a client. A complete blob goes out of the store, and if its file
 * fails in the middle, what the delivery brings goes on where that ended: to podman and to Docker a
 * connection that is cut is an image that cannot be pulled.
 */
import { RangeSet } from "../../../src/core/range_set.ts";
import type { Bytes } from "../../../src/core/bytes.ts";
import { GROUP_BYTES } from "../../bao/geometry.ts";
import type { Wanted } from "../../http/conditions.ts";
import { PIECE_BYTES } from "../../http/limits.ts";
import type { ReplyHeaders } from "../../http/message.ts";
import { sendSpan, type Span } from "../../http/sending.ts";
import type { BlobReader } from "../../store/blob_store.ts";
import type { BlobDelivery } from "../ports.ts";
import type { RegistryExchange } from "./exchange.ts";
import { SENDING_BYTES_MAX, SENDING_PIECE_BYTES_MIN } from "./limits.ts";
import type { RegistryParts } from "./parts.ts";

/** An answer whose head is not sent before its first bytes are here: until then it may be another. */
export interface ContentAnswer {
  readonly status: number;
  readonly headers: ReplyHeaders;
  readonly span: Span;
}

/** The status, the headers and the span of an answer with content. */
export function contentAnswer(
  wanted: Exclude<Wanted, { kind: "unchanged" }>,
  size: number,
  headers: ReplyHeaders,
): ContentAnswer {
  if (wanted.kind === "all") {
    return {
      status: 200,
      headers: [...headers, ["Content-Length", `${size}`]],
      span: { start: 0, end: size },
    };
  }
  const { start, end } = wanted;
  return {
    status: 206,
    headers: [
      ...headers,
      ["Content-Length", `${end - start}`],
      ["Content-Range", `bytes ${start}-${end - 1}/${size}`],
    ],
    span: { start, end },
  };
}

/** Sends the head and the content of an answer. */
export async function sendDelivery(
  parts: RegistryParts,
  exchange: RegistryExchange,
  { delivery, answer }: { readonly delivery: BlobDelivery; readonly answer: ContentAnswer },
): Promise<void> {
  parts.sending++;
  try {
    const sent = await sendFromStore(parts, exchange, { delivery, answer });
    if (sent < answer.span.end || exchange.status === 0) {
      await sendArriving(exchange, { delivery, answer, from: sent });
    }
  } finally {
    parts.sending--;
  }
}

/** @returns Up to which byte the content was sent. */
async function sendFromStore(
  parts: RegistryParts,
  exchange: RegistryExchange,
  { delivery, answer }: { readonly delivery: BlobDelivery; readonly answer: ContentAnswer },
): Promise<number> {
  const { status, headers, span } = answer;
  await using reader = await openComplete(parts, delivery);
  if (reader === undefined) return span.start;
  await exchange.begin(status, headers);
  let sent = span.start;
  let clientFailed = false;
  try {
    await sendSpan(reader, span, {
      pieceBytes: pieceBytesFor(parts.sending),
      send: async (piece, at) => {
        clientFailed = true;
        await exchange.send(piece);
        clientFailed = false;
        sent = at + piece.length;
      },
    });
  } catch (error) {
    if (clientFailed || exchange.signal.aborted) throw error;
  }
  return sent;
}

/** Many answers at one time read less ahead each, so that memory stays what it was. */
function pieceBytesFor(sending: number): number {
  let bytes = PIECE_BYTES;
  // Each answer has two pieces: one being read, one being sent.
  while (bytes > SENDING_PIECE_BYTES_MIN && 2 * bytes * sending > SENDING_BYTES_MAX) bytes /= 2;
  return bytes;
}

async function openComplete(
  { store }: RegistryParts,
  { record }: BlobDelivery,
): Promise<BlobReader | undefined> {
  if (record?.state !== "complete") return undefined;
  let reader: BlobReader;
  try {
    reader = await store.openReader(record.hash);
  } catch {
    // Evicted or damaged since it was found: then the delivery knows what to do.
    return undefined;
  }
  if (reader.groups.includes(RangeSet.of(0, Math.ceil(record.size / GROUP_BYTES)))) return reader;
  await reader[Symbol.asyncDispose]();
  return undefined;
}

/** Sends what the delivery brings, from byte `from` on; the head too, unless that was sent. */
async function sendArriving(
  exchange: RegistryExchange,
  { delivery, answer, from }: {
    readonly delivery: BlobDelivery;
    readonly answer: ContentAnswer;
    readonly from: number;
  },
): Promise<void> {
  const { status, headers, span: { end } } = answer;
  let left = end - from;
  if (left === 0) {
    if (exchange.status === 0) await exchange.begin(status, headers);
    return;
  }
  for await (const piece of delivery.read({ start: from, end }, exchange.signal)) {
    if (exchange.status === 0) await exchange.begin(status, headers);
    left -= piece.length;
    if (left < 0) throw new Error("A delivery brought more than was asked of it");
    await exchange.send(piece as Bytes);
  }
  if (left > 0) throw new Error("A delivery brought less than was asked of it");
}
