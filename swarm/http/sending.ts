/** Content of the store on its way out. */
import type { Bytes } from "../../src/core/bytes.ts";
import type { BlobReader } from "../store/blob_store.ts";
import { PIECE_BYTES } from "./limits.ts";

/** Bytes of a blob; `end` is the byte after the last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Sends the bytes of `span` in order; the next piece is read while one is sent. */
export async function sendSpan(
  reader: Pick<BlobReader, "read">,
  span: Span,
  options: {
    /** Sends one piece, which begins at byte `at`; its array is used again afterwards. */
    readonly send: (piece: Bytes, at: number) => Promise<void>;
    /** A multiple of the chunk group. @default {PIECE_BYTES} */
    readonly pieceBytes?: number;
  },
): Promise<void> {
  const { send, pieceBytes = PIECE_BYTES } = options;
  const bufferBytes = Math.min(pieceBytes, span.end - span.start);
  const buffers = [new Uint8Array(bufferBytes), new Uint8Array(bufferBytes)] as const;
  let piece = pieceAt(span, 0, pieceBytes);
  let reading = piece && readPiece(reader, piece, buffers[0]);
  for (let index = 0; piece !== undefined; index++) {
    const bytes = await reading!;
    const next = pieceAt(span, index + 1, pieceBytes);
    reading = next && readPiece(reader, next, buffers[index % 2 === 0 ? 1 : 0]);
    // Looked at in its turn; until then its failure is nobody's surprise.
    reading?.catch(() => {});
    try {
      await send(bytes, piece.start);
    } catch (error) {
      await reading?.catch(() => {});
      throw error;
    }
    piece = next;
  }
}

/** Piece `index` of a span: pieces end where groups end, so that no group is in two of them. */
function pieceAt(span: Span, index: number, pieceBytes: number): Span | undefined {
  const first = Math.floor(span.start / pieceBytes);
  const start = Math.max(span.start, (first + index) * pieceBytes);
  const end = Math.min(span.end, (first + index + 1) * pieceBytes);
  return start < end ? { start, end } : undefined;
}

async function readPiece(
  reader: Pick<BlobReader, "read">,
  piece: Span,
  buffer: Bytes,
): Promise<Bytes> {
  const target = buffer.subarray(0, piece.end - piece.start);
  let at = 0;
  while (at < target.length) {
    const count = await reader.read(piece.start + at, target.subarray(at));
    if (count === 0) throw new Error("The blob ended early");
    at += count;
  }
  return target;
}
