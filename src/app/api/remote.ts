/** A node that runs in another process, reached through its control socket. */
import { isForeignSocket } from "../control/owner.ts";
import { socketPath } from "../control/paths.ts";
import { type ErrorCode, messageOf, SeedmintError } from "../../core/errors.ts";
import type {
  AddAttributes,
  AddedEvent,
  CallOptions,
  MethodName,
  Methods,
  NodeApi,
} from "./methods.ts";

/** The most characters of one line that the node may send. */
const LINE_CHARS_MAX = 16 << 20;

/** Speaks the control protocol as a client. */
export class RemoteNode implements NodeApi {
  readonly mode = "running";
  readonly #client: Deno.HttpClient;
  readonly #path: string;

  private constructor(client: Deno.HttpClient, path: string) {
    this.#client = client;
    this.#path = path;
  }

  /** As {@link connect}, to the node of a data directory. A socket of somebody else is none. */
  static async of(dataDirectory: string): Promise<RemoteNode | undefined> {
    if (await isForeignSocket(dataDirectory)) return undefined;
    return await RemoteNode.connect(socketPath(dataDirectory));
  }

  /** Connects, or returns undefined if no node listens at `path`. */
  static async connect(path: string): Promise<RemoteNode | undefined> {
    try {
      if (!(await Deno.lstat(path)).isSocket) return undefined;
    } catch {
      return undefined;
    }
    const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
    const node = new RemoteNode(client, path);
    try {
      const response = await fetch("http://seedmint/v1", { client });
      await response.body?.cancel();
      if (response.ok) return node;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      // A socket that nobody listens on: the node ended without removing it.
    }
    client.close();
    return undefined;
  }

  async call<Name extends MethodName>(
    method: Name,
    params: Methods[Name]["params"],
    options: CallOptions<Name> = {},
  ): Promise<Methods[Name]["result"]> {
    const response = await this.#fetch(`/v1/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(params),
      ...(options.signal ? { signal: options.signal } : {}),
    });
    const onEvent = options.onEvent as ((event: object) => void) | undefined;
    return await this.#result(response, options.signal, onEvent) as Methods[Name]["result"];
  }

  async readBlob(
    target: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#fetch(`/v1/blobs/${encodeURIComponent(target)}`, options);
    if (!response.ok) await this.#result(response, options.signal);
    return response.body ?? new Blob([]).stream();
  }

  async addStream(
    stream: ReadableStream<Uint8Array>,
    attributes: AddAttributes & { readonly name?: string },
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<AddedEvent> {
    const query = new URLSearchParams(
      Object.entries(attributes).map(([key, value]) => [key, String(value)]),
    );
    const response = await this.#fetch(`/v1/blobs?${query}`, {
      method: "POST",
      body: stream as ReadableStream<Uint8Array<ArrayBuffer>>,
      ...options,
    });
    return await this.#result(response, options.signal) as AddedEvent;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    return Promise.resolve();
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(`http://seedmint${path}`, { ...init, client: this.#client });
    } catch (error) {
      init.signal?.throwIfAborted();
      throw this.#gone(error);
    }
  }

  /** Reads lines until the last, which is the result or the error. */
  async #result(
    response: Response,
    signal: AbortSignal | undefined,
    onEvent?: (event: object) => void,
  ): Promise<unknown> {
    try {
      for await (const line of linesOf(response.body)) {
        const event = JSON.parse(line);
        if (event.event === "result") return event.result;
        if (event.event === "error") {
          signal?.throwIfAborted();
          // What was not cancelled here was cut off there.
          const code = event.code === "aborted" ? "reset" : event.code as ErrorCode;
          throw new SeedmintError(code, String(event.message));
        }
        onEvent?.(event);
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof SeedmintError ? error : this.#gone(error);
    }
    throw this.#gone(undefined);
  }

  #gone(cause: unknown): SeedmintError {
    const why = cause === undefined ? "it ended before the work was done" : messageOf(cause);
    return new SeedmintError("reset", `The node at ${this.#path} does not answer: ${why}`, {
      cause,
      retryable: true,
    });
  }
}

async function* linesOf(body: ReadableStream<Uint8Array> | null): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of body ?? []) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop()!;
    if (rest.length > LINE_CHARS_MAX) {
      throw new SeedmintError(
        "protocol",
        `The node sent a line of over ${LINE_CHARS_MAX} characters`,
      );
    }
    for (const line of lines) if (line !== "") yield line;
  }
  if (rest !== "") yield rest;
}
