/** One client's connection: a request is read from it, and an answer, or less than one, written. */
import type { Socket } from "node:net";
import { concatBytes, utf8 } from "../../src/core/bytes.ts";
import { hasToken, readHttpHead } from "../../src/nostr/websocket/http_head.ts";

/** Largest request taken. */
const BODY_BYTES_MAX = 4 << 20;

/** A request as it came. */
export interface ProxyRequest {
  readonly method: string;
  /** With its query. */
  readonly target: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Asks to become a WebSocket. */
  readonly isUpgrade: boolean;
}

/** An answer as the mint gave it, or as it was made up. */
export interface ProxyAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Headers that are between two ends of one connection only, or no longer true after decoding. */
const HOP_HEADERS: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"],
  ...["host", "upgrade", "te", "trailer", "accept-encoding", "date", "server"],
]);

/** Whether a header may travel further. */
export function isEndToEnd(name: string): boolean {
  return !HOP_HEADERS.has(name.toLowerCase());
}

/** A socket of `node:net`, which can be reset where Deno's own cannot. */
export class ProxyConnection {
  readonly socket: Socket;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #pending: Uint8Array = new Uint8Array(0);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  /** As `Deno.Conn.read`. */
  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#pending.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return null;
      this.#pending = next.value;
    }
    const count = Math.min(buffer.length, this.#pending.length);
    buffer.set(this.#pending.subarray(0, count));
    this.#pending = this.#pending.subarray(count);
    return count;
  }

  /** The request, or undefined if there is none that can be understood. */
  async request(): Promise<ProxyRequest | undefined> {
    const head = await readHttpHead(this);
    const found = /^([A-Z]+) (\/\S*) HTTP\/1\.1$/.exec(head?.startLine ?? "");
    const length = Number(head?.headers.get("content-length") ?? 0);
    const isTaken = Number.isSafeInteger(length) && length >= 0 && length <= BODY_BYTES_MAX;
    if (found === null || !isTaken || head!.headers.has("transfer-encoding")) return undefined;
    const chunks = [head!.rest];
    let size = head!.rest.length;
    while (size < length) {
      const buffer = new Uint8Array(Math.min(length - size, 1 << 16));
      const count = await this.read(buffer);
      if (count === null) return undefined;
      chunks.push(buffer.subarray(0, count));
      size += count;
    }
    const [method, target] = [found[1]!, found[2]!];
    return {
      method,
      target,
      path: target.split("?")[0]!,
      headers: head!.headers,
      body: concatBytes(...chunks).slice(0, length),
      isUpgrade: hasToken(head!.headers.get("upgrade"), "websocket"),
    };
  }

  /** Writes an answer, or only the first `bytesMax` bytes of its body, and ends the connection. */
  async answer(answer: ProxyAnswer, bytesMax = Infinity): Promise<void> {
    const lines = [
      `HTTP/1.1 ${answer.status} ${answer.status < 400 ? "OK" : "Error"}`,
      ...answer.headers.filter(([name]) => isEndToEnd(name)).map(([name, value]) =>
        `${name}: ${value}`
      ),
      `content-length: ${answer.body.length}`,
      "connection: close",
    ];
    const head = utf8(lines.join("\r\n") + "\r\n\r\n");
    await this.write(
      concatBytes(head, answer.body.subarray(0, Math.min(answer.body.length, bytesMax))),
    );
    this.end();
  }

  /** Resolves when the bytes are on their way, or the other side is gone. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) return resolve();
      this.socket.once("close", () => resolve());
      this.socket.write(bytes, () => resolve());
    });
  }

  /** Ends it in good order. */
  end(): void {
    this.socket.end(() => this.socket.destroy());
  }

  /** Ends it with a reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Resolves when the client is gone; what it still sends is dropped. */
  async closed(): Promise<void> {
    const buffer = new Uint8Array(1 << 12);
    while (await this.read(buffer) !== null);
    this.socket.destroy();
  }
}
