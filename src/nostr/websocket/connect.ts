/** Opening a WebSocket as a client, `ws:` or `wss:`, within a deadline. */
import { createHash } from "node:crypto";
import { messageOf, SeedmintError } from "../../core/errors.ts";
import type { Clock, Random } from "../../core/ports.ts";
import type { SocketLimits } from "../limits.ts";
import { hasToken, readHttpHead } from "./http_head.ts";
import { Socket } from "./socket.ts";

const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The proof that a server understood the handshake (RFC 6455 section 4.2.2). */
export function acceptKey(key: string): string {
  return createHash("sha1").update(key + ACCEPT_GUID).digest("base64");
}

/** Options of {@link connectSocket}. */
export interface ConnectOptions {
  readonly limits: SocketLimits;
  readonly connectMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal?: AbortSignal;
}

/**
 * Connects to `url` and shakes hands. Redirects are not followed.
 *
 * @throws {SeedmintError} `timeout` at the deadline, `unavailable` if nobody answers, `protocol` if
 * what answers is no WebSocket.
 * @throws `signal.reason` once `signal` is aborted.
 */
export async function connectSocket(url: string, options: ConnectOptions): Promise<Socket> {
  options.signal?.throwIfAborted();
  const deadline = new AbortController();
  const timeoutError = new SeedmintError(
    "timeout",
    `Cannot connect to ${url}: no answer within ${options.connectMs} ms`,
    { retryable: true },
  );
  const cancel = options.clock.timer(options.connectMs, () => deadline.abort(timeoutError));
  const signal = options.signal === undefined
    ? deadline.signal
    : AbortSignal.any([options.signal, deadline.signal]);
  const onAbort = () => close(conn);
  let conn: Deno.Conn | undefined;
  try {
    signal.addEventListener("abort", onAbort, { once: true });
    conn = await dial(new URL(url), signal);
    signal.throwIfAborted();
    if (new URL(url).protocol === "wss:") {
      conn = await Deno.startTls(conn as Deno.TcpConn, {
        hostname: bareHost(new URL(url)),
        alpnProtocols: ["http/1.1"],
      });
      signal.throwIfAborted();
    }
    const rest = await shakeHands(conn, new URL(url), options.random);
    signal.throwIfAborted();
    return new Socket(conn, { role: "client", rest, ...options });
  } catch (error) {
    close(conn);
    if (signal.aborted) throw signal.reason;
    if (error instanceof SeedmintError) throw error;
    throw new SeedmintError("unavailable", `Cannot connect to ${url}: ${messageOf(error)}`, {
      cause: error,
      retryable: true,
    });
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

async function dial(url: URL, signal: AbortSignal): Promise<Deno.TcpConn> {
  const port = url.port === "" ? (url.protocol === "wss:" ? 443 : 80) : Number(url.port);
  const conn = await Deno.connect({ hostname: bareHost(url), port, signal });
  conn.setNoDelay(true);
  return conn;
}

async function shakeHands(conn: Deno.Conn, url: URL, random: Random): Promise<Uint8Array> {
  const key = random.bytes(16).toBase64();
  const request = [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
    "",
    "",
  ].join("\r\n");
  const bytes = new TextEncoder().encode(request);
  for (let offset = 0; offset < bytes.length;) offset += await conn.write(bytes.subarray(offset));
  const head = await readHttpHead(conn);
  const status = head?.startLine.split(" ")[1];
  if (
    head === undefined || status !== "101" ||
    !hasToken(head.headers.get("upgrade"), "websocket") ||
    head.headers.get("sec-websocket-accept") !== acceptKey(key) ||
    head.headers.has("sec-websocket-extensions")
  ) {
    throw new SeedmintError(
      "protocol",
      `Cannot connect to ${url.origin}: a WebSocket (status 101) was wanted, found ${
        head === undefined ? "nothing" : JSON.stringify(head.startLine.slice(0, 80))
      }`,
      { retryable: true },
    );
  }
  return head.rest;
}

/** The host without the brackets of an IPv6 literal. */
function bareHost(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

function close(conn: Deno.Conn | undefined): void {
  try {
    conn?.close();
  } catch {
    // It was closed already.
  }
}
