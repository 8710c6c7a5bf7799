/** A fault proxy that takes its orders from another process, over HTTP on loopback. */
import { messageOf } from "../../src/core/errors.ts";
import type { FaultProxy, ProxyLogEntry } from "./fault_proxy.ts";
import type { FaultRule } from "./rules.ts";

/** Largest order read, in characters. */
const ORDER_CHARS_MAX = 1 << 20;

/**
 * Serves the orders: `POST /fault` (a rule), `/clear`, `/offline` (`{offline}`), `/target`
 * (`{target}`), `/replay` (`{index}`), and `GET /log`.
 */
export class FaultProxyAdmin implements AsyncDisposable {
  readonly url: string;
  readonly #proxy: FaultProxy;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(proxy: FaultProxy, port = 0) {
    this.#proxy = proxy;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port, onListen: () => {} },
      (request) => this.#handle(request),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #handle(request: Request): Promise<Response> {
    try {
      const text = (await request.text()).slice(0, ORDER_CHARS_MAX);
      const order = JSON.parse(text === "" ? "{}" : text) as Readonly<Record<string, unknown>>;
      const answer = await this.#obey(`${request.method} ${new URL(request.url).pathname}`, order);
      return answer === undefined
        ? Response.json({ error: "There is no such order" }, { status: 404 })
        : Response.json(answer);
    } catch (error) {
      return Response.json({ error: messageOf(error) }, { status: 400 });
    }
  }

  async #obey(what: string, order: Readonly<Record<string, unknown>>): Promise<unknown> {
    switch (what) {
      case "POST /fault":
        this.#proxy.fault(order as unknown as FaultRule);
        return {};
      case "POST /clear":
        this.#proxy.clear();
        return {};
      case "POST /offline":
        this.#proxy.offline(order.offline === true);
        return {};
      case "POST /target":
        this.#proxy.setTarget(new URL(String(order.target)).href);
        return {};
      case "POST /replay":
        return await this.#proxy.replay(Number(order.index));
      case "GET /log":
        return { log: this.#proxy.log };
    }
    return undefined;
  }
}

/** Gives orders to the proxy of another process. */
export class FaultProxyClient {
  readonly #adminUrl: string;

  constructor(adminUrl: string) {
    this.#adminUrl = adminUrl.replace(/\/+$/, "");
  }

  async fault(rule: FaultRule): Promise<void> {
    await this.#ask("POST", "/fault", rule);
  }

  async clear(): Promise<void> {
    await this.#ask("POST", "/clear", {});
  }

  async offline(isOffline: boolean): Promise<void> {
    await this.#ask("POST", "/offline", { offline: isOffline });
  }

  async setTarget(target: string): Promise<void> {
    await this.#ask("POST", "/target", { target });
  }

  async replay(index: number): Promise<{ readonly status: number; readonly text: string }> {
    return await this.#ask("POST", "/replay", { index }) as { status: number; text: string };
  }

  async log(): Promise<readonly ProxyLogEntry[]> {
    return (await this.#ask("GET", "/log") as { log: ProxyLogEntry[] }).log;
  }

  async #ask(method: string, path: string, order?: unknown): Promise<unknown> {
    const init: RequestInit = { method, signal: AbortSignal.timeout(30_000) };
    if (order !== undefined) init.body = JSON.stringify(order);
    const response = await fetch(this.#adminUrl + path, init);
    const answer = await response.json();
    if (!response.ok) throw new TypeError(String((answer as { error?: unknown }).error));
    return answer;
  }
}
