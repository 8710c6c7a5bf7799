/**
 * Yamux 1.0 as a libp2p stream muxer: the same bytes on the wire as `@libp2p/yamux`. What arrives
 * in one read is handed to each stream once, windows are given back in halves instead of per frame,
 * and frames go into one encrypted message as long as there is room.
 */
import {
  type AbortOptions,
  AbstractStreamMuxer,
  type CreateStreamOptions,
  type MessageStream,
  MuxerClosedError,
  serviceCapabilities,
  type StreamMuxer,
  type StreamMuxerFactory,
  TooManyOutboundProtocolStreamsError,
  Uint8ArrayList,
} from "../../libp2p.ts";
import type { Clock } from "../../../src/core/ports.ts";
import {
  YAMUX_HEADER_BYTES,
  YAMUX_INITIAL_WINDOW_BYTES,
  YAMUX_KEEP_ALIVE_MS,
  YAMUX_STREAM_COUNT_MAX,
  YAMUX_UNREAD_BYTES_MAX,
  YAMUX_WINDOW_BYTES_MAX,
} from "./limits.ts";
import { NoiseStream } from "./noise_stream.ts";
import {
  encodeHeader,
  FLAG_ACK,
  FLAG_FIN,
  FLAG_RST,
  FLAG_SYN,
  GO_AWAY_INTERNAL_ERROR,
  GO_AWAY_NORMAL,
  GO_AWAY_PROTOCOL_ERROR,
  TYPE_DATA,
  TYPE_GO_AWAY,
  TYPE_PING,
  TYPE_WINDOW_UPDATE,
  type YamuxHeader,
  YamuxReader,
} from "./yamux_frame.ts";
import { FastYamuxStream, type YamuxSession } from "./yamux_stream.ts";

const PROTOCOL = "/yamux/1.0.0";

/** Options of {@link fastYamux}. */
export interface FastYamuxOptions {
  readonly clock: Clock;
  /** Streams that the other side may have open on one connection. */
  readonly inboundStreamCountMax?: number;
  /** Streams that this side may have open on one connection. */
  readonly outboundStreamCountMax?: number;
  /** Inbound streams that wait for the connection to be set up. */
  readonly earlyStreamCountMax?: number;
  /** To where the receive window of a stream may grow. */
  readonly windowBytesMax?: number;
  readonly keepAliveMs?: number;
  /** Unread bytes over all streams of one connection at which it is ended. */
  readonly unreadBytesMax?: number;
}

/** Makes the muxer, for the `streamMuxers` of `createLibp2p`. */
export function fastYamux(options: FastYamuxOptions): () => StreamMuxerFactory {
  if ((options.windowBytesMax ?? Infinity) < YAMUX_INITIAL_WINDOW_BYTES) {
    throw new RangeError(`A window is at least ${YAMUX_INITIAL_WINDOW_BYTES} bytes`);
  }
  return () => new FastYamux(options);
}

class FastYamux implements StreamMuxerFactory {
  readonly protocol = PROTOCOL;
  readonly [Symbol.toStringTag] = "seedmint/fast-yamux";
  readonly [serviceCapabilities]: string[] = ["@libp2p/stream-multiplexing"];
  readonly #options: FastYamuxOptions;

  constructor(options: FastYamuxOptions) {
    this.#options = options;
  }

  createStreamMuxer(connection: MessageStream): StreamMuxer {
    return new FastYamuxMuxer(connection, this.#options);
  }
}

/** One Yamux session. */
export class FastYamuxMuxer extends AbstractStreamMuxer<FastYamuxStream> {
  readonly #options: FastYamuxOptions;
  readonly #noise: NoiseStream | undefined;
  readonly #isClient: boolean;
  readonly #byId = new Map<number, FastYamuxStream>();
  readonly #touched = new Set<FastYamuxStream>();
  readonly #session: YamuxSession;
  readonly #reader: YamuxReader;
  /** Whose payload is being read; none once it was reset. */
  #receiving: FastYamuxStream | undefined;
  /** Bytes left of a payload that the end of the stream follows. */
  #bytesToFin = 0;
  #inboundCount = 0;
  #outboundCount = 0;
  #nextStreamId: number;
  #unreadBytes = 0;
  #isSaturated = false;
  #localGoAway = false;
  #remoteGoAway = false;
  #ping: { readonly id: number; readonly sentMs: number } | undefined;
  #nextPingId = 0;
  #roundTripMs: number | undefined;
  #stopKeepAlive: (() => void) | undefined;

