/**
 * An HTTP proxy on loopback that stands in front of a mint and makes trouble by order. Each connection
 * carries one request; WebSockets pass through as they are.
 */
import { createHash } from "node:crypto";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { utf8 } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { isEndToEnd, type ProxyAnswer, ProxyConnection, type ProxyRequest } from "./connection.ts";
import { type Fault, type FaultRule, RuleBook } from "./rules.ts";
import { mergeFields, permuteSignatures, spoiltAnswer } from "./spoilt.ts";

/** Requests kept in the log; older ones are forgotten. */
const LOG_ENTRIES_MAX = 10_000;

/** Distinct answers remembered for `stale`. */
const REMEMBERED_MAX = 1000;

/** How long `reorder` waits for the other request. */
const REORDER_MS_DEFAULT = 2000;

/** One request in the log. */
export interface ProxyLogEntry {
  /** From 0, in the order of arrival. */
  readonly index: number;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly bodySha256: string;
  readonly atMs: number;
  readonly action: Fault["action"];
  /** How often the mint got it. */
  readonly forwardCount: number;
  /** What the client was told; none if nothing. */
  readonly status?: number;
}

/** Options of {@link FaultProxy.start}. */
export interface FaultProxyOptions {
  /** URL of the mint. */
  readonly target: string;
  /** 0 picks a free one. @default {0} */
  readonly port?: number;
  readonly clock: Clock;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Exchange {
  readonly connection: ProxyConnection;
  readonly request: ProxyRequest;
  readonly entry: Mutable<ProxyLogEntry>;
}

/** A proxy that listens. */
export class FaultProxy implements AsyncDisposable {
  /** Where clients reach it; stays the same whatever happens to the target. */
  readonly url: string;
  #target: string;
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #rules = new RuleBook();
  readonly #log: Mutable<ProxyLogEntry>[] = [];
  readonly #requests = new Map<number, ProxyRequest>();
  readonly #remembered = new Map<string, ProxyAnswer>();
  readonly #answered = new Map<string, Set<() => void>>();
  readonly #sockets = new Set<Socket>();
  readonly #work = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  readonly #client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  #isOffline = false;

  private constructor(server: Server, options: FaultProxyOptions) {
    this.#server = server;
    this.#target = options.target.replace(/\/+$/, "");
    this.#clock = options.clock;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (socket) => this.#accept(socket));
  }

