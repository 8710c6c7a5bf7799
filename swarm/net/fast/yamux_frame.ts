/**
 * Frames of Yamux 1.0: a 12-byte header, and a payload after headers of type data.
 *
 *     version u8 = 0 | type u8 | flags u16 | stream id u32 | length u32      (big endian)
 *
 * Source: the Yamux specification (hashicorp/yamux, spec.md).
 */
import { YAMUX_HEADER_BYTES } from "./limits.ts";
import { returnMemory } from "./plaintext_memory.ts";

/** Payload of a stream. `length` is its size. */
export const TYPE_DATA = 0;
/** `length` more bytes may be sent on a stream. */
export const TYPE_WINDOW_UPDATE = 1;
/** Asks for an answer with the same `length`. */
export const TYPE_PING = 2;
/** No new streams; `length` is the reason. */
export const TYPE_GO_AWAY = 3;

/** Opens a stream, or asks with a ping. */
export const FLAG_SYN = 1;
/** Accepts a stream, or answers a ping. */
export const FLAG_ACK = 2;
/** The sender writes no more to the stream. */
export const FLAG_FIN = 4;
/** The stream is over at once. */
export const FLAG_RST = 8;

/** The session ends in good order. */
export const GO_AWAY_NORMAL = 0;
/** The other side broke the protocol. */
export const GO_AWAY_PROTOCOL_ERROR = 1;
/** This side failed. */
export const GO_AWAY_INTERNAL_ERROR = 2;

/** A decoded header. */
export interface YamuxHeader {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly length: number;
}

/** Encodes a header, into the front of `bytes` if they are given. */
export function encodeHeader(
  header: YamuxHeader,
  bytes: Uint8Array = new Uint8Array(YAMUX_HEADER_BYTES),
): Uint8Array {
  const { type, flags, streamId, length } = header;
  bytes[0] = 0;
  bytes[1] = type;
  bytes[2] = flags >>> 8;
  bytes[3] = flags;
  bytes[4] = streamId >>> 24;
  bytes[5] = streamId >>> 16;
  bytes[6] = streamId >>> 8;
  bytes[7] = streamId;
  bytes[8] = length >>> 24;
  bytes[9] = length >>> 16;
  bytes[10] = length >>> 8;
  bytes[11] = length;
  return bytes;
}

/** What a {@link YamuxReader} finds. */
export interface YamuxFrameSink {
  /** A whole header. @throws {Error} To end the session. */
  onHeader(header: YamuxHeader): void;
  /** A piece of the payload of the last header; pieces follow in order. */
  onPayload(bytes: Uint8Array): void;
}

/** Cuts a byte stream into headers and payload without copying payload. */
export class YamuxReader {
  readonly #sink: YamuxFrameSink;
  readonly #header = new Uint8Array(YAMUX_HEADER_BYTES);
  #headerBytes = 0;
  #payloadBytes = 0;

  constructor(sink: YamuxFrameSink) {
    this.#sink = sink;
  }

  /**
   * Reads on.
   *
   * @throws {RangeError} On an unknown version; and what the sink throws.
   */
  push(bytes: Uint8Array): void {
    let offset = 0;
    let headerBytes = 0;
    while (offset < bytes.length) {
      if (this.#payloadBytes > 0) {
        const end = Math.min(bytes.length, offset + this.#payloadBytes);
        this.#payloadBytes -= end - offset;
        this.#sink.onPayload(
          offset === 0 && end === bytes.length ? bytes : bytes.subarray(offset, end),
        );
        offset = end;
        continue;
      }
      headerBytes += 1;
      this.#header[this.#headerBytes++] = bytes[offset++]!;
      if (this.#headerBytes === YAMUX_HEADER_BYTES) this.#endHeader();
    }
    returnMemory(bytes.buffer, headerBytes);
  }

  #endHeader(): void {
    const header = this.#header;
    this.#headerBytes = 0;
    if (header[0] !== 0) throw new RangeError(`Yamux version ${header[0]} is unknown`);
    const type = header[1]!;
    const length = uint32(header, 8);
    if (type === TYPE_DATA) this.#payloadBytes = length;
    this.#sink.onHeader({
      type,
      flags: header[2]! * 256 + header[3]!,
      streamId: uint32(header, 4),
      length,
    });
  }
}

function uint32(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! * 0x1000000 + (bytes[offset + 1]! << 16) + (bytes[offset + 2]! << 8) +
    bytes[offset + 3]!;
}
