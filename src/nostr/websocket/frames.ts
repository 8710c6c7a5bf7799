/**
 * WebSocket frames (RFC 6455), without extensions: a pure codec with a limit on every message. It
 * exists because Deno's own `WebSocket`, client and server, joins the fragments of a message without
 * any limit, so that one stranger can fill the memory of the process.
 */
import type { Bytes } from "../../core/bytes.ts";

/** Frame types that are used. */
export const OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** Why a connection ends (RFC 6455 section 7.4). */
export const CLOSE_CODE = {
  normal: 1000,
  goingAway: 1001,
  protocol: 1002,
  unsupported: 1003,
  none: 1005,
  abnormal: 1006,
  notText: 1007,
  policy: 1008,
  tooBig: 1009,
  busy: 1013,
} as const;

/** One whole message or control frame. */
export type FrameItem =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "ping" | "pong"; readonly payload: Bytes }
  | { readonly type: "close"; readonly code: number; readonly reason: string };

/** What a side may not do; the connection ends with `closeCode`. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  readonly closeCode: number;

  constructor(closeCode: number, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}

const CONTROL_PAYLOAD_MAX = 125;
/** A buffer that grew above this is let go once it is empty. */
const KEPT_BUFFER_BYTES = 16 * 1024;

/**
 * One frame that is its whole message.
 *
 * @param mask Four unpredictable bytes from a client; undefined from a server.
 */
export function encodeFrame(opcode: number, payload: Uint8Array, mask?: Uint8Array): Bytes {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const headBytes = 2 + lengthBytes + (mask === undefined ? 0 : 4);
  const frame = new Uint8Array(headBytes + length);
  const view = new DataView(frame.buffer);
  const maskBit = mask === undefined ? 0 : 0x80;
  frame[0] = 0x80 | opcode;
  if (lengthBytes === 0) frame[1] = maskBit | length;
  if (lengthBytes === 2) {
    frame[1] = maskBit | 126;
    view.setUint16(2, length);
  }
  if (lengthBytes === 8) {
    frame[1] = maskBit | 127;
    view.setBigUint64(2, BigInt(length));
  }
  frame.set(payload, headBytes);
  if (mask !== undefined) {
    frame.set(mask, headBytes - 4);
    applyMask(frame.subarray(headBytes), mask);
  }
  return frame;
}

/** The payload of a close frame; the reason is cut to what fits. */
export function closePayload(code: number, reason: string): Bytes {
  const text = new TextEncoder().encode(reason);
  let size = Math.min(text.length, CONTROL_PAYLOAD_MAX - 2);
  // A cut inside a character would make the reason invalid UTF-8.
  while (size > 0 && size < text.length && (text[size]! & 0xc0) === 0x80) size--;
  const payload = new Uint8Array(2 + size);
  new DataView(payload.buffer).setUint16(0, code);
  payload.set(text.subarray(0, size), 2);
  return payload;
}

/** Cuts a byte stream into messages. After a {@link FrameError} it must not be used again. */
export class FrameReader {
  readonly #messageBytesMax: number;
  readonly #masked: boolean;
  #buffer: Bytes = new Uint8Array(0);
  #start = 0;
  #end = 0;
  /** Fragments of the message under way; undefined between messages. */
  #message: Bytes | undefined;
  #messageBytes = 0;

  /** @param options `masked`: whether the other side must mask, as every client must. */
  constructor(options: { readonly messageBytesMax: number; readonly masked: boolean }) {
    this.#messageBytesMax = options.messageBytesMax;
    this.#masked = options.masked;
  }

