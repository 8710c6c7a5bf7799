/**
 * The control API: what the verbs ask of a running node, over a Unix socket that only its user can
 * open, and on loopback TCP with a bearer token when that is asked for.
 *
 * ```
 * GET  /v1                      {"version","peerId"}
 * POST /v1/<method>             JSON parameters -> JSON lines: events, then one
 *                               {"event":"result","result":…} or {"event":"error","code","message"}
 * GET  /v1/blobs/<target>       the bytes of a complete blob
 * POST /v1/blobs?visibility=…   the bytes of a new blob -> as a method
 * GET  /metrics                 for Prometheus
 * ```
 * Whoever goes away while a method works cancels it.
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../core/errors.ts";
import type { MethodName, NodeApi, StatusReport } from "../api/methods.ts";
import { v } from "../schema.ts";
import { checkControl, type ListenerKind, refusal } from "./guard.ts";
import { PARAM_SCHEMAS, uploadSchema } from "./schemas.ts";

/** The most bytes of a request's JSON. */
const BODY_BYTES_MAX = 4 << 20;
/** The most requests that are worked on at a time. */
const REQUESTS_MAX = 256;
/** How many lines a slow client may fall behind before progress is left out. */
const LINES_BEHIND_MAX = 64;

/** What the server works with. */
export interface ControlOptions {
  readonly node: NodeApi;
  readonly identify: () => Promise<Pick<StatusReport, "version" | "peerId">>;
  readonly metrics: () => Promise<string>;
  /** For loopback TCP. */
  readonly token?: string;
  readonly onError: (error: unknown, method: string) => void;
}

/** Answers control requests; listeners call {@link ControlServer.handle}. */
export class ControlServer {
  readonly #options: ControlOptions;
  readonly #stop = new AbortController();
  #requestCount = 0;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /** Cancels everything under way. */
  close(): void {
    this.#stop.abort(new SeedmintError("aborted", "The node is stopping"));
  }

  /** Answers one request that came in by `listener`. */
  async handle(request: Request, listener: ListenerKind): Promise<Response> {
    const refused = checkControl(request, listener, this.#options.token);
    if (refused !== undefined) return refused;
    if (this.#requestCount >= REQUESTS_MAX) {
      return refusal(503, "busy", `The node works on ${REQUESTS_MAX} requests already`);
    }
    try {
      return await this.#route(request);
    } catch (error) {
      return refusal(statusOfError(error), ...lineOfError(error));
    }
  }

  async #route(request: Request): Promise<Response> {
    const url = new URL(request.url.replace(/^http\+unix:/, "http:"));
    const path = url.pathname;
    if (request.method === "GET") {
      if (path === "/v1") return Response.json(await this.#options.identify());
      if (path === "/metrics") return metricsResponse(await this.#options.metrics());
      if (path.startsWith("/v1/blobs/")) {
        return await this.#download(decodeTarget(path.slice("/v1/blobs/".length)));
      }
    }
    if (request.method === "POST") {
      if (path === "/v1/blobs") return this.#upload(request, url.searchParams);
      const method = path.slice("/v1/".length);
      if (path.startsWith("/v1/") && Object.hasOwn(PARAM_SCHEMAS, method)) {
        return await this.#method(request, method as MethodName);
      }
    }
    return refusal(404, "usage", `There is no ${request.method} ${path}; client and node differ`);
  }

  async #method(request: Request, method: MethodName): Promise<Response> {
    if (request.headers.get("content-type") !== "application/json") {
      return refusal(415, "usage", "The content type must be application/json");
    }
    const params = parseParams(method, await readBody(request));
    return this.#stream(method, async (emit, signal) => {
      // The schema of the method has just been checked.
      return await this.#options.node.call(method, params as never, {
        signal,
        onEvent: emit as never,
      });
    });
  }

  #upload(request: Request, query: URLSearchParams): Response {
    const attributes = v.parse(uploadSchema, Object.fromEntries(query));
    const body = request.body ?? new Blob([]).stream();
    return this.#stream("add", async (_emit, signal) => {
      return await this.#options.node.addStream(body, attributes as never, { signal });
    });
  }

  async #download(target: string): Promise<Response> {
    const stream = await this.#options.node.readBlob(target, { signal: this.#stop.signal });
    return new Response(stream, { headers: { "content-type": "application/octet-stream" } });
  }

  /** Runs `work` and streams its events and its end as JSON lines. */
  #stream(
    method: string,
    work: (emit: (event: object) => void, signal: AbortSignal) => Promise<object>,
  ): Response {
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, this.#stop.signal]);
    this.#requestCount++;
    const body = new ReadableStream<Uint8Array>({
      start: async (controller) => {
        const send = (line: object) => {
          if (gone.signal.aborted) return;
          const isProgress = "event" in line && line.event === "progress";
          if (isProgress && (controller.desiredSize ?? 0) < -LINES_BEHIND_MAX) return;
          controller.enqueue(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
        };
        try {
          send({ event: "result", result: await work(send, signal) });
        } catch (error) {
          if (!isSeedmintError(error)) this.#options.onError(error, method);
          const [code, message] = lineOfError(error);
          send({ event: "error", code, message });
        } finally {
          this.#requestCount--;
          if (!gone.signal.aborted) controller.close();
        }
      },
      cancel: () => gone.abort(new SeedmintError("aborted", "The client went away")),
    });
    return new Response(body, {
      headers: { "content-type": "application/jsonl", "cache-control": "no-store" },
    });
  }
}

/** The answer of a `/metrics` listener. */
export function metricsResponse(text: string): Response {
  return new Response(text, { headers: { "content-type": "text/plain; version=0.0.4" } });
}

function parseParams(method: MethodName, text: string): unknown {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new SeedmintError("usage", `Cannot run ${method}: the request is not JSON`);
  }
  const result = v.safeParse(PARAM_SCHEMAS[method], json);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const where = v.getDotPath(issue) ?? "parameters";
  throw new SeedmintError("usage", `Cannot run ${method}: ${where}: ${issue.message}`);
}

async function readBody(request: Request): Promise<string> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const part of request.body ?? []) {
    size += part.length;
    if (size > BODY_BYTES_MAX) {
      throw new SeedmintError("usage", `A request may have at most ${BODY_BYTES_MAX} bytes`);
    }
    parts.push(part);
  }
  return await new Blob(parts).text();
}

function lineOfError(error: unknown): [code: string, message: string] {
  if (isSeedmintError(error)) return [error.code, error.message];
  if (error instanceof SyntaxError || error instanceof RangeError || error instanceof v.ValiError) {
    return ["usage", error.message];
  }
  return ["internal", `A mistake of the node, see its log: ${messageOf(error)}`];
}

/** The target in a path; a client's broken escape is the client's mistake. */
function decodeTarget(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SeedmintError("usage", `Cannot read "${text.slice(0, 80)}": a broken % escape`);
  }
}

function statusOfError(error: unknown): number {
  const [code] = lineOfError(error);
  if (code === "internal") return 500;
  return code === "not-found" ? 404 : code === "busy" ? 503 : 400;
}
