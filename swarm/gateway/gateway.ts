/** The listener: its clients and their limits, and which part answers what. */
import { isIP } from "node:net";
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import { addressGroup, isLoopbackHost } from "../../src/nostr/relay/hosts.ts";
import { type Guest, type GuestRequest, HttpListener, urlOfListener } from "../http/listener.ts";
import type { RequestHead } from "../http/message.ts";
import { Refusal } from "../http/refusal.ts";
import { answerRequest, type Answers, answersOf } from "./answers.ts";
import { type Client, Clients } from "./clients.ts";
import { Exchange } from "./exchange.ts";
import { GATEWAY_LIMITS, type GatewayLimits } from "./limits.ts";
import type { GatewayOptions } from "./options.ts";

/** A listening gateway. */
export class Gateway implements AsyncDisposable {
  /** The port listened on. */
  readonly port: number;
  /** Where clients reach it, without a slash at the end. */
  readonly url: string;
  readonly #options: GatewayOptions;
  readonly #limits: GatewayLimits;
  readonly #listener: HttpListener;
  readonly #clients: Clients;
  readonly #answers: Answers;

  private constructor(options: GatewayOptions, hostname: string) {
    this.#options = options;
    this.#limits = { ...GATEWAY_LIMITS, ...options.limits };
    this.#clients = new Clients(this.#limits, options.clock);
    this.#listener = new HttpListener({
      hostname,
      port: options.port,
      clock: options.clock,
      limits: this.#limits,
      admit: (remote) => this.#admit(remote),
    });
    const { address } = this.#listener;
    this.port = address.port;
    this.url = options.publicUrl === undefined
      ? urlOfListener(address)
      : new URL(options.publicUrl).origin;
    this.#answers = answersOf(options, { url: this.url, limits: this.#limits });
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
      return Promise.resolve(new Gateway(options, hostname));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
    await this.#answers.media[Symbol.asyncDispose]();
  }

  #admit(remote: string): Guest | undefined {
    const isProxy = this.#options.proxies?.includes(remote) === true;
    const client = this.#clients.of(addressGroup(remote));
    if (!this.#clients.connect(client, isProxy)) return undefined;
    return {
      answer: (request) => this.#answer(request, { remote, client, isProxy }),
      leave: () => this.#clients.disconnect(client),
    };
  }

  async #answer(
    { refusal, head, reader, connection, signal, abort }: GuestRequest,
    from: { readonly remote: string; readonly client: Client; readonly isProxy: boolean },
  ): Promise<boolean> {
    const isSameMachine = isOfThisMachine(from, head);
    const exchange = new Exchange({
      head,
      reader,
      connection,
      client: this.#clientOf(from, head),
      clients: this.#clients,
      limits: this.#limits,
      clock: this.#options.clock,
      isLocal: isSameMachine && this.#options.localCache !== undefined,
      isSameMachine,
      signal,
      abort,
    });
    if (refusal !== undefined) await exchange.refuse(refusal);
    else await this.#converse(exchange);
    return exchange.closes;
  }

  async #converse(exchange: Exchange): Promise<void> {
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

  /** Who asks: the other end, or whom a proxy of ours names last. */
  #clientOf(
    { client, isProxy }: { readonly client: Client; readonly isProxy: boolean },
    head: RequestHead,
  ): Client {
    if (!isProxy) return client;
    const named = head.headers.get("x-forwarded-for")?.split(",").at(-1)?.trim() ?? "";
    // With a port behind it, it would be another client for each connection.
    return isIP(named) !== 0 ? this.#clients.of(addressGroup(named)) : client;
  }
}

/** Whether a program of this machine asks, and no proxy for somebody else. */
function isOfThisMachine(
  { remote, isProxy }: { readonly remote: string; readonly isProxy: boolean },
  { headers }: RequestHead,
): boolean {
  if (isProxy || !isLoopbackHost(remote)) return false;
  return !["forwarded", "via", "x-forwarded-for"].some((name) => headers.has(name));
}

/** What a failure is to a client: nothing of ours is told. */
function refusalOf(error: unknown, exchange: Exchange): Refusal {
  if (error instanceof Refusal) return error;
  exchange.close();
  if (isSeedmintError(error, "timeout")) return new Refusal(408, "The request came too slowly");
  return new Refusal(500, "Something went wrong here; try again later");
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
