/** Heads of requests and of answers (RFC 9112). */
import { type Bytes, concatBytes, utf8 } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { HEAD_BYTES_MAX, HEADER_LINES_MAX, TARGET_CHARS_MAX, WATCH_BYTES } from "./limits.ts";
import { Refusal } from "./refusal.ts";

/** What this code needs of a `Deno.Conn`. */
export interface RawConnection {
  read(target: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** A request without its body. */
export interface RequestHead {
  readonly method: string;
  /** Path, as it was sent: nothing is unescaped, so nothing can hide in it. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Values by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body; 0 without one. */
  readonly contentLength: number;
  /** Whether the body's length was said at all. */
  readonly hasLength: boolean;
  /** Whether a body comes in a transfer coding. */
  readonly isCoded: boolean;
  /** Whether that coding is `chunked` and nothing else, which servers may take. */
  readonly isChunked: boolean;
  /** Whether the other side closes after this exchange. */
  readonly closes: boolean;
}

/** Takes heads and bodies off a connection. */
export class RequestReader {
  readonly #connection: RawConnection;
  #unread: Bytes = new Uint8Array(0);
  /** A read of {@link watch} that is under way. */
  #watching: Promise<void> | undefined;

  constructor(connection: RawConnection) {
    this.#connection = connection;
  }

  /**
   * The next head, or undefined when the connection ended before its first byte.
   *
   * @param onBegun Called once the first byte of it is here.
   * @throws {Refusal} If it is malformed or too long, or begins TLS.
   * @throws {SeedmintError} `reset` if it is cut off.
   */
  async head(onBegun: () => void): Promise<RequestHead | undefined> {
    const chunk = new Uint8Array(4096);
    let searched = 0;
    let hasBegun = false;
    while (true) {
      if (this.#unread.length > 0 && !hasBegun) {
        hasBegun = true;
        onBegun();
        // Container clients try TLS first, and go on without at once when they are answered in plain HTTP.
        if (this.#unread[0] === TLS_HANDSHAKE) throw new Refusal(400, "This port speaks no TLS");
      }
      const end = endOfHead(this.#unread, searched);
      if (end >= 0 && end <= HEAD_BYTES_MAX) {
        const text = new TextDecoder("latin1").decode(this.#unread.subarray(0, end));
        this.#unread = this.#unread.subarray(end + 4);
        return parseHead(text);
      }
      if (this.#unread.length > HEAD_BYTES_MAX) {
        throw new Refusal(431, `The head of the request is longer than ${HEAD_BYTES_MAX} bytes`);
      }
      searched = Math.max(0, this.#unread.length - 3);
      if (this.#watching !== undefined) {
        await this.#watching;
        if (this.#unread.length > 0) continue;
      }
      const count = await this.#connection.read(chunk);
      if (count === null) {
        if (this.#unread.length === 0) return undefined;
        throw new SeedmintError("reset", "The connection ended inside a head");
      }
      this.#unread = concatBytes(this.#unread, chunk.subarray(0, count));
    }
  }

  /** Reads what is there into `target`; null at the end. */
  async read(target: Uint8Array): Promise<number | null> {
    if (this.#watching !== undefined) await this.#watching;
    if (this.#unread.length === 0) return await this.#connection.read(target);
    const count = Math.min(this.#unread.length, target.length);
    target.set(this.#unread.subarray(0, count));
    this.#unread = this.#unread.subarray(count);
    return count;
  }

  /** Takes back what was read too much; `bytes` is copied. */
  giveBack(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#unread = concatBytes(bytes, this.#unread);
  }

  /**
   * Notices that the other side goes away while an answer is being prepared; what it says meanwhile
   * is kept for later. To be called when the request has been read to its end.
   *
   * @param onGone Called once, if it does before it says anything more.
   */
  watch(onGone: () => void): void {
    if (this.#unread.length > 0 || this.#watching !== undefined) return;
    const target = new Uint8Array(WATCH_BYTES);
    this.#watching = this.#connection.read(target).then((count) => {
      if (count === null) onGone();
      else this.#unread = target.subarray(0, count);
    }, onGone).finally(() => this.#watching = undefined);
  }
}

/** The first byte of a TLS connection: a record of type handshake (RFC 8446, section 5.1). */
const TLS_HANDSHAKE = 0x16;

/** Headers of an answer, in order. */
export type ReplyHeaders = readonly (readonly [name: string, value: string])[];

/** The bytes of an answer's head; `status` 304 and 204 have no length. */
export function replyHead(status: number, headers: ReplyHeaders): Bytes {
  const lines = headers.map(([name, value]) => `${name}: ${headerValue(value)}\r\n`).join("");
  return utf8(`HTTP/1.1 ${status} ${REASONS.get(status) ?? "Status"}\r\n${lines}\r\n`);
}

/** What may stand in a header line: one line of printable ASCII. */
export function headerValue(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").trim();
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [100, "Continue"],
  [200, "OK"],
  [201, "Created"],
  [202, "Accepted"],
  [204, "No Content"],
  [206, "Partial Content"],
  [304, "Not Modified"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [402, "Payment Required"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [408, "Request Timeout"],
  [409, "Conflict"],
  [411, "Length Required"],
  [412, "Precondition Failed"],
  [413, "Content Too Large"],
  [414, "URI Too Long"],
  [416, "Range Not Satisfiable"],
  [421, "Misdirected Request"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [502, "Bad Gateway"],
  [503, "Service Unavailable"],
  [505, "HTTP Version Not Supported"],
  [507, "Insufficient Storage"],
]);

/** Headers that mean nothing together with a second one of their name, or mean an attack. */
const ONCE = new Set([
  "authorization",
  "content-length",
  "content-type",
  "host",
  "if-range",
  "origin",
  "range",
  "transfer-encoding",
  "x-cashu",
  "x-content-length",
  "x-content-type",
  "x-sha-256",
]);

/** Exported for its tests. @throws {Refusal} */
export function parseHead(text: string): RequestHead {
  const [first, ...lines] = text.split("\r\n");
  const match = /^([A-Z]{1,16}) ([!-~]+) HTTP\/(\d)\.(\d)$/.exec(first!);
  if (match === null) throw new Refusal(400, "The request line is malformed");
  const [, method, target, major, minor] = match;
  if (major !== "1") throw new Refusal(505, "HTTP/1.1 is spoken here");
  if (target!.length > TARGET_CHARS_MAX) {
    throw new Refusal(414, `The path and query are longer than ${TARGET_CHARS_MAX} characters`);
  }
  if (lines.length > HEADER_LINES_MAX) {
    throw new Refusal(431, `There are more than ${HEADER_LINES_MAX} header lines`);
  }
  const headers = parseHeaders(lines);
  if (minor !== "0" && !headers.has("host")) throw new Refusal(400, "The Host header is missing");
  const isStar = target === "*" && method === "OPTIONS";
  if (!target!.startsWith("/") && !isStar) {
    throw new Refusal(400, "The request's target must be a path");
  }
  const mark = target!.indexOf("?");
  const length = headers.get("content-length");
  // Two lengths, or one that is no plain number, is how requests are smuggled.
  if (length !== undefined && !/^(0|[1-9][0-9]{0,15})$/.test(length)) {
    throw new Refusal(400, "The Content-Length is no number");
  }
  const coding = headers.get("transfer-encoding");
  const connection = (headers.get("connection") ?? "").toLowerCase();
  return {
    method: method!,
    path: mark < 0 ? target! : target!.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? "" : target!.slice(mark + 1)),
    headers,
    contentLength: length === undefined ? 0 : Number(length),
    hasLength: length !== undefined,
    isCoded: coding !== undefined,
    isChunked: isChunked(coding) && length === undefined && minor !== "0",
    closes: minor === "0" || connection.split(",").some((part) => part.trim() === "close"),
  };
}

/** Both a coding and a length is how requests are smuggled; such a body is not taken. */
function isChunked(coding: string | undefined): boolean {
  return coding?.toLowerCase() === "chunked";
}

function parseHeaders(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    // deno-lint-ignore no-control-regex -- a control character in a value is what is looked for
    const isBroken = !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || /[\x00-\x08\x0a-\x1f]/.test(line);
    if (isBroken) throw new Refusal(400, "A header line is malformed");
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    if (before !== undefined && ONCE.has(name)) {
      throw new Refusal(400, `The header ${name} stands there twice`);
    }
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

/** Where the empty line begins, at `from` or later, or -1. */
function endOfHead(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(13, from); at >= 0; at = bytes.indexOf(13, at + 1)) {
    if (bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at;
  }
  return -1;
}
