/** A web in memory: hosts that answer, their addresses, and what each of them was asked. */

/** Answers a request; it may take its time or never answer. */
export type Handler = (request: Request) => Response | Promise<Response>;

/** One request as its host got it. */
export interface Seen {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
}

const PUBLIC_ADDRESS = "93.184.215.14";

/** Hosts by name with their port, whatever the scheme: `registry.example`, `127.0.0.1:5000`. */
export class FakeWeb {
  readonly seen: Seen[] = [];
  readonly #hosts = new Map<string, Handler>();
  readonly #addresses = new Map<string, readonly string[]>();

  host(name: string, handler: Handler, addresses?: readonly string[]): this {
    this.#hosts.set(name, handler);
    if (addresses !== undefined) this.#addresses.set(name, addresses);
    return this;
  }

  /** What the request's host answers. */
  async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    this.seen.push({ method: request.method, url, headers: new Headers(request.headers) });
    const handler = this.#hosts.get(url.host);
    if (handler === undefined) {
      throw new TypeError(`error sending request for url (${url.href}): connection refused`);
    }
    return await handler(request);
  }

  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input as URL, init);
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    aborted.catch(() => {});
    const { signal } = init ?? {};
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    return await Promise.race([this.answer(request), aborted]);
  };

  readonly resolve = (hostname: string): Promise<readonly string[]> =>
    Promise.resolve(
      this.#addresses.get(hostname) ?? (this.#hosts.has(hostname) ? [PUBLIC_ADDRESS] : []),
    );

  /** `METHOD host/path` of each request, and forgets them. */
  take(): string[] {
    return this.seen.splice(0).map(({ method, url }) => `${method} ${url.host}${url.pathname}`);
  }

  /** Whether anything that was asked of `host` carried `secret` in a header or its URL. */
  told(host: string, secret: string): boolean {
    return this.seen.some(({ url, headers }) =>
      url.host === host &&
      (url.href.includes(secret) || [...headers.values()].some((value) => value.includes(secret)))
    );
  }
}
