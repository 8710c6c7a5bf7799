/**
 * As much of HTTP/1.1 (RFC 9112) as the direct path speaks, on raw connections. `Deno.serve` and
 * `fetch` would do, but cost half of the rate (docs/performance has the figures), and neither lets
 * us limit connections or how long a head may take.
 */
import { type Bytes, concatBytes, utf8 } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";

/** The one path that is served. */
export const DIRECT_PATH = "/seedmint/direct/1";

/** What this code needs of a `Deno.Conn`. */
export interface RawConnection {
  read(target: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** The first line and the headers that matter. */
export interface HttpHead {
  readonly firstLine: string;
  readonly contentLength: number | undefined;
  /** Whether the other side closes after this exchange. */
  readonly closes: boolean;
}

/** Takes heads and bodies off a connection. */
export class HttpReader {
  readonly #connection: RawConnection;
  #unread: Bytes = new Uint8Array(0);

  constructor(connection: RawConnection) {
    this.#connection = connection;
  }

  /**
   * The next head, or undefined when the connection ended before its first byte.
   *
   * @throws {SeedmintError} `protocol` if it is malformed or too long, `reset` if it is cut off.
   */
  async head(bytesMax: number): Promise<HttpHead | undefined> {
    while (true) {
      const end = endOfHead(this.#unread);
      if (end >= 0 && end <= bytesMax) {
        const text = new TextDecoder().decode(this.#unread.subarray(0, end));
        this.#unread = this.#unread.subarray(end + 4);
        return parseHead(text);
      }
      if (this.#unread.length > bytesMax) throw refused(`a head of more than ${bytesMax} bytes`);
      const chunk = new Uint8Array(bytesMax);
      const count = await this.#connection.read(chunk);
      if (count === null) {
        if (this.#unread.length === 0) return undefined;
        throw new SeedmintError("reset", "The connection ended inside a head");
      }
      this.#unread = concatBytes(this.#unread, chunk.subarray(0, count));
    }
  }

  /** Exactly `count` bytes of a body, held in one array. */
  async body(count: number): Promise<Bytes> {
    const body = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const read = await this.read(body.subarray(at));
      if (read === null) throw new SeedmintError("reset", "The connection ended inside a body");
      at += read;
    }
    return body;
  }

  /** Reads what is there into `target`; null at the end. */
  async read(target: Uint8Array): Promise<number | null> {
    if (this.#unread.length === 0) return await this.#connection.read(target);
    const count = Math.min(this.#unread.length, target.length);
    target.set(this.#unread.subarray(0, count));
    this.#unread = this.#unread.subarray(count);
    return count;
  }
}

/** Writes all of `bytes`. */
export async function writeAll(connection: RawConnection, bytes: Uint8Array): Promise<void> {
  let at = 0;
  while (at < bytes.length) {
    at += await connection.write(at === 0 ? bytes : bytes.subarray(at));
  }
}

/** The bytes of a request with `body`. */
export function requestBytes(host: string, body: Uint8Array): Bytes {
  const head = `POST ${DIRECT_PATH} HTTP/1.1\r\nHost: ${host}\r\n` +
    `Content-Type: application/cbor\r\nContent-Length: ${body.length}\r\n\r\n`;
  return concatBytes(utf8(head), body);
}

/** The bytes of a response's head. */
export function responseHead(status: number, contentLength: number): Bytes {
  const reason = REASONS.get(status) ?? "Status";
  const type = status === 200 ? "Content-Type: application/octet-stream\r\n" : "";
  return utf8(`HTTP/1.1 ${status} ${reason}\r\n${type}Content-Length: ${contentLength}\r\n\r\n`);
}

/** The status in the first line of a response. @throws {SeedmintError} `protocol` */
export function statusOf(head: HttpHead): number {
  const match = /^HTTP\/1\.1 ([1-5][0-9]{2})(?: |$)/.exec(head.firstLine);
  if (match === null) throw refused("a response without a status");
  return Number(match[1]);
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [200, "OK"],
  [400, "Bad Request"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [429, "Too Many Requests"],
  [503, "Service Unavailable"],
]);

function parseHead(text: string): HttpHead {
  const [firstLine, ...lines] = text.split("\r\n");
  let contentLength: number | undefined;
  let closes = false;
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0 || !/^[!-9;-~]+$/.test(line.slice(0, colon))) throw refused("a broken header");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === "transfer-encoding") throw refused("a transfer encoding");
    if (name === "connection" && value.toLowerCase() === "close") closes = true;
    if (name !== "content-length") continue;
    // Two lengths, or one that is no plain number, is how requests are smuggled.
    if (contentLength !== undefined || !/^(0|[1-9][0-9]{0,15})$/.test(value)) {
      throw refused("a broken content length");
    }
    contentLength = Number(value);
  }
  return { firstLine: firstLine!, contentLength, closes };
}

/** Where the empty line begins, or -1. */
function endOfHead(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(13); at >= 0; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at;
  }
  return -1;
}

function refused(what: string): SeedmintError {
  return new SeedmintError("protocol", `Cannot read HTTP: ${what}`);
}