  /** Listens on loopback. @throws {SeedmintError} `unavailable` if the port is taken. */
  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const server = createServer();
    const port = options.port ?? 0;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => {
        const message = `Cannot listen on 127.0.0.1:${port}: ${cause.message}; choose another port`;
        reject(new SeedmintError("unavailable", message, { cause }));
      });
      server.listen(port, "127.0.0.1", resolve);
    });
    return new FaultProxy(server, options);
  }

  /** All requests, oldest first. */
  get log(): readonly ProxyLogEntry[] {
    return this.#log;
  }

  /** How many rules wait for their request. */
  get ruleCount(): number {
    return this.#rules.size;
  }

  /** Orders trouble. @throws {TypeError} If the rule makes no sense. */
  fault(rule: FaultRule): void {
    this.#rules.add(rule);
  }

  /** Forgets all rules; what is under way goes on. */
  clear(): void {
    this.#rules.clear();
  }

  /** While offline, connections are closed as soon as they are opened. */
  offline(isOffline: boolean): void {
    this.#isOffline = isOffline;
  }

  /** Sends what comes from now on to another URL. */
  setTarget(target: string): void {
    this.#target = target.replace(/\/+$/, "");
  }

  /**
   * Sends a request of the log to the mint once more: a late duplicate.
   *
   * @param index Of the log entry.
   * @returns The mint's answer, which no client sees.
   * @throws {RangeError} If the log has no such request.
   */
  async replay(index: number): Promise<{ readonly status: number; readonly text: string }> {
    const request = this.#requests.get(index);
    if (request === undefined) throw new RangeError(`The log has no request ${index}`);
    const answer = await this.#forward(request);
    return { status: answer.status, text: new TextDecoder().decode(answer.body) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([closed, ...this.#work]);
    this.#client.close();
  }

  #accept(socket: Socket): void {
    if (this.#isOffline || this.#stop.signal.aborted) return void socket.destroy();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const work = this.#serve(new ProxyConnection(socket)).catch(() => {
      // The client, the mint or the proxy itself went away: nobody is left to tell.
      socket.destroy();
    }).finally(() => this.#work.delete(work));
    this.#work.add(work);
  }

  async #serve(connection: ProxyConnection): Promise<void> {
    const request = await connection.request();
    if (request === undefined) return connection.end();
    const rule = this.#rules.take(request.method, request.path) ?? { action: "pass" as const };
    const entry = this.#logged(request, rule);
    if (request.isUpgrade) await this.#passSocket(connection, request, rule);
    else await this.#play({ connection, request, entry }, rule);
    this.#tellAnswered(request.path);
  }

  async #play(exchange: Exchange, rule: Fault): Promise<void> {
    const { connection } = exchange;
    switch (rule.action) {
      case "pass":
        return await this.#answer(exchange, await this.#send(exchange));
      case "drop-request":
        return connection.end();
      case "drop-response":
        await this.#send(exchange);
        return connection.end();
      case "hang-request":
        return await connection.closed();
      case "hang-response":
        await this.#send(exchange);
        return await connection.closed();
      case "delay-request":
        await this.#sleep(rule.ms);
        return await this.#answer(exchange, await this.#send(exchange));
      case "delay-response": {
        const answer = await this.#send(exchange);
        await this.#sleep(rule.ms);
        return await this.#answer(exchange, answer);
      }
      case "duplicate":
        return await this.#duplicate(exchange, rule);
      case "reset":
        if (rule.forward !== false) await this.#send(exchange);
        return connection.reset();
      case "truncate": {
        const answer = await this.#send(exchange);
        exchange.entry.status = answer.status;
        return await connection.answer(answer, rule.bytes ?? answer.body.length >> 1);
      }
      case "reorder":
        return await this.#reorder(exchange, rule.ms ?? REORDER_MS_DEFAULT);
      case "permute":
        return await this.#answer(exchange, permuteSignatures(await this.#send(exchange)));
      case "merge":
        return await this.#answer(exchange, mergeFields(await this.#send(exchange), rule.fields));
      case "status":
      case "html":
      case "empty":
        if (rule.forward ?? rule.action !== "status") await this.#send(exchange);
        return await this.#answer(exchange, spoiltAnswer(rule));
      case "stale": {
        const { method, target } = exchange.request;
        const old = this.#remembered.get(`${method} ${target}`);
        return await this.#answer(exchange, old ?? await this.#send(exchange));
      }
    }
    rule satisfies never;
  }

  async #duplicate(
    exchange: Exchange,
    rule: Fault & { readonly action: "duplicate" },
  ): Promise<void> {
    const first = await this.#send(exchange);
    if (rule.ms === undefined) {
      const last = await this.#send(exchange);
      return await this.#answer(exchange, rule.answer === "last" ? last : first);
    }
    await this.#answer(exchange, first);
    await this.#sleep(rule.ms);
    await this.#send(exchange);
  }

  /** Holds the answer back until another request for the same path has its own. */
  async #reorder(exchange: Exchange, ms: number): Promise<void> {
    const answer = await this.#send(exchange);
    const { path } = exchange.request;
    const other = Promise.withResolvers<void>();
    const waiting = this.#answered.get(path) ?? new Set();
    this.#answered.set(path, waiting.add(other.resolve));
    const cancel = this.#clock.timer(ms, other.resolve);
    this.#stop.signal.addEventListener("abort", () => other.resolve(), { once: true });
    await other.promise;
    cancel();
    waiting.delete(other.resolve);
    await this.#answer(exchange, answer);
  }

  #tellAnswered(path: string): void {
    for (const resolve of this.#answered.get(path) ?? []) resolve();
  }

  async #answer({ connection, entry }: Exchange, answer: ProxyAnswer): Promise<void> {
    entry.status = answer.status;
    await connection.answer(answer);
  }

  /** Sends the request to the mint and remembers what it said. */
  async #send({ request, entry }: Exchange): Promise<ProxyAnswer> {
    entry.forwardCount++;
    const answer = await this.#forward(request);
    const key = `${request.method} ${request.target}`;
    const isRoom = this.#remembered.size < REMEMBERED_MAX;
    if (isRoom && !this.#remembered.has(key) && answer.status === 200) {
      this.#remembered.set(key, answer);
    }
    return answer;
  }

  async #forward(request: ProxyRequest): Promise<ProxyAnswer> {
    const response = await fetch(this.#target + request.target, {
      method: request.method,
      headers: [...request.headers].filter(([name]) => isEndToEnd(name)),
      body: ["GET", "HEAD"].includes(request.method) ? null : request.body,
      redirect: "manual",
      client: this.#client,
      signal: this.#stop.signal,
    });
    const body = new Uint8Array(await response.arrayBuffer());
    return { status: response.status, headers: [...response.headers], body };
  }

  async #passSocket(
    connection: ProxyConnection,
    request: ProxyRequest,
    { action }: Fault,
  ): Promise<void> {
    if (action === "hang-request") return await connection.closed();
    if (action !== "pass") return connection.end();
    const { hostname, port } = new URL(this.#target);
    const far = connect(Number(port || 80), hostname);
    this.#sockets.add(far);
    far.on("error", () => connection.socket.destroy());
    far.once("close", () => {
      this.#sockets.delete(far);
      connection.socket.destroy();
    });
    connection.socket.once("close", () => far.destroy());
    far.on("data", (bytes) => connection.socket.write(bytes));
    const lines = [...request.headers].map(([name, value]) => `${name}: ${value}`);
    far.write(utf8([`${request.method} ${request.target} HTTP/1.1`, ...lines].join("\r\n")));
    far.write("\r\n\r\n");
    const buffer = new Uint8Array(1 << 16);
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      far.write(buffer.slice(0, count));
    }
    far.destroy();
  }

  #logged(request: ProxyRequest, { action }: Fault): Mutable<ProxyLogEntry> {
    const entry: Mutable<ProxyLogEntry> = {
      index: (this.#log.at(-1)?.index ?? -1) + 1,
      method: request.method,
      path: request.path,
      bodySha256: createHash("sha256").update(request.body).digest("hex"),
      atMs: this.#clock.nowMs(),
      action,
      forwardCount: 0,
    };
    this.#log.push(entry);
    this.#requests.set(entry.index, request);
    if (this.#log.length > LOG_ENTRIES_MAX) this.#requests.delete(this.#log.shift()!.index);
    return entry;
  }

  async #sleep(ms: number): Promise<void> {
    await this.#clock.sleep(ms, { signal: this.#stop.signal });
  }
}
