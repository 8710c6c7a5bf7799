/**
 * One stream of a Yamux session.
 *
 * A window is what its receiver allows. It is given back as the reader takes bytes, so a reader
 * that pauses, or has not begun, stops the sender after one window and nothing else is buffered.
 */
import {
  type AbortOptions,
  AbstractStream,
  type AbstractStreamInit,
  type SendResult,
  StreamStateError,
  Uint8ArrayList,
} from "../../libp2p.ts";
import {
  YAMUX_FRAME_BYTES_MAX,
  YAMUX_INITIAL_WINDOW_BYTES,
  YAMUX_ROUND_TRIP_MS_MIN,
  YAMUX_SEND_WINDOW_BYTES_MAX,
} from "./limits.ts";
import { FLAG_ACK, FLAG_FIN, FLAG_RST, FLAG_SYN } from "./yamux_frame.ts";

/** About what one piece of an array costs besides its bytes. */
const PART_BYTES = 128;

/** How many times its bytes a batch may keep in memory before it is copied. */
const HELD_FACTOR_MAX = 4;

/** What a stream needs of its session. */
export interface YamuxSession {
  /** Whether the connection encrypts a copy at once and keeps nothing of what it is given. */
  readonly copiesWrites: boolean;
  /** Whether the connection's own queue is full; `onMuxerDrain` of every stream follows. */
  readonly isSaturated: boolean;
  /** Round trip time, or undefined before the first ping came back. */
  readonly roundTripMs: number | undefined;
  monotonicMs(): number;
  /** `isOver` allows to overwrite the bytes before the one part. */
  sendData(
    stream: FastYamuxStream,
    flags: number,
    parts: readonly Uint8Array[],
    isOver: boolean,
  ): void;
  sendWindowUpdate(stream: FastYamuxStream, flags: number, delta: number): void;
  /** The stream holds `delta` more (or fewer) bytes that nobody read. */
  onUnread(delta: number): void;
}

/** What a {@link FastYamuxStream} is made of. */
export interface FastYamuxStreamInit extends AbstractStreamInit {
  readonly session: YamuxSession;
  readonly streamId: number;
  readonly windowBytesMax: number;
}

/** A stream, as libp2p sees it. */
export class FastYamuxStream extends AbstractStream {
  readonly streamId: number;
  readonly #session: YamuxSession;
  readonly #windowBytesMax: number;
  /** SYN or ACK while the next frame has to carry it. */
  #openingFlag: number;
  #sendWindow = YAMUX_INITIAL_WINDOW_BYTES;
  /** Memory of what {@link sendOver} was given last. */
  #over: ArrayBufferLike | undefined;

  // Receiving: totals over the stream's life, and the window that is kept open beyond what was read.
  #window = YAMUX_INITIAL_WINDOW_BYTES;
  #allowedBytes = YAMUX_INITIAL_WINDOW_BYTES;
  #announcedBytes = 0;
  #arrivedBytes = 0;
  #unreadBytes = 0;
  #grantedAtMs: number;
  #batch: Uint8ArrayList | undefined;

  constructor(init: FastYamuxStreamInit) {
    super(init);
    this.streamId = init.streamId;
    this.#session = init.session;
    this.#windowBytesMax = init.windowBytesMax;
    this.#openingFlag = init.direction === "inbound" ? FLAG_ACK : FLAG_SYN;
    this.#grantedAtMs = init.session.monotonicMs();
    // A paused reader still gets what the window allowed.
    this.maxReadBufferLength = Math.max(this.maxReadBufferLength, 2 * init.windowBytesMax);
  }

  /** Whether nothing of what was sent is referred to while {@link writableNeedsDrain} is false. */
  get copiesWrites(): boolean {
    return this.#session.copiesWrites;
  }

  // ---- Receiving ----

  /**
   * A data frame of `length` bytes begins.
   *
   * @throws {RangeError} If it exceeds the window.
   */
  onDataHeader(length: number): void {
    this.#announcedBytes += length;
    if (this.#announcedBytes > this.#allowedBytes) {
      throw new RangeError(
        `Yamux stream ${this.streamId}: ${
          this.#announcedBytes - this.#allowedBytes
        } bytes came beyond the window`,
      );
    }
  }

  /** Takes payload; the reader sees it at {@link endBatch}. */
  onPayload(bytes: Uint8Array): void {
    this.#arrivedBytes += bytes.length;
    (this.#batch ??= new Uint8ArrayList()).append(bytes);
  }

  /** Gives what arrived to the reader, and the peer more window for what was read. */
  endBatch(): void {
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch !== undefined) this.onData(compact(batch));
    if (this.#openingFlag === FLAG_ACK && this.status === "open") this.#grant(0);
  }

  /** More may be sent. @throws {RangeError} If the window grows without end. */
  onWindowUpdate(delta: number): void {
    this.#sendWindow += delta;
    if (this.#sendWindow > YAMUX_SEND_WINDOW_BYTES_MAX) {
      throw new RangeError(`Yamux stream ${this.streamId}: the send window overflows`);
    }
    if (delta > 0 && this.writableNeedsDrain && !this.#session.isSaturated) {
      this.safeDispatchEvent("drain");
    }
  }

  protected override dispatchReadBuffer(): void {
    super.dispatchReadBuffer();
    this.#settle();
  }

  /** Counts what the reader took and opens the window again once half of it was. */
  #settle(): void {
    const isReading = this.readStatus === "readable" || this.readStatus === "paused";
    const unreadBytes = isReading ? this.readBuffer.byteLength : 0;
    if (unreadBytes !== this.#unreadBytes) {
      const delta = unreadBytes - this.#unreadBytes;
      this.#unreadBytes = unreadBytes;
      this.#session.onUnread(delta);
    }
    if (this.status !== "open" || this.remoteWriteStatus === "closed") return;
    const readBytes = this.#arrivedBytes - unreadBytes;
    const wanted = readBytes + this.#window - this.#allowedBytes;
    if (wanted < this.#window / 2) return;
    const nowMs = this.#session.monotonicMs();
    const { roundTripMs } = this.#session;
    // Half a window within four round trips: the window is what holds the sender back.
    const heldBackMs = 4 * Math.max(roundTripMs ?? 0, YAMUX_ROUND_TRIP_MS_MIN);
    if (roundTripMs !== undefined && nowMs - this.#grantedAtMs <= heldBackMs) {
      this.#window = Math.min(2 * this.#window, this.#windowBytesMax);
    }
    this.#grantedAtMs = nowMs;
    this.#grant(readBytes + this.#window - this.#allowedBytes);
  }

  #grant(delta: number): void {
    this.#allowedBytes += delta;
    this.#session.sendWindowUpdate(this, this.#takeOpeningFlag(), delta);
  }

