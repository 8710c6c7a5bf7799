/** One request and its answer on one connection. */
import { type Bytes, concatBytes, utf8 } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { withDeadline } from "../provider/deadline.ts";
import { ChunkedBody } from "./chunked.ts";
import { BODY_PIECE_BYTES, DRAIN_BYTES_MAX } from "./limits.ts";
import {
  type RawConnection,
  replyHead,
  type ReplyHeaders,
  type RequestHead,
  type RequestReader,
} from "./message.ts";
import { Refusal } from "./refusal.ts";

/** How long the other side may take. */
export interface ExchangeLimits {
  /** Milliseconds that a reader may take for one buffer, and an uploader for any byte. */
  readonly stallMs: number;
  /** Bytes per second that an upload must bring on average, besides one {@link stallMs}. */
  readonly uploadBytesPerSecondMin: number;
}

/** What an {@link HttpExchange} is made of. */
export interface HttpExchangeParts {
  readonly head: RequestHead;
  readonly reader: RequestReader;
  readonly connection: RawConnection;
  readonly limits: ExchangeLimits;
  readonly clock: Clock;
  /** Aborted when the connection or the server ends. */
  readonly signal: AbortSignal;
  /** Ends the connection, and aborts {@link signal}. */
  readonly abort?: () => void;
  /** Headers of every answer. */
  readonly common: ReplyHeaders;
  /** Whether bodies in chunks are taken. @default {false} */
  readonly takesChunks?: boolean;
}

/** See the head of this file. Every answer is written by it, once. */
export class HttpExchange {
  readonly head: RequestHead;
  readonly signal: AbortSignal;
  /** The status that was sent; 0 before. */
  status = 0;
  /** Content bytes that were sent or taken. */
  bytes = 0;
  readonly #parts: HttpExchangeParts;
  readonly #chunked: ChunkedBody | undefined;
  #bodyLeft: number;
  #bodyBytes = 0;
  #bodyStartedMs: number | undefined;
  #closes: boolean;

  constructor(parts: HttpExchangeParts) {
    const { head, reader } = parts;
    this.#parts = parts;
    this.head = head;
    this.signal = parts.signal;
    this.#bodyLeft = head.isCoded ? 0 : head.contentLength;
    if (head.isChunked && parts.takesChunks === true) {
      this.#chunked = new ChunkedBody((target) => this.#waitFor(reader.read(target)));
    }
    this.#closes = head.closes || (head.isCoded && this.#chunked === undefined);
  }

  header(name: string): string | undefined {
    return this.head.headers.get(name);
  }

  /** Whether the connection must end after this exchange. */
  get closes(): boolean {
    return this.#closes;
  }

  /** Answers with all of `body`; for HEAD with its head alone. */
  async reply(status: number, headers: ReplyHeaders = [], body?: Bytes): Promise<void> {
    const hasLength = status !== 204 && status !== 304;
    await this.begin(status, [
      ...headers,
      ...(hasLength ? [["Content-Length", `${body?.length ?? 0}`] as const] : []),
    ], this.head.method === "HEAD" ? undefined : body);
  }

  async replyJson(status: number, value: unknown, headers: ReplyHeaders = []): Promise<void> {
    await this.reply(
      status,
      [["Content-Type", "application/json"], ["Cache-Control", "no-store"], ...headers],
      utf8(`${JSON.stringify(value)}\n`),
    );
  }

