/** The REST interface that LXD and Incus share: answers in an envelope, long work as operations. */
import { SeedmintError } from "../../../src/core/errors.ts";
import { type Asked, UnixHttp } from "../engine/mod.ts";
import { OPERATION_S_MAX } from "./limits.ts";

/** What came of an operation. */
export interface Operation {
  readonly id: string;
  readonly status?: string;
  readonly err?: string;
  readonly metadata?: Readonly<Record<string, unknown>> | null;
}

interface Envelope {
  readonly type?: string;
  readonly operation?: string;
  readonly error?: string;
  readonly metadata?: unknown;
}

/** One server. */
export class LxdHttp implements Disposable {
  readonly #http: UnixHttp;
  readonly #who: string;

  constructor(who: string, socketPath: string) {
    this.#who = who;
    this.#http = new UnixHttp(who, socketPath);
  }

  /** For WebSockets to the same server. */
  get client(): Deno.HttpClient {
    return this.#http.client;
  }

  /** Asks for something. @returns `metadata` of the answer; undefined if it is not there. */
  async find(path: string, asked: Asked = {}): Promise<unknown> {
    const answer = await this.#http.ask("GET", path, asked);
    if (answer.status === 404) return undefined;
    if (answer.status >= 400) throw this.#http.refused("GET", path, answer);
    return (answer.body as Envelope).metadata;
  }

  /** Does something and waits for its end. @throws {SeedmintError} With the server's words. */
  async does(method: string, path: string, asked: Asked = {}): Promise<Operation | undefined> {
    const begun = await this.begins(method, path, asked);
    return begun === undefined ? undefined : await this.ended(begun.id, path);
  }

  /** Begins something. @returns Its operation; undefined if it is done already. */
  async begins(method: string, path: string, asked: Asked = {}): Promise<Operation | undefined> {
    const envelope = await this.#http.must(method, path, asked) as Envelope;
    return envelope.type === "async" ? envelope.metadata as Operation : undefined;
  }

  /** Waits for the end of an operation. @throws {SeedmintError} `timeout`, or what it failed with. */
  async ended(id: string, what: string, seconds: number = OPERATION_S_MAX): Promise<Operation> {
    const path = `/1.0/operations/${id}/wait?timeout=${seconds}`;
    const answer = await this.#http.ask("GET", path, { timeoutMs: (seconds + 5) * 1000 });
    const envelope = answer.body as Envelope | null;
    const operation = envelope?.metadata as Operation | null | undefined;
    if (operation?.status === "Success") return operation;
    if (operation?.status === "Running" || operation?.status === "Pending") {
      throw new SeedmintError("timeout", `${this.#who} did not end ${what} in ${seconds} s`, {
        retryable: true,
      });
    }
    const words = operation?.err || envelope?.error || `status ${answer.status}`;
    throw this.#http.refused("", what, {
      status: /not found/i.test(words) ? 404 : 500,
      body: { error: words },
    });
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]();
  }
}
