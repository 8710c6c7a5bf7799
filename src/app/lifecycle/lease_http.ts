/** The HTTP mode of a provider: its desk behind the node's own HTTP server. */
import type { Clock } from "../../core/ports.ts";
import { type HttpDesk, ROUTES } from "../../../provisioning/http/mod.ts";
import {
  Crowd,
  type Guest,
  type GuestRequest,
  HttpExchange,
  HttpListener,
  Refusal,
  urlOfListener,
} from "../../../swarm/http/mod.ts";

/** Limits of the listener, each with its reason. */
const LEASE_HTTP_LIMITS = {
  /** Connections in all and from one network: a spawn holds one for up to a minute. */
  connectionsMax: 1_000,
  connectionsPerAddressMax: 160,
  /** A head is one packet or two. */
  headMs: 10_000,
  idleMs: 30_000,
  stallMs: 15_000,
  /** A request of 100 KB over a slow line. */
  uploadBytesPerSecondMin: 4_096,
} as const;

/** Options of {@link LeaseHttpServer}. */
export interface LeaseHttpOptions {
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly clock: Clock;
  readonly desk: HttpDesk;
  /** Told of each answer: `path` is one of the desk's, or `other`. */
  readonly onServed?: (event: { readonly path: string; readonly status: number }) => void;
}

/** Serves until it is disposed of. */
export class LeaseHttpServer implements AsyncDisposable {
  readonly port: number;
  /** Where programs of this machine reach it, without a slash at the end. */
  readonly url: string;
  readonly #options: LeaseHttpOptions;
  readonly #listener: HttpListener;
  readonly #crowd = new Crowd(LEASE_HTTP_LIMITS);

  /** @throws {SeedmintError} `unavailable` if the port is taken or may not be used. */
  constructor(options: LeaseHttpOptions) {
    this.#options = options;
    this.#listener = new HttpListener({
      hostname: options.hostname,
      port: options.port,
      clock: options.clock,
      limits: LEASE_HTTP_LIMITS,
      admit: (remote, local) => this.#admit(remote, local),
    });
    this.port = this.#listener.address.port;
    this.url = urlOfListener(this.#listener.address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
  }

  #admit(remote: string, local: string): Guest | undefined {
    const leave = this.#crowd.enter(remote, local);
    return leave && { answer: (request) => this.#answer(request, remote), leave };
  }

  async #answer(request: GuestRequest, remote: string): Promise<boolean> {
    const { head, reader, connection, signal, abort } = request;
    const { clock, desk, onServed } = this.#options;
    const exchange = new HttpExchange({
      head,
      reader,
      connection,
      signal,
      abort,
      clock,
      limits: LEASE_HTTP_LIMITS,
      common: [["X-Content-Type-Options", "nosniff"]],
      takesChunks: true,
    });
    try {
      if (request.refusal !== undefined) throw request.refusal;
      const reply = await desk.handle({
        method: head.method,
        path: head.path,
        query: head.query.toString(),
        header: (name) => exchange.header(name),
        remote,
        body: async (bytesMax) => {
          const body = await exchange.smallBody(bytesMax);
          exchange.watch();
          return body;
        },
        signal,
      });
      await exchange.replyJson(reply.status, reply.members, reply.headers);
    } catch (error) {
      if (!(error instanceof Refusal) || exchange.status !== 0) throw error;
      await exchange.replyJson(error.status, {
        error_type: "invalid_request",
        error: "invalid_request",
        message: error.message,
        details: null,
      }, error.headers);
    } finally {
      const path = Object.hasOwn(ROUTES, head.path) ? head.path : "other";
      onServed?.({ path, status: exchange.status });
    }
    return exchange.closes;
  }
}
