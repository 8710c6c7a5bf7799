/**
 * One open WebSocket over a TCP or TLS connection. Messages are pulled, so that a reader that is busy
 * holds the sender back; what is sent waits in a queue with a limit, so that a peer that does not read
 * is cut off instead of remembered.
 */
import type { Bytes } from "../../core/bytes.ts";
import { messageOf } from "../../core/errors.ts";
import type { Clock, Random } from "../../core/ports.ts";
import { TokenBucket } from "../../core/token_bucket.ts";
import { CONTROL_FRAMES, type SocketLimits } from "../limits.ts";
import {
  CLOSE_CODE,
  closePayload,
  encodeFrame,
  FrameError,
  FrameReader,
  OPCODE,
} from "./frames.ts";

/** How a connection ended. */
export interface SocketEnd {
  readonly code: number;
  readonly reason: string;
}

/** Options of {@link Socket}. */
export interface SocketOptions {
  /** A client masks what it sends; a server insists on it. */
  readonly role: "client" | "server";
  readonly limits: SocketLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** Bytes that were read past the end of the HTTP head. */
  readonly rest?: Uint8Array;
}

const WRITE_BATCH_BYTES = 64 * 1024;
const READ_BYTES = 4 * 1024;

/** One WebSocket. At most one {@link receive} is under way at a time. */
export class Socket {
  readonly #conn: Pick<Deno.Conn, "read" | "write" | "close">;
  readonly #options: SocketOptions;
  readonly #reader: FrameReader;
  readonly #readBuffer = new Uint8Array(READ_BYTES);
  readonly #control: TokenBucket;
  readonly #ended = Promise.withResolvers<SocketEnd>();
  #end: SocketEnd | undefined;
  /** Set once our close frame went out: how the connection will have ended. */
  #closing: SocketEnd | undefined;
  #queue: Bytes[] = [];
  #queuedBytes = 0;
  #writing = false;
  #drained: (() => void)[] = [];
  #reading = false;
  #heardMs: number;
  #cancelTimer: () => void = () => {};
  #cancelClose: () => void = () => {};

