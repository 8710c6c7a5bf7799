/**
 * What the world outside is in the lab: docker-registry, and before it two doors with faults of their
 * own, `inner` that the nodes ask (plain HTTP) and `outer` that clients go on to by the registries'
 * real names (TLS). A fault is of a repository, so that each case has its own.
 */
import { startDockerRegistry } from "../../../bench/registry/docker_registry.ts";
import { certify } from "./lab.ts";

/** What goes wrong at a door with one repository. */
export type Fault =
  | "manifests-404"
  | "manifests-500"
  | "blobs-404"
  | "cut-once"
  | "cut-always"
  | "wrong-once"
  | "wrong-always"
  | "slow"
  | "hung"
  | "gone-after-manifest";

/** Names that clients know registries by, and that lead here. */
const NAMES = ["registry-1.docker.io", "docker.io", "index.docker.io", "ghcr.io"];
/** Bytes per second of a slow door. */
const SLOW_BYTES_PER_S = 700_000;
/** Bytes of a blob before it is cut. */
const CUT_AFTER_BYTES = 400_000;
const LAYER_BYTES_MIN = 10_000;

/** A door: a listener that can be shut, and faults. */
export class Door {
  readonly #faults = new Map<string, Fault>();
  /** `METHOD path` of every request. */
  readonly asked: string[] = [];
  readonly #target: string;
  readonly #options: Deno.ServeTcpOptions & Partial<Deno.TlsCertifiedKeyPem>;
  readonly #seen = new Set<string>();
  #open: { readonly server: Deno.HttpServer; readonly abort: AbortController } | undefined;

  constructor(
    target: string,
    options: Deno.ServeTcpOptions & Partial<Deno.TlsCertifiedKeyPem>,
  ) {
    this.#target = target;
    this.#options = { ...options, hostname: "127.0.0.1", onListen: () => {} };
    this.open();
  }

  /** Lets a fault begin, or end, with a repository such as `library/app`. */
  setFault(repository: string, fault: Fault | undefined): void {
    for (const seen of [...this.#seen]) if (seen.includes(repository)) this.#seen.delete(seen);
    if (fault === undefined) this.#faults.delete(repository);
    else this.#faults.set(repository, fault);
  }

  /** Listens, again after {@link shut}. */
  open(): void {
    if (this.#open !== undefined) return;
    const abort = new AbortController();
    const options = { ...this.#options, signal: abort.signal };
    const server = Deno.serve(options, (request) => this.#answer(request));
    this.#open = { server, abort };
  }

  /** Refuses connections. */
  async shut(): Promise<void> {
    const was = this.#open;
    this.#open = undefined;
    was?.abort.abort();
    await was?.server.finished;
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    this.asked.push(`${request.method} ${pathname}`);
    const [, repository, kind, reference] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname) ?? [];
    const fault = this.#faults.get(repository ?? "");
    const first = !this.#seen.has(`${request.method} ${pathname}`);
    const refusal = refusalOf(fault, kind, this.#seen.has(`manifest ${repository}`));
    if (refusal === "never") return await new Promise(() => {});
    if (refusal !== undefined) return refusal;
    const answer = await this.#pass(request, pathname);
    if (kind === "manifests" && reference?.includes(":") && request.method === "GET") {
      this.#seen.add(`manifest ${repository}`);
    }
    const size = Number(answer.headers.get("content-length"));
    if (kind !== "blobs" || request.method !== "GET" || answer.body === null) return answer;
    if (size < LAYER_BYTES_MIN) return answer;
    this.#seen.add(`${request.method} ${pathname}`);
    const body = spoiled(answer.body, fault, first);
    return body === answer.body ? answer : new Response(body, answer);
  }

  async #pass(request: Request, path: string): Promise<Response> {
    const { search } = new URL(request.url);
    const headers = new Headers(request.headers);
    for (const name of ["host", "connection", "accept-encoding"]) headers.delete(name);
    const init = { method: request.method, headers, redirect: "manual" } as const;
    return await fetch(`${this.#target}${path}${search}`, init);
  }
}

function refusalOf(
  fault: Fault | undefined,
  kind: string | undefined,
  isAfterManifest: boolean,
): Response | "never" | undefined {
  if (kind === undefined) return undefined;
  const isManifest = kind === "manifests";
  if (fault === "manifests-404" && isManifest) return refused(404, "MANIFEST_UNKNOWN");
  if (fault === "manifests-500" && isManifest) return refused(500, "UNKNOWN");
  if (fault === "blobs-404" && !isManifest) return refused(404, "BLOB_UNKNOWN");
  if (fault === "hung") return "never";
  if (fault === "gone-after-manifest" && isAfterManifest) return refused(503, "UNAVAILABLE");
  return undefined;
}

function refused(status: number, code: string): Response {
  return Response.json({ errors: [{ code, message: "a fault of the lab" }] }, { status });
}

function spoiled(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  fault: Fault | undefined,
  isFirst: boolean,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  if (fault === "cut-always" || (fault === "cut-once" && isFirst)) return body.pipeThrough(cut());
  if (fault === "wrong-always" || (fault === "wrong-once" && isFirst)) {
    return body.pipeThrough(wrong());
  }
  return fault === "slow" ? body.pipeThrough(slow()) : body;
}

type Pipe = TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>;

function cut(): Pipe {
  let left = CUT_AFTER_BYTES;
  return new TransformStream({
    transform(piece, to) {
      if (left > 0) to.enqueue(piece.slice(0, left));
      left -= piece.length;
      // Later, so that what was said before is on its way.
      if (left < 0) setTimeout(() => to.error(new Error("cut by the lab")), 50);
    },
  });
}

function wrong(): Pipe {
  let at = 0;
  return new TransformStream({
    transform(piece, to) {
      const copy = piece.slice();
      if (at <= CUT_AFTER_BYTES && CUT_AFTER_BYTES < at + copy.length) {
        copy[CUT_AFTER_BYTES - at]! ^= 1;
      }
      at += copy.length;
      to.enqueue(copy);
    },
  });
}

function slow(): Pipe {
  return new TransformStream({
    async transform(piece, to) {
      to.enqueue(piece);
      const ms = piece.length / SLOW_BYTES_PER_S * 1000;
      await new Promise((resolve) => setTimeout(resolve, ms));
    },
  });
}

/** The world outside. */
export interface Hub extends AsyncDisposable {
  /** docker-registry itself, for putting images in. */
  readonly registry: string;
  readonly inner: Door;
  readonly outer: Door;
  /** Where nodes ask, as `--mirror-upstream` wants it. */
  readonly innerUrl: string;
}

/** Starts it, its files below `directory`. */
export async function startHub(directory: string): Promise<Hub> {
  const registry = await startDockerRegistry(directory, "docker-registry");
  if (typeof registry === "string") throw new Error(registry);
  const pair = await certify(directory, NAMES);
  const inner = new Door(registry.url, { port: 5100 });
  const outer = new Door(registry.url, { port: 443, ...pair });
  return {
    registry: registry.url,
    inner,
    outer,
    innerUrl: "http://127.0.0.1:5100",
    async [Symbol.asyncDispose]() {
      await Promise.all([inner.shut(), outer.shut()]);
      await registry[Symbol.asyncDispose]();
    },
  };
}
