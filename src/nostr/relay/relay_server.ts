/**
 * A small Nostr relay, alone or inside a node, so that a fleet needs nobody else's. NIP-01, 09, 11,
 * 40 and 42; private kinds are shown to their author and addressees only.
 *
 * It speaks HTTP and WebSocket on a plain TCP listener of its own: `Deno.serve` joins the fragments of
 * a WebSocket message without a limit and gives no deadline to a slow head. TLS is a proxy's work.
 */
import { SeedmintError } from "../../core/errors.ts";
import type { Clock, Random } from "../../core/ports.ts";
import { TokenBucket } from "../../core/token_bucket.ts";
import { PRIVATE_KINDS } from "../kinds.ts";
import type { NostrEvent } from "../nostr.ts";
import { parseRelayUrl } from "../relay_url.ts";
import { CLOSE_CODE } from "../websocket/frames.ts";
import { type HttpHead, readHttpHead } from "../websocket/http_head.ts";
import { Socket } from "../websocket/socket.ts";
import { ClientSession, type SessionContext } from "./client_session.ts";
import { addressGroup, isHostAllowed, isOwnRelayUrl } from "./hosts.ts";
import { answerRequest, informationDocument, plain } from "./http.ts";
import { RELAY_LIMITS, type RelayLimits } from "./limits.ts";
import { MemoryStorage } from "./memory_storage.ts";
import type { EventStorage } from "./storage.ts";

/** Options of {@link RelayServer.listen}. */
export interface RelayServerOptions {
  /** @default {"127.0.0.1"} */
  readonly hostname?: string;
  /** 0 picks a free one. @default {0} */
  readonly port?: number;
  readonly storage: { readonly path: string } | "memory";
  readonly limits?: Partial<RelayLimits>;
  readonly clock: Clock;
  readonly random: Random;
  /** Addresses under which clients know it, when they differ from where it listens. */
  readonly publicUrls?: readonly string[];
  /** Public keys (hex) that may publish; everybody when left out. */
  readonly writers?: readonly string[];
  /** Public keys (hex) that may read, once proven (NIP-42), as on a fleet's relay; else everybody. */
  readonly readers?: readonly string[];
  /** Kinds shown to their author and addressees only. @default {PRIVATE_KINDS} */
  readonly privateKinds?: ReadonlySet<number>;
  readonly name?: string;
  readonly description?: string;
}

/** What the relay has done and is doing. */
export interface RelayStats {
  readonly connectionCount: number;
  readonly subscriptionCount: number;
  readonly storedCount: number;
  readonly acceptedCount: number;
  readonly refusedCount: number;
  readonly queryCount: number;
  readonly sentCount: number;
  /** Connections that were turned away because a limit was reached. */
  readonly turnedAwayCount: number;
}

/** A relay that listens. */
export class RelayServer implements AsyncDisposable {
  /** Where clients on this machine reach it. */
  readonly url: string;
  readonly #listener: Deno.TcpListener;
  readonly #storage: EventStorage;
  readonly #limits: RelayLimits;
  readonly #options: RelayServerOptions;
  readonly #publicHosts: ReadonlySet<string>;
  readonly #writers: ReadonlySet<string> | undefined;
  readonly #readers: ReadonlySet<string> | undefined;
  readonly #allEvents: TokenBucket;
  readonly #allSearches: TokenBucket;
  readonly #information: string;
  readonly #sessions = new Set<ClientSession>();
  readonly #serving = new Set<Promise<void>>();
  readonly #heads = new Set<Deno.TcpConn>();
  readonly #addressCounts = new Map<string, number>();
  readonly #counts = { accepted: 0, refused: 0, queries: 0, sent: 0, turnedAway: 0 };
  readonly #accepting: Promise<void>;
  #cancelSweep: () => void = () => {};
  #closed = false;

