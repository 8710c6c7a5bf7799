/** HTTP to a daemon behind a unix socket: bounded in time and size, with its words in errors. */
import { isSeedmintError, messageOf, SeedmintError } from "../../../src/core/errors.ts";
import { ANSWER_BYTES_MAX, CALL_MS_MAX, WORDS_CHARS_MAX } from "./limits.ts";

/** Options of a call. */
export interface Asked {
  /** Sent as JSON, or as it is when it is bytes. */
  readonly body?: object | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  /** @default {CALL_MS_MAX} */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A daemon's answer. */
export interface Answer {
  readonly status: number;
  /** Its JSON; null when there is none. */
  readonly body: unknown;
}

/** One daemon. */
export class UnixHttp implements Disposable {
  readonly #who: string;
  readonly #path: string;
  readonly #client: Deno.HttpClient;

  constructor(who: string, path: string) {
    this.#who = who;
    this.#path = path;
    this.#client = Deno.createHttpClient({
      proxy: { transport: "unix", path },
      // A connection for each request: LXD and Incus take no other one as long as somebody who connected
      // says nothing, which is what a pool does with connections that it made and then did not need.
      poolMaxIdlePerHost: 0,
    });
  }

  /** For WebSockets to the same daemon. */
  get client(): Deno.HttpClient {
    return this.#client;
  }

  /** Asks, and takes whatever status comes. @throws {SeedmintError} `unavailable`, `timeout`, `aborted`. */
  async ask(method: string, path: string, asked: Asked = {}): Promise<Answer> {
    return await this.#bounded(method, path, asked, async (response) => {
      const text = await textOf(response);
      return { status: response.status, body: readJson(text) };
    });
  }

  /** Asks for something that has to work. @throws {SeedmintError} By the status, with the daemon's words. */
  async must(method: string, path: string, asked: Asked = {}): Promise<unknown> {
    const answer = await this.ask(method, path, asked);
    if (answer.status < 400) return answer.body;
    throw this.refused(method, path, answer);
  }

  /** Reads an answer's body as it comes; `read` ends by itself or by its signal. */
  async stream<T>(
    path: string,
    asked: Asked & { readonly signal: AbortSignal },
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const response = await this.#fetch("POST", path, asked, asked.signal);
    try {
      return await read(response);
    } finally {
      await response.body?.cancel().catch(() => {});
    }
  }

  /** What a refusal becomes. */
  refused(method: string, path: string, answer: Answer): SeedmintError {
    const words = wordsOf(answer.body) || `status ${answer.status}`;
    const code = answer.status === 404
      ? "not-found"
      : answer.status === 409
      ? "conflict"
      : /no space left/i.test(words)
      ? "no-space"
      : "unavailable";
    const where = path.split("?")[0]!;
    return new SeedmintError(code, `${this.#who} refused ${method} ${where}: ${words}`, {
      retryable: code === "unavailable",
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  async #bounded<T>(
    method: string,
    path: string,
    asked: Asked,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const timeoutMs = asked.timeoutMs ?? CALL_MS_MAX;
    const late = AbortSignal.timeout(timeoutMs);
    const signal = asked.signal === undefined ? late : AbortSignal.any([late, asked.signal]);
    try {
      return await read(await this.#fetch(method, path, asked, signal));
    } catch (error) {
      if (late.aborted) {
        throw new SeedmintError(
          "timeout",
          `${this.#who} did not answer ${method} ${path.split("?")[0]} within ${timeoutMs} ms`,
          { retryable: true },
        );
      }
      if (isSeedmintError(error) || asked.signal?.aborted) throw error;
      throw this.#silent(error);
    }
  }

  async #fetch(
    method: string,
    path: string,
    asked: Asked,
    signal: AbortSignal,
  ): Promise<Response> {
    asked.signal?.throwIfAborted();
    const { body } = asked;
    const isBytes = body instanceof Uint8Array;
    try {
      return await fetch(`http://engine${path}`, {
        client: this.#client,
        method,
        signal,
        redirect: "error",
        headers: {
          ...(body === undefined || isBytes ? {} : { "content-type": "application/json" }),
          ...asked.headers,
        },
        ...(body === undefined ? {} : { body: isBytes ? body : JSON.stringify(body) }),
      });
    } catch (error) {
      if (signal.aborted) throw error;
      throw this.#silent(error);
    }
  }

  #silent(error: unknown): SeedmintError {
    return new SeedmintError(
      "unavailable",
      `Cannot reach ${this.#who} at ${this.#path}: ${
        messageOf(error)
      }; is it running, and may we use its socket?`,
      { cause: error, retryable: true },
    );
  }
}

async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) {
      throw new SeedmintError("protocol", `An answer has more than ${ANSWER_BYTES_MAX} bytes`);
    }
    text += decoder.decode(part, { stream: true });
  }
  return text + decoder.decode();
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text === "" ? null : { message: text };
  }
}

function wordsOf(body: unknown): string {
  if (typeof body !== "object" || body === null) return "";
  const { message, cause, error } = body as Record<string, unknown>;
  return [error, cause, message]
    .filter((word) => typeof word === "string" && word !== "")
    .join(": ").replace(/[^\x20-\x7e]+/g, " ").slice(0, WORDS_CHARS_MAX);
}
