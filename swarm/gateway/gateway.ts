/** The listener: connections, their limits, and which part answers what. */
import { isIP } from "node:net";
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import { addressGroup, isLoopbackHost } from "../../src/nostr/relay/hosts.ts";
import { withDeadline } from "../provider/deadline.ts";
import { answerRequest, type Answers, answersOf } from "./answers.ts";
import { type Client, Clients } from "./clients.ts";
import { closeQuietly, Exchange } from "./exchange.ts";
import { GATEWAY_LIMITS, type GatewayLimits, LINGER_BYTES_MAX, LINGER_MS } from "./limits.ts";
import { type RequestHead, RequestReader } from "./message.ts";
import type { GatewayOptions } from "./options.ts";
import { Refusal } from "./refusal.ts";

/** A connection under way. */
interface Connection {
  readonly conn: Deno.TcpConn;
  readonly address: string;
  readonly isProxy: boolean;
  readonly over: AbortController;
}

/** A listening gateway. */
export class Gateway implements AsyncDisposable {
  /** The port listened on. */
  readonly port: number;
  /** Where clients reach it, without a slash at the end. */
  readonly url: string;
  readonly #options: GatewayOptions;
  readonly #limits: GatewayLimits;
  readonly #listener: Deno.TcpListener;
  readonly #clients: Clients;
  readonly #answers: Answers;
  readonly #connections = new Set<Connection>();
  readonly #serving = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;

  private constructor(options: GatewayOptions, listener: Deno.TcpListener) {
    this.#options = options;
    this.#limits = { ...GATEWAY_LIMITS, ...options.limits };
    this.#listener = listener;
    this.port = listener.addr.port;
    this.#clients = new Clients(this.#limits, options.clock);
    this.url = urlOf(options, listener.addr);
    this.#answers = answersOf(options, { url: this.url, limits: this.#limits });
    this.#accepting = this.#accept();
  }