  private constructor(
    listener: Deno.TcpListener,
    storage: EventStorage,
    limits: RelayLimits,
    options: RelayServerOptions,
  ) {
    this.#listener = listener;
    this.#storage = storage;
    this.#limits = limits;
    this.#options = options;
    this.#publicHosts = new Set(
      (options.publicUrls ?? []).map((url) => new URL(parseRelayUrl(url)).host),
    );
    this.#writers = options.writers && new Set(options.writers);
    this.#readers = options.readers && new Set(options.readers);
    this.#allEvents = new TokenBucket({
      perSecond: limits.eventsPerSecondAll,
      burst: limits.eventsBurstAll,
      clock: options.clock,
    });
    this.#allSearches = new TokenBucket({
      perSecond: limits.searchMsPerSecondAll,
      burst: limits.searchBurstMsAll,
      clock: options.clock,
    });
    this.#information = informationDocument({
      name: options.name ?? "Seedmint relay",
      description: options.description ?? "A relay inside a Seedmint node",
      limits,
      writersOnly: options.writers !== undefined,
      readersOnly: options.readers !== undefined,
    });
    const { hostname, port } = listener.addr;
    const shown = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
    this.url = `ws://${shown.includes(":") ? `[${shown}]` : shown}:${port}`;
    this.#sweep();
    this.#accepting = this.#accept();
  }

  /**
   * Opens the storage and listens.
   *
   * @throws {SeedmintError} `storage` if the database cannot be opened, `unavailable` if the address
   * cannot be listened on.
   */
  static async listen(options: RelayServerOptions): Promise<RelayServer> {
    const limits = { ...RELAY_LIMITS, ...options.limits };
    const storage = await openStorage(options.storage, limits);
    const hostname = options.hostname ?? "127.0.0.1";
    const port = options.port ?? 0;
    try {
      const listener = Deno.listen({ hostname, port });
      return new RelayServer(listener, storage, limits, options);
    } catch (cause) {
      storage[Symbol.dispose]();
      throw new SeedmintError(
        "unavailable",
        `Cannot listen for relay clients on ${hostname}:${port}: ${
          (cause as Error).message
        }; choose another port`,
        { cause },
      );
    }
  }

  /** What it has done and is doing. */
  stats(): RelayStats {
    let subscriptionCount = 0;
    for (const session of this.#sessions) subscriptionCount += session.subscriptionCount;
    return {
      connectionCount: this.#sessions.size,
      subscriptionCount,
      storedCount: this.#storage.count,
      acceptedCount: this.#counts.accepted,
      refusedCount: this.#counts.refused,
      queryCount: this.#counts.queries,
      sentCount: this.#counts.sent,
      turnedAwayCount: this.#counts.turnedAway,
    };
  }

  /** Says goodbye to every client, waits for them within their limit, and closes the storage. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelSweep();
    this.#listener.close();
    await this.#accepting;
    for (const conn of this.#heads) closeQuietly(conn);
    for (const session of this.#sessions) session.close(CLOSE_CODE.goingAway, "shutting down");
    await Promise.all(this.#serving);
    this.#storage[Symbol.dispose]();
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      let conn: Deno.TcpConn;
      try {
        conn = await this.#listener.accept();
      } catch {
        if (this.#closed) return;
        // Too many open files, or the like: others keep being served, and it may pass.
        await this.#options.clock.sleep(100);
        continue;
      }
      const serving = this.#serve(conn).finally(() => this.#serving.delete(serving));
      this.#serving.add(serving);
    }
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    const address = addressGroup(conn.remoteAddr.hostname);
    const sameAddress = this.#addressCounts.get(address) ?? 0;
    if (
      this.#serving.size > this.#limits.connectionsMax ||
      sameAddress >= this.#limits.connectionsPerAddressMax
    ) {
      this.#counts.turnedAway++;
      return closeQuietly(conn);
    }
    this.#addressCounts.set(address, sameAddress + 1);
    try {
      conn.setNoDelay(true);
      const rest = await this.#upgrade(conn);
      if (rest !== undefined && !this.#closed) await this.#serveClient(conn, rest);
    } catch {
      // Whatever one connection does, the others go on.
    } finally {
      closeQuietly(conn);
      const left = this.#addressCounts.get(address)! - 1;
      if (left > 0) this.#addressCounts.set(address, left);
      else this.#addressCounts.delete(address);
    }
  }

  /** Answers the HTTP request; gives the bytes after its head if it became a WebSocket. */
  async #upgrade(conn: Deno.TcpConn): Promise<Uint8Array | undefined> {
    this.#heads.add(conn);
    const cancel = this.#options.clock.timer(this.#limits.headMs, () => closeQuietly(conn));
    try {
      const head = await readHttpHead(conn);
      if (head === undefined) return undefined;
      const answer = this.#isAllowed(conn, head)
        ? answerRequest(head, this.#information)
        : plain("403 Forbidden", "this name or page may not use this relay\n");
      const bytes = new TextEncoder().encode(answer.head);
      for (let offset = 0; offset < bytes.length;) {
        offset += await conn.write(bytes.subarray(offset));
      }
      return answer.upgrade ? head.rest : undefined;
    } finally {
      cancel();
      this.#heads.delete(conn);
    }
  }

  #isAllowed(conn: Deno.TcpConn, head: HttpHead): boolean {
    return isHostAllowed({
      host: head.headers.get("host"),
      origin: head.headers.get("origin"),
      localAddress: conn.localAddr.hostname,
      publicHosts: this.#publicHosts,
    });
  }

  async #serveClient(conn: Deno.TcpConn, rest: Uint8Array): Promise<void> {
    const { clock, random } = this.#options;
    const socket = new Socket(conn, {
      role: "server",
      limits: this.#limits.socket,
      clock,
      random,
      rest,
    });
    const challenge = random.bytes(16).toHex();
    const session = new ClientSession(socket, this.#context(conn), challenge);
    this.#sessions.add(session);
    try {
      await session.run();
      await socket.ended;
    } finally {
      socket.close();
      this.#sessions.delete(session);
    }
  }

  #context(conn: Deno.TcpConn): SessionContext {
    const { privateKinds, clock } = this.#options;
    const { hostname: localAddress, port: localPort } = conn.localAddr;
    const own = { publicHosts: this.#publicHosts, localAddress, localPort };
    return {
      storage: this.#storage,
      limits: this.#limits,
      clock,
      privateKinds: privateKinds ?? PRIVATE_KINDS,
      writers: this.#writers,
      readers: this.#readers,
      allEvents: this.#allEvents,
      allSearches: this.#allSearches,
      broadcast: (event) => this.#broadcast(event),
      isOwnUrl: (url) => isOwnRelayUrl(url, own),
      count: (what) => this.#counts[what]++,
    };
  }

  #broadcast(event: NostrEvent): void {
    const json = JSON.stringify(event);
    for (const session of this.#sessions) session.offer(event, json);
  }

  #sweep(): void {
    const { clock } = this.#options;
    this.#cancelSweep = clock.timer(this.#limits.sweepMs, () => {
      try {
        this.#storage.removeExpired(Math.floor(clock.nowMs() / 1000));
      } catch {
        // Queries leave out what has expired anyway; the next sweep tries again.
      }
      this.#sweep();
    });
  }
}

async function openStorage(
  storage: RelayServerOptions["storage"],
  limits: RelayLimits,
): Promise<EventStorage> {
  if (storage === "memory") return new MemoryStorage(limits);
  // Loaded only here: a node without a relay of its own does not pay for SQLite twice.
  const { SqliteStorage } = await import("./sqlite_storage.ts");
  return SqliteStorage.open(storage.path, limits);
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It was closed already.
  }
}