  constructor(connection: MessageStream, options: FastYamuxOptions) {
    super(connection, {
      protocol: PROTOCOL,
      name: "yamux",
      ...(options.earlyStreamCountMax !== undefined
        ? { maxEarlyStreams: options.earlyStreamCountMax }
        : {}),
    });
    this.#options = options;
    this.#isClient = connection.direction === "outbound";
    this.#nextStreamId = this.#isClient ? 1 : 2;
    this.#session = this.#newSession();
    this.#reader = new YamuxReader({
      onHeader: (header) => this.#onHeader(header),
      onPayload: (bytes) => this.#onPayload(bytes),
    });
    // The superclass listens for `drain` first: it wakes the streams in their order, and the next
    // time another is first, so that one busy stream does not take all there is.
    connection.addEventListener("drain", () => {
      this.#isSaturated = this.#isConnectionFull();
      const first = this.streams.shift();
      if (first !== undefined) this.streams.push(first);
    });
    this.#noise = connection instanceof NoiseStream ? connection : undefined;
    this.#keepAlive();
    this.#noise?.attachPlaintext({
      onPlaintext: (bytes) => this.#receive(bytes),
      onBatchEnd: () => this.#endBatch(),
    });
  }

  /** Bytes from a connection that is not ours. */
  onData(data: Uint8Array | Uint8ArrayList): void {
    for (const part of data instanceof Uint8Array ? [data] : data) this.#receive(part);
    this.#endBatch();
  }

  onCreateStream(options: CreateStreamOptions): FastYamuxStream {
    if (this.#remoteGoAway || this.#localGoAway) {
      throw new MuxerClosedError("The session takes no new streams");
    }
    const countMax = this.#options.outboundStreamCountMax ?? YAMUX_STREAM_COUNT_MAX;
    if (this.#outboundCount >= countMax) {
      throw new TooManyOutboundProtocolStreamsError(`${countMax} streams are open already`);
    }
    if (this.#nextStreamId > 0xffffffff) throw new MuxerClosedError("All stream ids were used");
    const stream = this.#newStream(this.#nextStreamId, "outbound", options);
    this.#nextStreamId += 2;
    // After the superclass knows the stream; data sent until then opens it just as well.
    queueMicrotask(() => stream.sendOpening());
    return stream;
  }

  override async close(options?: AbortOptions): Promise<void> {
    if (this.status !== "open") return;
    try {
      await super.close(options);
      this.#goAway(GO_AWAY_NORMAL);
    } finally {
      this.#stopKeepAlive?.();
    }
  }

  override abort(error: Error): void {
    if (this.status === "closed") return;
    this.#stopKeepAlive?.();
    super.abort(error);
    this.#goAway(error instanceof RangeError ? GO_AWAY_PROTOCOL_ERROR : GO_AWAY_INTERNAL_ERROR);
  }

  override onTransportClosed(error?: Error): void {
    this.#stopKeepAlive?.();
    super.onTransportClosed(error);
  }

  // ---- Receiving ----

  #receive(bytes: Uint8Array): void {
    if (this.status === "closed") return;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    this.abort(error);
    this.maConn.abort(error);
  }

  #endBatch(): void {
    if (this.#touched.size === 0) return;
    const touched = [...this.#touched];
    this.#touched.clear();
    for (const stream of touched) stream.endBatch();
    if (this.#unreadBytes > (this.#options.unreadBytesMax ?? YAMUX_UNREAD_BYTES_MAX)) {
      this.#fail(new RangeError(`${this.#unreadBytes} bytes are unread on one connection`));
    }
  }

  #onHeader(header: YamuxHeader): void {
    this.#receiving = undefined;
    this.#bytesToFin = 0;
    if (header.streamId === 0) return this.#onSessionFrame(header);
    if (header.type !== TYPE_DATA && header.type !== TYPE_WINDOW_UPDATE) {
      throw new RangeError(`Yamux frame type ${header.type} on a stream`);
    }
    if ((header.flags & FLAG_SYN) !== 0) this.#onSyn(header.streamId);
    const stream = this.#byId.get(header.streamId);
    if (stream === undefined) return; // it was reset: what was under way is dropped
    this.#touched.add(stream);
    if (header.type === TYPE_WINDOW_UPDATE) stream.onWindowUpdate(header.length);
    else {
      stream.onDataHeader(header.length);
      this.#receiving = stream;
    }
    if ((header.flags & FLAG_RST) !== 0) {
      this.#receiving = undefined;
      stream.endBatch(); // what came before is read before the end
      stream.onRemoteReset();
    } else if ((header.flags & FLAG_FIN) !== 0) {
      if (this.#receiving === undefined || header.length === 0) this.#onFin(stream);
      else this.#bytesToFin = header.length;
    }
  }

  #onPayload(bytes: Uint8Array): void {
    const stream = this.#receiving;
    if (stream === undefined) return;
    this.#touched.add(stream);
    stream.onPayload(bytes);
    if (this.#bytesToFin === 0) return;
    this.#bytesToFin -= bytes.length;
    if (this.#bytesToFin === 0) this.#onFin(stream);
  }

  #onFin(stream: FastYamuxStream): void {
    stream.endBatch();
    stream.onRemoteCloseWrite();
  }

  #onSyn(streamId: number): void {
    if (streamId % 2 === (this.#isClient ? 1 : 0) || this.#byId.has(streamId)) {
      throw new RangeError(`The other side opened stream ${streamId}, which is not its to open`);
    }
    const countMax = this.#options.inboundStreamCountMax ?? YAMUX_STREAM_COUNT_MAX;
    if (this.#localGoAway || this.status !== "open" || this.#inboundCount >= countMax) {
      this.#send(TYPE_WINDOW_UPDATE, FLAG_RST, streamId, 0);
      return;
    }
    this.onRemoteStream(this.#newStream(streamId, "inbound", {}));
  }

  #onSessionFrame(header: YamuxHeader): void {
    if (header.type === TYPE_PING && header.flags === FLAG_SYN) {
      this.#send(TYPE_PING, FLAG_ACK, 0, header.length);
    } else if (header.type === TYPE_PING && header.flags === FLAG_ACK) {
      if (this.#ping?.id !== header.length) {
        throw new RangeError("A Yamux ping nobody sent came back");
      }
      this.#roundTripMs = this.#options.clock.monotonicMs() - this.#ping.sentMs;
      this.#ping = undefined;
    } else if (header.type === TYPE_GO_AWAY) {
      this.#remoteGoAway = true;
      if (header.length !== GO_AWAY_NORMAL) {
        this.#fail(new Error(`The other side ended the session with code ${header.length}`));
      }
    } else {
      throw new RangeError(
        `Yamux frame type ${header.type} with flags ${header.flags} on no stream`,
      );
    }
  }

  // ---- Sending ----

  #newSession(): YamuxSession {
    const isSaturated = () => this.#isSaturated;
    const roundTripMs = () => this.#roundTripMs;
    return {
      copiesWrites: this.maConn instanceof NoiseStream,
      get isSaturated() {
        return isSaturated();
      },
      get roundTripMs() {
        return roundTripMs();
      },
      monotonicMs: () => this.#options.clock.monotonicMs(),
      sendData: (stream, flags, parts, isOver) => {
        let length = 0;
        for (const part of parts) length += part.length;
        const header = { type: TYPE_DATA, flags, streamId: stream.streamId, length };
        if (isOver && this.#noise !== undefined) this.#sendOver(this.#noise, header, parts[0]!);
        else this.#send(TYPE_DATA, flags, stream.streamId, length, parts);
        this.#isSaturated = this.#isConnectionFull();
      },
      sendWindowUpdate: (stream, flags, delta) =>
        this.#send(TYPE_WINDOW_UPDATE, flags, stream.streamId, delta),
      onUnread: (delta) => this.#unreadBytes += delta,
    };
  }

  #isConnectionFull(): boolean {
    return this.#noise?.needsDrain ?? this.maConn.writableNeedsDrain;
  }

  #send(
    type: number,
    flags: number,
    streamId: number,
    length: number,
    parts: readonly Uint8Array[] = [],
  ): void {
    if (this.maConn.status !== "open") return;
    const header = encodeHeader({ type, flags, streamId, length });
    if (this.#noise !== undefined) {
      if (parts.length === 0) this.#noise.write(header);
      else this.#noise.writeFrame(header, parts, length);
    } else this.maConn.send(parts.length === 0 ? header : new Uint8ArrayList(header, ...parts));
  }

  /** Sends a header and `payload`, in front of whose bytes it is written. */
  #sendOver(noise: NoiseStream, header: YamuxHeader, payload: Uint8Array): void {
    if (this.maConn.status !== "open") return;
    const { buffer, byteOffset, length } = payload;
    const start = byteOffset - YAMUX_HEADER_BYTES;
    const frame = new Uint8Array(buffer, start, YAMUX_HEADER_BYTES + length);
    encodeHeader(header, frame);
    noise.writeWhole(frame);
  }

  #goAway(reason: number): void {
    if (this.#localGoAway) return;
    this.#localGoAway = true;
    this.#send(TYPE_GO_AWAY, 0, 0, reason);
  }

  #keepAlive(): void {
    const { clock } = this.#options;
    if (this.status !== "open" || this.#localGoAway || this.#remoteGoAway) return;
    if (this.#ping === undefined) {
      this.#ping = { id: this.#nextPingId, sentMs: clock.monotonicMs() };
      this.#nextPingId = (this.#nextPingId + 1) >>> 0;
      this.#send(TYPE_PING, FLAG_SYN, 0, this.#ping.id);
    }
    const intervalMs = this.#options.keepAliveMs ?? YAMUX_KEEP_ALIVE_MS;
    this.#stopKeepAlive = clock.timer(intervalMs, () => this.#keepAlive());
  }

  // ---- Streams ----

  #newStream(
    streamId: number,
    direction: "inbound" | "outbound",
    options: CreateStreamOptions,
  ): FastYamuxStream {
    const stream = new FastYamuxStream({
      ...this.streamOptions,
      ...options,
      id: `${streamId}`,
      streamId,
      direction,
      protocol: "",
      session: this.#session,
      windowBytesMax: this.#options.windowBytesMax ?? YAMUX_WINDOW_BYTES_MAX,
      log: this.log.newScope(`${direction}:${streamId}`),
    });
    this.#byId.set(streamId, stream);
    if (direction === "inbound") this.#inboundCount += 1;
    else this.#outboundCount += 1;
    stream.addEventListener("close", () => {
      this.#byId.delete(streamId);
      this.#touched.delete(stream);
      stream.forgetUnread();
      if (direction === "inbound") this.#inboundCount -= 1;
      else this.#outboundCount -= 1;
    }, { once: true });
    return stream;
  }
}