  constructor(conn: Pick<Deno.Conn, "read" | "write" | "close">, options: SocketOptions) {
    this.#conn = conn;
    this.#options = options;
    this.#reader = new FrameReader({
      messageBytesMax: options.limits.messageBytesMax,
      masked: options.role === "server",
    });
    this.#control = new TokenBucket({ ...CONTROL_FRAMES, clock: options.clock });
    this.#heardMs = options.clock.monotonicMs();
    if (options.rest !== undefined) this.#reader.push(options.rest);
    this.#watch();
  }

  /** Resolves once the connection is gone, with why. */
  get ended(): Promise<SocketEnd> {
    return this.#ended.promise;
  }

  /** Whether messages still go out. */
  get open(): boolean {
    return this.#end === undefined && this.#closing === undefined;
  }

  /** Bytes that wait for the other side to read. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** The next text message, or undefined once the connection is gone. Never throws. */
  receive(): Promise<string | undefined> {
    // Once our close went out, the answer to it is read here and by nobody else.
    return this.#closing === undefined ? this.#next() : Promise.resolve(undefined);
  }

  async #next(): Promise<string | undefined> {
    try {
      while (this.#end === undefined) {
        const item = this.#reader.next();
        if (item === undefined) {
          if (!await this.#fill({ keep: true })) return undefined;
        } else if (item.type === "text") {
          // After our close frame the other side may still talk; nobody listens any more.
          if (this.#closing === undefined) return item.text;
        } else if (item.type === "close") {
          this.#answerClose(item);
          return undefined;
        } else if (!this.#control.tryTake(1)) {
          throw new FrameError(CLOSE_CODE.policy, "too many control frames");
        } else if (item.type === "ping") {
          this.#enqueue(OPCODE.pong, item.payload);
        }
      }
    } catch (error) {
      const code = error instanceof FrameError ? error.closeCode : CLOSE_CODE.abnormal;
      this.close(code, messageOf(error));
    }
    return undefined;
  }

  /** Queues a message; nothing happens once the connection is closing. */
  send(text: string): void {
    if (this.open) this.#enqueue(OPCODE.text, new TextEncoder().encode(text));
  }

  /** Resolves when at most `bytes` are queued, or the connection is gone. */
  async drainedTo(bytes: number): Promise<void> {
    while (this.#queuedBytes > bytes && this.#end === undefined) {
      await new Promise<void>((resolve) => this.#drained.push(resolve));
    }
  }

  /** Says goodbye, and cuts the connection if the other side does not within the limit. */
  close(code: number = CLOSE_CODE.normal, reason = ""): void {
    if (this.#end !== undefined) return;
    if (this.#closing !== undefined || code === CLOSE_CODE.abnormal) {
      return this.#finish(this.#closing ?? { code, reason });
    }
    this.#enqueue(OPCODE.close, closePayload(code, reason));
    if (this.#end !== undefined) return;
    const end = this.#beClosing({ code, reason });
    // Nobody may be receiving: the answer to our close has to be read all the same.
    if (!this.#reading) this.#readToEnd(end);
  }

  /**
   * Reads until the other side has answered our close. Closing with bytes unread would reset the
   * connection, and our close might never arrive.
   */
  async #readToEnd(end: SocketEnd): Promise<void> {
    let readable = true;
    while (this.#end === undefined) {
      try {
        const item = readable ? this.#reader.next() : undefined;
        if (item?.type === "close") return this.#finish(end);
        if (item !== undefined) continue;
      } catch {
        readable = false;
      }
      if (!await this.#fill({ keep: readable })) return;
    }
  }

  #beClosing(end: SocketEnd): SocketEnd {
    const { clock, limits } = this.#options;
    this.#closing = end;
    this.#cancelClose = clock.timer(limits.closeMs, () => this.#finish(end));
    return end;
  }

  #answerClose(item: { readonly code: number; readonly reason: string }): void {
    const end = { code: item.code, reason: item.reason };
    if (this.#closing !== undefined) return this.#finish(this.#closing);
    const code = item.code === CLOSE_CODE.none ? CLOSE_CODE.normal : item.code;
    this.#enqueue(OPCODE.close, closePayload(code, ""));
    this.#beClosing(end);
    this.drainedTo(0).then(() => this.#finish(end));
  }

  /** Waits for bytes and, unless they are of no use any more, keeps them. */
  async #fill({ keep }: { readonly keep: boolean }): Promise<boolean> {
    this.#reading = true;
    this.#heardMs = this.#options.clock.monotonicMs();
    let count: number | null = null;
    let why = "the other side closed the connection";
    try {
      count = await this.#conn.read(this.#readBuffer);
    } catch (error) {
      why = messageOf(error);
    }
    this.#reading = false;
    this.#heardMs = this.#options.clock.monotonicMs();
    if (count === null) {
      this.#finish(this.#closing ?? { code: CLOSE_CODE.abnormal, reason: why });
      return false;
    }
    if (keep) this.#reader.push(this.#readBuffer.subarray(0, count));
    return true;
  }

  #enqueue(opcode: number, payload: Uint8Array): void {
    if (this.#end !== undefined) return;
    const mask = this.#options.role === "client" ? this.#options.random.bytes(4) : undefined;
    const frame = encodeFrame(opcode, payload, mask);
    this.#queuedBytes += frame.length;
    if (this.#queuedBytes > this.#options.limits.queueBytesMax) {
      const reason = `it reads too slowly: ${this.#queuedBytes} bytes wait`;
      return this.#finish({ code: CLOSE_CODE.policy, reason });
    }
    this.#queue.push(frame);
    if (!this.#writing) this.#write();
  }

  async #write(): Promise<void> {
    this.#writing = true;
    try {
      while (this.#queue.length > 0 && this.#end === undefined) {
        const batch = this.#takeBatch();
        for (let offset = 0; offset < batch.length;) {
          offset += await this.#conn.write(batch.subarray(offset));
        }
        this.#queuedBytes -= batch.length;
        this.#wakeDrained();
      }
    } catch (error) {
      this.#finish({ code: CLOSE_CODE.abnormal, reason: messageOf(error) });
    }
    this.#writing = false;
  }

  #takeBatch(): Bytes {
    const [first] = this.#queue;
    let size = first!.length;
    let count = 1;
    while (count < this.#queue.length && size + this.#queue[count]!.length <= WRITE_BATCH_BYTES) {
      size += this.#queue[count++]!.length;
    }
    const taken = this.#queue.splice(0, count);
    if (count === 1) return first!;
    const batch = new Uint8Array(size);
    let offset = 0;
    for (const frame of taken) {
      batch.set(frame, offset);
      offset += frame.length;
    }
    return batch;
  }

  /** Pings a silent connection, and ends it when silence goes on. */
  #watch(): void {
    const { clock, limits } = this.#options;
    const silentMs = () => clock.monotonicMs() - this.#heardMs;
    this.#cancelTimer = clock.timer(limits.pingMs, () => {
      if (this.#end !== undefined) return;
      // Bytes that we do not read prove nothing about the other side.
      if (!this.#reading || silentMs() < limits.pingMs) return this.#watch();
      this.#enqueue(OPCODE.ping, new Uint8Array(0));
      this.#cancelTimer = clock.timer(limits.pongMs, () => {
        if (this.#reading && silentMs() >= limits.pingMs + limits.pongMs) {
          this.#finish({ code: CLOSE_CODE.abnormal, reason: "the other side fell silent" });
        } else {
          this.#watch();
        }
      });
    });
  }

  #finish(end: SocketEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#cancelTimer();
    this.#cancelClose();
    this.#queue = [];
    try {
      this.#conn.close();
    } catch {
      // It was closed already.
    }
    this.#wakeDrained();
    this.#ended.resolve(end);
  }

  #wakeDrained(): void {
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }
}