  /**
   * Sends the head of an answer, and `body` right behind it. What was not read of the request's body
   * is read away first.
   */
  async begin(status: number, headers: ReplyHeaders, body?: Bytes): Promise<void> {
    if (this.status !== 0) throw new Error("An exchange is answered once");
    this.status = status;
    if (this.#hasUnreadBody) await this.#drain();
    const ownHeaders: ReplyHeaders = [
      ["Date", new Date(this.#parts.clock.nowMs()).toUTCString()],
      ...(this.#closes ? [["Connection", "close"] as const] : []),
    ];
    const head = replyHead(status, [...ownHeaders, ...this.#parts.common, ...headers]);
    await this.write(body === undefined ? head : concatBytes(head, body));
  }

  /** Sends content. */
  async send(bytes: Uint8Array): Promise<void> {
    await this.write(bytes);
    this.bytes += bytes.length;
  }

  /** Writes to a reader that may have stopped reading long ago: then the connection goes. */
  async write(bytes: Uint8Array): Promise<void> {
    const { connection } = this.#parts;
    const write = async () => {
      let at = 0;
      while (at < bytes.length) at += await connection.write(at === 0 ? bytes : bytes.subarray(at));
    };
    await this.#waitFor(write());
  }

  /** The whole body; never more memory than came. @throws {Refusal} 400, 411 or 413. */
  async smallBody(bytesMax: number): Promise<Bytes> {
    const tooLarge = () => {
      this.close();
      return new Refusal(413, `The body has more than ${bytesMax} bytes`);
    };
    if (this.head.contentLength > bytesMax) throw tooLarge();
    const pieces: Bytes[] = [];
    let count = 0;
    for await (const piece of this.body()) {
      count += piece.length;
      if (count > bytesMax) throw tooLarge();
      pieces.push(piece.slice());
    }
    return concatBytes(...pieces);
  }

  /**
   * The request's body as it comes; each piece is valid until the next one is asked for.
   *
   * @throws {Refusal} 411 for a coding that is not taken, 400 for malformed chunks.
   * @throws {SeedmintError} `reset`, `timeout`
   */
  async *body(): AsyncGenerator<Bytes, void, undefined> {
    if (this.head.isCoded && this.#chunked === undefined) {
      throw new Refusal(411, "Say the size in Content-Length; chunks are not taken");
    }
    if (this.#hasUnreadBody && this.#bodyStartedMs === undefined) {
      this.#bodyStartedMs = this.#parts.clock.monotonicMs();
      if (/^100-continue$/i.test(this.header("expect") ?? "")) {
        await this.write(replyHead(100, []));
      }
    }
    const pieces = this.#chunked === undefined ? this.#plainBody() : this.#chunkedBody();
    for await (const piece of pieces) {
      this.#bodyBytes += piece.length;
      if (this.#hasUnreadBody) this.#checkPace();
      yield piece;
    }
  }

  /** Aborts {@link signal} at once when the other side goes away; for requests without a body. */
  watch(): void {
    const { reader, abort } = this.#parts;
    if (abort !== undefined && !this.#hasUnreadBody) reader.watch(abort);
  }

  /** Ends the connection after this exchange, and reads no more of it. */
  close(): void {
    this.#closes = true;
  }

  get #hasUnreadBody(): boolean {
    return this.#bodyLeft > 0 || this.#chunked?.isDone === false;
  }

  async *#plainBody(): AsyncGenerator<Bytes, void, undefined> {
    const buffer = new Uint8Array(Math.min(BODY_PIECE_BYTES, this.#bodyLeft));
    while (this.#bodyLeft > 0) {
      const target = buffer.subarray(0, Math.min(buffer.length, this.#bodyLeft));
      const count = await this.#waitFor(this.#parts.reader.read(target));
      if (count === null) throw new SeedmintError("reset", "The connection ended inside a body");
      this.#bodyLeft -= count;
      yield target.subarray(0, count);
    }
  }

  async *#chunkedBody(): AsyncGenerator<Bytes, void, undefined> {
    const chunked = this.#chunked!;
    try {
      for (let piece = await chunked.next(); piece !== undefined; piece = await chunked.next()) {
        yield piece;
      }
    } catch (error) {
      // Where the next request begins is not known any more.
      this.#closes = true;
      throw error;
    }
    this.#parts.reader.giveBack(chunked.rest);
  }

  #checkPace(): void {
    const { clock, limits } = this.#parts;
    const allowedMs = limits.stallMs + this.#bodyBytes / limits.uploadBytesPerSecondMin * 1000;
    if (clock.monotonicMs() - this.#bodyStartedMs! <= allowedMs) return;
    this.#closes = true;
    throw new SeedmintError("timeout", "The body came too slowly");
  }

  async #waitFor<T>(promise: Promise<T>): Promise<T> {
    const { connection, clock, limits } = this.#parts;
    return await withDeadline(promise, {
      clock,
      ms: limits.stallMs,
      onLate: () => closeQuietly(connection),
    });
  }

  /** A small body that nobody wants is read, so that its sender gets to see the answer. */
  async #drain(): Promise<void> {
    // Who waits for our word to go on sends nothing now.
    const waits = this.header("expect") !== undefined;
    if (waits || this.#closes || this.#bodyLeft > DRAIN_BYTES_MAX) {
      this.#closes = true;
      return;
    }
    try {
      let left = DRAIN_BYTES_MAX;
      for await (const piece of this.body()) {
        left -= piece.length;
        if (left < 0) break;
      }
      if (this.#hasUnreadBody) this.#closes = true;
    } catch {
      this.#closes = true;
    }
  }
}

/** Closes what may be closed already. */
export function closeQuietly(connection: Pick<RawConnection, "close">): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
