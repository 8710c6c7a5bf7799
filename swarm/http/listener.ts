/** A listener and its connections: who is let in, heads in time, and ends that the other side sees. */
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { withDeadline } from "../provider/deadline.ts";
import { closeQuietly } from "./exchange.ts";
import { LINGER_BYTES_MAX, LINGER_MS } from "./limits.ts";
import { type RawConnection, type RequestHead, RequestReader } from "./message.ts";
import { Refusal } from "./refusal.ts";

/** One request as a connection brought it. */
export interface GuestRequest {
  readonly head: RequestHead;
  /** What is wrong with the head; `head` says nothing then. */
  readonly refusal?: Refusal;
  readonly reader: RequestReader;
  readonly connection: RawConnection;
  /** Aborted when the connection or the listener ends. */
  readonly signal: AbortSignal;
  /** Ends the connection, and with it {@link signal}. */
  abort(): void;
}

/** One connection that was let in. */
export interface Guest {
  /** Answers one request. Whatever it throws ends the connection. @returns Whether that must end. */
  answer(request: GuestRequest): Promise<boolean>;
  /** Called once, when the connection is over. */
  leave(): void;
}

/** Options of {@link HttpListener}. */
export interface ListenerOptions {
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly clock: Clock;
  readonly limits: {
    /** Milliseconds from the first byte of a request to the end of its head. */
    readonly headMs: number;
    /** Milliseconds that a connection may stay open between two requests. */
    readonly idleMs: number;
  };
  /**
   * Lets a connection in.
   *
   * @param remote The other end's address; of IPv4 always as IPv4.
   * @param local The address on this machine that was connected to.
   * @returns Undefined closes it without a word.
   */
  readonly admit: (remote: string, local: string) => Guest | undefined;
}

interface Connection {
  readonly conn: Deno.TcpConn;
  readonly over: AbortController;
}

/** See the head of this file. */
export class HttpListener implements AsyncDisposable {
  readonly address: Deno.NetAddr;
  readonly #options: ListenerOptions;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Connection>();
  readonly #serving = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;

  /** @throws {SeedmintError} `unavailable` if the port is taken or may not be used. */
  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#listener = listen(options.hostname, options.port);
    this.address = this.#listener.addr;
    this.#accepting = this.#accept();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const { conn, over } of this.#connections) {
      over.abort(new SeedmintError("aborted", "The server is closing"));
      closeQuietly(conn);
    }
    await this.#accepting;
    await Promise.allSettled(this.#serving);
  }

  async #accept(): Promise<void> {
    while (true) {
      let conn: Deno.TcpConn;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        // One connection that broke while it was accepted, or too many open files for a moment.
        await this.#options.clock.sleep(10);
        continue;
      }
      const serving = this.#serve(conn);
      this.#serving.add(serving);
      serving.finally(() => this.#serving.delete(serving));
    }
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    const guest = this.#options.admit(plain(conn.remoteAddr), plain(conn.localAddr));
    if (guest === undefined) return closeQuietly(conn);
    const connection = { conn, over: new AbortController() };
    this.#connections.add(connection);
    try {
      conn.setNoDelay(true);
      await this.#converse(connection, guest);
    } catch {
      // Whatever a stranger did, or a network: the connection goes, nothing else is touched.
    } finally {
      connection.over.abort();
      this.#connections.delete(connection);
      guest.leave();
      closeQuietly(conn);
    }
  }

  async #converse({ conn, over }: Connection, guest: Guest): Promise<void> {
    const reader = new RequestReader(conn);
    let isFirst = true;
    while (!over.signal.aborted) {
      const read = await this.#readHead(reader, { conn, isFirst });
      isFirst = false;
      if (read === undefined) return;
      const closes = await guest.answer({
        ...(read instanceof Refusal ? { head: REFUSED_HEAD, refusal: read } : { head: read }),
        reader,
        connection: conn,
        signal: over.signal,
        abort: () => {
          over.abort(new SeedmintError("aborted", "The client went away"));
          closeQuietly(conn);
        },
      });
      if (closes || read instanceof Refusal) return await this.#linger(conn, reader);
    }
  }

  /** The next head, what is wrong with it, or undefined at the end. */
  async #readHead(
    reader: RequestReader,
    { conn, isFirst }: { readonly conn: Deno.TcpConn; readonly isFirst: boolean },
  ): Promise<RequestHead | Refusal | undefined> {
    const { clock, limits: { headMs, idleMs } } = this.#options;
    const onLate = () => closeQuietly(conn);
    let stopHead: (() => void) | undefined;
    try {
      return await withDeadline(
        reader.head(() => stopHead = clock.timer(headMs, onLate)),
        { clock, ms: isFirst ? headMs : idleMs + headMs, onLate },
      );
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    } finally {
      stopHead?.();
    }
  }

  /**
   * Says that nothing more is sent, and reads a little of what still comes: closing with unread bytes
   * would reset the connection, and the answer with it.
   */
  async #linger(conn: Deno.TcpConn, reader: RequestReader): Promise<void> {
    await conn.closeWrite();
    const stop = this.#options.clock.timer(LINGER_MS, () => closeQuietly(conn));
    try {
      const sink = new Uint8Array(64 * 1024);
      for (let left = LINGER_BYTES_MAX; left > 0;) {
        const count = await reader.read(sink);
        if (count === null) return;
        left -= count;
      }
    } finally {
      stop();
    }
  }
}

/** What is answered where the head could not be read. */
const REFUSED_HEAD: RequestHead = {
  method: "GET",
  path: "/",
  query: new URLSearchParams(),
  headers: new Map(),
  contentLength: 0,
  hasLength: false,
  isCoded: false,
  isChunked: false,
  closes: true,
};

/** Who listens on all of IPv6 sees IPv4 in its clothes. */
function plain(address: Deno.Addr): string {
  return (address as Deno.NetAddr).hostname.replace(/^::ffff:(?=\d+\.)/i, "");
}

function listen(hostname: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (cause) {
    throw new SeedmintError(
      "unavailable",
      `Cannot listen on ${hostname}:${port} for HTTP: ${messageOf(cause)}; choose another port`,
      { cause },
    );
  }
}

/** Where programs of this machine reach a listener, without a slash at the end. */
export function urlOfListener({ hostname, port }: Deno.NetAddr): string {
  const shown = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${port}`;
}