  /**
   * Listens.
   *
   * @throws {SeedmintError} `unavailable` if the port is taken or may not be used, `usage` if a local
   * cache is to be reached from other machines, or the public URL is none.
   */
  static start(options: GatewayOptions): Promise<Gateway> {
    const hostname = options.hostname ?? "127.0.0.1";
    try {
      checkSettings(options, hostname);
      return Promise.resolve(new Gateway(options, listen(hostname, options.port)));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const { conn, over } of this.#connections) {
      over.abort(new SeedmintError("aborted", "The gateway is closing"));
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
    // Who listens on all of IPv6 sees IPv4 in its clothes.
    const hostname = conn.remoteAddr.hostname.replace(/^::ffff:(?=\d+\.)/i, "");
    const isProxy = this.#options.proxies?.includes(hostname) === true;
    const client = this.#clients.of(addressGroup(hostname));
    if (!this.#clients.connect(client, isProxy)) return closeQuietly(conn);
    const connection = { conn, address: hostname, isProxy, over: new AbortController() };
    this.#connections.add(connection);
    try {
      conn.setNoDelay(true);
      await this.#converse(connection, client);
    } catch {
      // Whatever a stranger did, or a network: the connection goes, nothing else is touched.
    } finally {
      connection.over.abort();
      this.#connections.delete(connection);
      this.#clients.disconnect(client);
      closeQuietly(conn);
    }
  }

  async #converse(connection: Connection, client: Client): Promise<void> {
    const { conn, over } = connection;
    const reader = new RequestReader(conn);
    let isFirst = true;
    while (!over.signal.aborted) {
      const read = await this.#readHead(reader, connection, isFirst);
      isFirst = false;
      if (read === undefined) return;
      const head = read instanceof Refusal ? REFUSED_HEAD : read;
      const exchange = new Exchange({
        head,
        reader,
        connection: conn,
        client: this.#clientOf(connection, client, head),
        clients: this.#clients,
        limits: this.#limits,
        clock: this.#options.clock,
        isLocal: this.#isLocal(connection, head),
        signal: over.signal,
      });
      if (read instanceof Refusal) return await exchange.refuse(read);
      await this.#answer(exchange);
      if (exchange.closes) return await lingering(conn, reader, this.#options);
    }
  }

  /** The next head, what is wrong with it, or undefined at the end. */
  async #readHead(
    reader: RequestReader,
    { conn }: Connection,
    isFirst: boolean,
  ): Promise<RequestHead | Refusal | undefined> {
    const { clock } = this.#options;
    const { headMs, idleMs } = this.#limits;
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

  /** Whether a program of this machine asks its cache, and no proxy for somebody else. */
  #isLocal({ address }: Connection, { headers }: RequestHead): boolean {
    if (this.#options.localCache === undefined || !isLoopbackHost(address)) return false;
    return !["forwarded", "via", "x-forwarded-for"].some((name) => headers.has(name));
  }

  /** Who asks: the other end, or whom a proxy of ours names last. */
  #clientOf(connection: Connection, client: Client, head: RequestHead): Client {
    if (!connection.isProxy) return client;
    const named = head.headers.get("x-forwarded-for")?.split(",").at(-1)?.trim() ?? "";
    // With a port behind it, it would be another client for each connection.
    return isIP(named) !== 0 ? this.#clients.of(addressGroup(named)) : client;
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { clock, onServed } = this.#options;
    const startedMs = clock.monotonicMs();
    try {
      await answerRequest(this.#answers, exchange);
    } catch (error) {
      // After the head of an answer nothing but its end can tell that it went wrong.
      if (exchange.status !== 0) throw error;
      await exchange.refuse(refusalOf(error, exchange));
    } finally {
      onServed?.({
        method: exchange.head.method,
        status: exchange.status,
        bytes: exchange.bytes,
        ms: clock.monotonicMs() - startedMs,
        ...(exchange.hash === undefined ? {} : { hash: exchange.hash }),
      });
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
  closes: true,
};

/** What a failure is to a client: nothing of ours is told. */
function refusalOf(error: unknown, exchange: Exchange): Refusal {
  if (error instanceof Refusal) return error;
  exchange.close();
  if (isSeedmintError(error, "timeout")) return new Refusal(408, "The request came too slowly");
  return new Refusal(500, "Something went wrong here; try again later");
}

/**
 * Says that nothing more is sent, and reads a little of what still comes: closing with unread bytes
 * would reset the connection, and the answer with it.
 */
async function lingering(
  conn: Deno.TcpConn,
  reader: RequestReader,
  { clock }: GatewayOptions,
): Promise<void> {
  await conn.closeWrite();
  const stop = clock.timer(LINGER_MS, () => closeQuietly(conn));
  try {
    const sink = new Uint8Array(16 * 1024);
    for (let left = LINGER_BYTES_MAX; left > 0;) {
      const count = await reader.read(sink);
      if (count === null) return;
      left -= count;
    }
  } finally {
    stop();
  }
}

function checkSettings(options: GatewayOptions, hostname: string): void {
  if (options.localCache !== undefined && !isLoopbackHost(hostname)) {
    throw new SeedmintError(
      "usage",
      `Cannot be a local cache on ${hostname}: anyone could use it; listen on 127.0.0.1`,
    );
  }
  const { publicUrl } = options;
  if (publicUrl === undefined) return;
  const url = URL.canParse(publicUrl) ? new URL(publicUrl) : undefined;
  const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && url.username === "" &&
    url.password === "" && url.pathname === "/" && url.search === "" && url.hash === "";
  if (isOrigin) return;
  throw new SeedmintError(
    "usage",
    "Cannot use the gateway's public URL: something like https://cdn.example.com is wanted",
  );
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

function urlOf(options: GatewayOptions, { hostname, port }: Deno.NetAddr): string {
  if (options.publicUrl !== undefined) return new URL(options.publicUrl).origin;
  const shown = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${port}`;
}