  /** Nothing is unread any more, for the session's count. */
  forgetUnread(): void {
    if (this.#unreadBytes > 0) this.#session.onUnread(-this.#unreadBytes);
    this.#unreadBytes = 0;
  }

  // ---- Sending ----

  /** Opens the stream at the other side unless data did already. */
  sendOpening(): void {
    if (this.#openingFlag !== 0 && this.status === "open") this.#grant(0);
  }

  override send(data: Uint8Array | Uint8ArrayList): boolean {
    if (this.writeStatus === "closed" || this.writeStatus === "closing") {
      throw new StreamStateError(`Cannot write to a stream that is ${this.writeStatus}`);
    }
    this.writeBuffer.append(data);
    return this.processSendQueue();
  }

  /**
   * As {@link send}, of the only bytes of their memory that wait to be sent: in front of what is
   * next the frame's header is written, so that both are one piece for the cipher.
   */
  sendOver(data: Uint8Array): boolean {
    this.#over = data.buffer;
    return this.send(data);
  }

  protected override processSendQueue(): boolean {
    if (this.writableNeedsDrain) return false;
    const queue = this.writeBuffer;
    if (this.sendingData || queue.byteLength === 0) return true;
    if (this.writeStatus === "closed") return false;
    this.sendingData = true;
    try {
      while (queue.byteLength > 0 && this.#sendWindow > 0 && !this.#session.isSaturated) {
        const length = Math.min(queue.byteLength, this.#sendWindow, YAMUX_FRAME_BYTES_MAX);
        this.#sendWindow -= length;
        const parts = frontOf(queue, length);
        const isOver = parts.length === 1 && parts[0]!.buffer === this.#over;
        this.#session.sendData(this, this.#takeOpeningFlag(), parts, isOver);
        queue.consume(length);
      }
    } finally {
      this.sendingData = false;
    }
    if (queue.byteLength > 0 || this.#session.isSaturated) this.writableNeedsDrain = true;
    if (queue.byteLength === 0) this.safeDispatchEvent("idle");
    return !this.writableNeedsDrain;
  }

  override onMuxerDrain(): void {
    if (!this.writableNeedsDrain) return;
    if (this.writeBuffer.byteLength > 0 && this.#sendWindow === 0) return; // a window update wakes it
    this.safeDispatchEvent("drain");
  }

  sendData(data: Uint8ArrayList): SendResult {
    // Only processSendQueue() of the superclass calls this, and it is replaced.
    return { sentBytes: data.byteLength, canSendMore: this.send(data) };
  }

  sendReset(): void {
    this.#session.sendWindowUpdate(this, FLAG_RST, 0);
  }

  sendCloseWrite(options?: AbortOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    this.#session.sendWindowUpdate(this, this.#takeOpeningFlag() | FLAG_FIN, 0);
    return Promise.resolve();
  }

  sendCloseRead(options?: AbortOptions): Promise<void> {
    // Yamux has no word for it: what still comes is dropped.
    options?.signal?.throwIfAborted();
    return Promise.resolve();
  }

  sendPause(): void {
    // The window stays shut by itself while nothing is read.
  }

  sendResume(): void {
    this.#settle();
  }

  override onTransportClosed(error?: Error): void {
    // A connection that closes before the stream's end has cut it off: that is no good end.
    const isCut = error === undefined && this.status === "open" &&
      this.remoteWriteStatus !== "closed";
    if (isCut) this.onRemoteReset();
    else super.onTransportClosed(error);
  }

  #takeOpeningFlag(): number {
    const flag = this.#openingFlag;
    this.#openingFlag = 0;
    return flag;
  }
}

/**
 * `batch`, copied where it keeps much more memory than it has bytes: single bytes between others
 * that are dropped would each keep a whole message until they are read.
 */
function compact(batch: Uint8ArrayList): Uint8Array | Uint8ArrayList {
  let heldBytes = 0;
  let last: ArrayBufferLike | undefined;
  for (const part of batch) {
    heldBytes += PART_BYTES;
    if (part.buffer !== last) heldBytes += part.buffer.byteLength;
    last = part.buffer;
  }
  return heldBytes <= HELD_FACTOR_MAX * batch.byteLength ? batch : batch.slice();
}

/** The first `count` bytes of `list`, in the pieces that it has. */
function frontOf(list: Uint8ArrayList, count: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let rest = count;
  for (const part of list) {
    parts.push(part.length <= rest ? part : part.subarray(0, rest));
    rest -= part.length;
    if (rest <= 0) break;
  }
  return parts;
}
