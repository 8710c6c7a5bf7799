/** An HTTP server that can close its port and open it again. */

/** Serves one port. */
export class Listener implements AsyncDisposable {
  readonly #hostname: string;
  #port: number;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  #stop = new AbortController();
  /** Answers requests. */
  handler: (request: Request) => Response | Promise<Response> = () =>
    new Response(null, { status: 503 });

  constructor(address: { readonly hostname: string; readonly port: number }) {
    this.#hostname = address.hostname;
    this.#port = address.port;
  }

  /** Without a slash at the end; stays the same when the port is closed and opened. */
  get url(): string {
    const host = this.#hostname.includes(":") ? `[${this.#hostname}]` : this.#hostname;
    return `http://${host}:${this.#port}`;
  }

  // deno-lint-ignore require-await
  async open(): Promise<void> {
    if (this.#server) return;
    this.#stop = new AbortController();
    this.#server = Deno.serve({
      hostname: this.#hostname,
      port: this.#port,
      signal: this.#stop.signal,
      onListen: () => {},
    }, (request) => this.handler(request));
    this.#port = this.#server.addr.port;
  }

  /** Ends the connections that are open, too. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#stop.abort();
    await server?.finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