  /** Takes the next bytes; they are copied. */
  push(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /**
   * The next whole item, or undefined until more bytes are pushed.
   *
   * @throws {FrameError} On anything that RFC 6455 or a limit forbids.
   */
  next(): FrameItem | undefined {
    for (;;) {
      const frame = this.#takeFrame();
      if (frame === undefined) return undefined;
      const item = frame.opcode >= 8
        ? controlItem(frame.opcode, frame.payload)
        : this.#dataItem(frame);
      if (item !== undefined) return item;
    }
  }

  #takeFrame(): Frame | undefined {
    const have = this.#end - this.#start;
    if (have < 2) return undefined;
    const buffer = this.#buffer;
    const first = buffer[this.#start]!;
    const second = buffer[this.#start + 1]!;
    const opcode = first & 0x0f;
    const fin = (first & 0x80) !== 0;
    this.#checkHead(first, second);
    const short = second & 0x7f;
    const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    const headBytes = 2 + lengthBytes + (this.#masked ? 4 : 0);
    if (have < 2 + lengthBytes) return undefined;
    const view = new DataView(buffer.buffer, this.#start + 2, lengthBytes);
    const length = lengthBytes === 0
      ? short
      : lengthBytes === 2
      ? view.getUint16(0)
      : Number(view.getBigUint64(0));
    if (opcode >= 8 && length > CONTROL_PAYLOAD_MAX) {
      throw new FrameError(CLOSE_CODE.protocol, `a control frame of ${length} bytes`);
    }
    if (opcode < 8 && this.#messageBytes + length > this.#messageBytesMax) {
      throw new FrameError(
        CLOSE_CODE.tooBig,
        `a message of ${
          this.#messageBytes + length
        } bytes or more: at most ${this.#messageBytesMax} are accepted`,
      );
    }
    if (have < headBytes + length) return undefined;
    const payload = buffer.slice(this.#start + headBytes, this.#start + headBytes + length);
    if (this.#masked) {
      const maskAt = this.#start + headBytes - 4;
      applyMask(payload, buffer.subarray(maskAt, maskAt + 4));
    }
    this.#consume(headBytes + length);
    return { opcode, fin, payload };
  }

  #checkHead(first: number, second: number): void {
    const opcode = first & 0x0f;
    if ((first & 0x70) !== 0) {
      throw new FrameError(CLOSE_CODE.protocol, "a frame with reserved bits: none were agreed");
    }
    if (((second & 0x80) !== 0) !== this.#masked) {
      throw new FrameError(CLOSE_CODE.protocol, "a frame with the wrong masking");
    }
    if (opcode >= 8 && (first & 0x80) === 0) {
      throw new FrameError(CLOSE_CODE.protocol, "a fragmented control frame");
    }
  }

  #dataItem(frame: Frame): FrameItem | undefined {
    if (frame.opcode === OPCODE.binary) {
      throw new FrameError(CLOSE_CODE.unsupported, "a binary message: Nostr is text");
    }
    const isContinuation = frame.opcode === OPCODE.continuation;
    if (!isContinuation && frame.opcode !== OPCODE.text) {
      throw new FrameError(CLOSE_CODE.protocol, `an unknown frame type ${frame.opcode}`);
    }
    if (isContinuation !== (this.#message !== undefined)) {
      throw new FrameError(CLOSE_CODE.protocol, "a fragment out of order");
    }
    if (!isContinuation && frame.fin) return textItem(frame.payload);
    this.#appendFragment(frame.payload);
    if (!frame.fin) return undefined;
    const whole = this.#message!.subarray(0, this.#messageBytes);
    this.#message = undefined;
    this.#messageBytes = 0;
    return textItem(whole);
  }

  #appendFragment(payload: Bytes): void {
    const size = this.#messageBytes + payload.length;
    if (this.#message === undefined || this.#message.length < size) {
      const grown = new Uint8Array(Math.max(1024, size * 2));
      grown.set((this.#message ?? new Uint8Array(0)).subarray(0, this.#messageBytes));
      this.#message = grown;
    }
    this.#message.set(payload, this.#messageBytes);
    this.#messageBytes = size;
  }

  #consume(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#start = 0;
    this.#end = 0;
    if (this.#buffer.length > KEPT_BUFFER_BYTES) this.#buffer = new Uint8Array(0);
  }

  #reserve(count: number): void {
    if (this.#end + count <= this.#buffer.length) return;
    const used = this.#end - this.#start;
    if (used + count <= this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    } else {
      const grown = new Uint8Array(Math.max(1024, (used + count) * 2));
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = grown;
    }
    this.#start = 0;
    this.#end = used;
  }
}

interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Bytes;
}

function controlItem(opcode: number, payload: Bytes): FrameItem {
  if (opcode === OPCODE.ping) return { type: "ping", payload };
  if (opcode === OPCODE.pong) return { type: "pong", payload };
  if (opcode !== OPCODE.close || payload.length === 1) {
    throw new FrameError(CLOSE_CODE.protocol, `an unreadable control frame of type ${opcode}`);
  }
  if (payload.length === 0) return { type: "close", code: CLOSE_CODE.none, reason: "" };
  const code = new DataView(payload.buffer, payload.byteOffset).getUint16(0);
  return { type: "close", code, reason: new TextDecoder().decode(payload.subarray(2)) };
}

function textItem(bytes: Uint8Array): FrameItem {
  try {
    return {
      type: "text",
      text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
    };
  } catch {
    throw new FrameError(CLOSE_CODE.notText, "a text message that is not UTF-8");
  }
}

function applyMask(bytes: Uint8Array, mask: Uint8Array): void {
  for (let index = 0; index < bytes.length; index++) bytes[index]! ^= mask[index & 3]!;
}
