/** One request and its answer on one connection. */
import { type Bytes, utf8 } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { withDeadline } from "../provider/deadline.ts";
import type { Client, Clients } from "./clients.ts";
import { DRAIN_BYTES_MAX, type GatewayLimits } from "./limits.ts";
import {
  headerValue,
  type RawConnection,
  replyHead,
  type ReplyHeaders,
  type RequestHead,
  type RequestReader,
} from "./message.ts";
import { Refusal } from "./refusal.ts";

/** What an {@link Exchange} is made of. */
export interface ExchangeParts {
  readonly head: RequestHead;
  readonly reader: RequestReader;
  readonly connection: RawConnection;
  readonly client: Client;
  readonly clients: Clients;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  /** Whether the client is a program of this machine that reached a local cache. */
  readonly isLocal: boolean;
  /** Aborted when the connection or the gateway ends. */
  readonly signal: AbortSignal;
}

/** Headers of every answer: any page may read what is public here, and run nothing of it. */
const COMMON: ReplyHeaders = [
  ["Access-Control-Allow-Origin", "*"],
  [
    "Access-Control-Expose-Headers",
    "Accept-Ranges, Content-Length, Content-Range, ETag, Retry-After, X-Cashu, X-Reason",
  ],
  ["Content-Security-Policy", "sandbox; default-src 'none'"],
  ["Cross-Origin-Resource-Policy", "cross-origin"],
  ["X-Content-Type-Options", "nosniff"],
];

/** See the head of this file. Every answer is written by it, once. */
export class Exchange {
  readonly head: RequestHead;
  readonly client: Client;
  readonly isLocal: boolean;
  readonly signal: AbortSignal;
  /** The status that was sent; 0 before. */
  status = 0;
  /** Content bytes that were sent or taken. */
  bytes = 0;
  /** The blob it was about, once it was found and may be seen. */
  hash: Hash | undefined;
  readonly #parts: ExchangeParts;
  #bodyLeft: number;
  #closes: boolean;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.head = parts.head;
    this.client = parts.client;
    this.isLocal = parts.isLocal;
    this.signal = parts.signal;
    this.#bodyLeft = parts.head.contentLength;
    this.#closes = parts.head.closes || parts.head.isCoded;
  }

  header(name: string): string | undefined {
    return this.head.headers.get(name);
  }

  /**
   * Whether a web page may stand behind the request. A page that embeds something sends no Origin,
   * but browsers tell it otherwise; a program that tells none of these is none.
   */
  get isFromPage(): boolean {
    const { headers } = this.head;
    for (const name of headers.keys()) {
      if (name === "origin" || name === "referer" || name.startsWith("sec-fetch-")) return true;
    }
    return /^mozilla\//i.test(headers.get("user-agent") ?? "");
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
    ]);
    if (body !== undefined && this.head.method !== "HEAD") await this.write(body);
  }

  async replyJson(status: number, value: unknown, headers: ReplyHeaders = []): Promise<void> {
    await this.reply(
      status,
      [["Content-Type", "application/json"], ["Cache-Control", "no-store"], ...headers],
      utf8(`${JSON.stringify(value)}\n`),
    );
  }

  async refuse(refusal: Refusal): Promise<void> {
    const headers: ReplyHeaders = [["X-Reason", refusal.message], ...refusal.headers];
    if (refusal.json !== undefined) {
      return await this.replyJson(refusal.status, refusal.json, headers);
    }
    await this.reply(
      refusal.status,
      [["Content-Type", "text/plain; charset=utf-8"], ["Cache-Control", "no-store"], ...headers],
      utf8(`${headerValue(refusal.message)}\n`),
    );
  }

  /** Sends the head of an answer. What was not read of the request's body is read away first. */
  async begin(status: number, headers: ReplyHeaders): Promise<void> {
    if (this.status !== 0) throw new Error("An exchange is answered once");
    this.status = status;
    if (this.#bodyLeft > 0) await this.#drain();
    const ownHeaders: ReplyHeaders = [
      ["Date", new Date(this.#parts.clock.nowMs()).toUTCString()],
      ...(this.#closes ? [["Connection", "close"] as const] : []),
    ];
    await this.write(replyHead(status, [...ownHeaders, ...COMMON, ...headers]));
  }

  /** Sends content, at the pace that the limits allow. */
  async send(bytes: Uint8Array): Promise<void> {
    await this.#parts.clients.pace(this.client, bytes.length, this.signal);
    await this.write(bytes);
    this.bytes += bytes.length;
  }

  /** Writes to a reader that may have stopped reading long ago: then the connection goes. */
  async write(bytes: Uint8Array): Promise<void> {
    const { connection, clock, limits } = this.#parts;
    const write = async () => {
      let at = 0;
      while (at < bytes.length) at += await connection.write(at === 0 ? bytes : bytes.subarray(at));
    };
    await withDeadline(write(), {
      clock,
      ms: limits.stallMs,
      onLate: () => closeQuietly(connection),
    });
  }

  /** The whole body. @throws {Refusal} 400, 411 or 413. */
  async smallBody(bytesMax: number): Promise<Bytes> {
    if (this.head.contentLength > bytesMax) {
      throw new Refusal(413, `The body has more than ${bytesMax} bytes`);
    }
    const body = new Uint8Array(this.head.contentLength);
    let at = 0;
    for await (const piece of this.body()) {
      body.set(piece, at);
      at += piece.length;
    }
    return body;
  }

  /**
   * The request's body as it comes; each piece is valid until the next one is asked for.
   *
   * @throws {Refusal} 411 without a length.
   * @throws {SeedmintError} `reset`, `timeout`
   */
  async *body(): AsyncGenerator<Bytes, void, undefined> {
    const { head, clock, limits, connection } = this.#parts;
    if (head.isCoded) {
      throw new Refusal(411, "Say the size in Content-Length; chunks are not taken");
    }
    if (this.#bodyLeft > 0 && /^100-continue$/i.test(this.header("expect") ?? "")) {
      await this.write(replyHead(100, []));
    }
    const startedMs = clock.monotonicMs();
    const buffer = new Uint8Array(Math.min(64 * 1024, this.#bodyLeft));
    while (this.#bodyLeft > 0) {
      const target = buffer.subarray(0, Math.min(buffer.length, this.#bodyLeft));
      const count = await withDeadline(this.#parts.reader.read(target), {
        clock,
        ms: limits.stallMs,
        onLate: () => closeQuietly(connection),
      });
      if (count === null) throw new SeedmintError("reset", "The connection ended inside a body");
      this.#bodyLeft -= count;
      const allowedMs = limits.stallMs +
        (head.contentLength - this.#bodyLeft) / limits.uploadBytesPerSecondMin * 1000;
      if (this.#bodyLeft > 0 && clock.monotonicMs() - startedMs > allowedMs) {
        this.#closes = true;
        throw new SeedmintError("timeout", "The body came too slowly");
      }
      yield target.subarray(0, count);
    }
  }

  /** Ends the connection after this exchange, and reads no more of it. */
  close(): void {
    this.#closes = true;
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
      for await (const _ of this.body());
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
