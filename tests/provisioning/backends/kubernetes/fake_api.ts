/**
 * An API server in this process: objects by path, label selectors, pages, resource versions, merge patches,
 * namespaces that end when they are empty, quotas that are counted late, pods that begin and end after a
 * moment, logs, and `exec` over a WebSocket. It behaves as the documentation of Kubernetes says, as far as
 * leases use it; that the real one does so, too, is shown in tests/interop/kubernetes.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** An object as it is stored. */
// deno-lint-ignore no-explicit-any -- objects of every kind
export type Stored = Record<string, any>;

/** How a command in a pod ends: its code and outputs; `silent` never ends, `cut` breaks the connection. */
export type FakeExec = (command: string[]) =>
  | { readonly code: number; readonly stdout?: string; readonly stderr?: string }
  | "silent"
  | "cut";

const COLLECTIONS =
  /^\/(?:api\/v1|apis\/[a-z0-9.]+\/v1)\/namespaces\/([^/]+)\/([a-z]+)(?:\/([^/]+)(?:\/(log|exec))?)?$/;

/** What a pod's status is when it runs. */
const RUNNING = {
  phase: "Running",
  containerStatuses: [{ name: "lease", state: { running: {} } }],
};

/** The server. */
export class FakeApi implements AsyncDisposable {
  readonly objects = new Map<string, Stored>();
  /** Requests, as `METHOD path`. */
  readonly calls: string[] = [];
  /** Answers some requests in another way: a status, or never. */
  fault: (method: string, path: string) => number | "never" | undefined = () => undefined;
  /** What becomes of a pod some milliseconds after it was made. */
  podStatus: Stored = RUNNING;
  exec: FakeExec = () => ({ code: 0 });
  log = "ready\n";
  minor = "34";
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #over = new AbortController();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #version = 1;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("connection", (socket) => this.#sockets.add(socket));
    this.#server.on("upgrade", (request, socket) => this.#exec(request, socket as Socket));
    this.put("/api/v1/nodes/one", {
      metadata: { name: "one", labels: { "kubernetes.io/arch": "amd64" } },
      status: {
        allocatable: { cpu: "4", memory: "8Gi", "ephemeral-storage": "50Gi" },
        conditions: [{ type: "Ready", status: "True" }],
        nodeInfo: { containerRuntimeVersion: "containerd://2.1.0" },
      },
    });
  }

  static async start(): Promise<FakeApi> {
    const api = new FakeApi();
    await new Promise<void>((resolve) => api.#server.listen(0, "127.0.0.1", resolve));
    return api;
  }

  get url(): string {
    const { port } = this.#server.address() as { port: number };
    return `http://127.0.0.1:${port}`;
  }

  /** Stores an object as it is. */
  put(path: string, object: Stored): void {
    object.metadata = { ...object.metadata, resourceVersion: String(this.#version++) };
    this.objects.set(path, object);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const method = request.method ?? "GET";
    const hasBody = method !== "GET" && chunks.length > 0;
    const answer = await this.#answer(
      new Request(`${this.url}${request.url}`, {
        method,
        ...(hasBody ? { body: await new Blob(chunks as BlobPart[]).bytes() } : {}),
      }),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(await answer.text());
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname: path, searchParams: query } = new URL(request.url);
    this.calls.push(`${request.method} ${path}`);
    const fault = this.fault(request.method, path);
    if (fault === "never") {
      await new Promise((resolve) => this.#over.signal.addEventListener("abort", resolve));
      return refusal(503, "over");
    }
    if (fault !== undefined) return refusal(fault, "broken on purpose");
    if (path === "/version/") {
      return Response.json({ major: "1", minor: this.minor, gitVersion: `v1.${this.minor}.0` });
    }
    if (path.endsWith("/selfsubjectaccessreviews")) {
      return Response.json({ status: { allowed: true } }, { status: 201 });
    }
    const [, namespace, kind, name, part] = COLLECTIONS.exec(path) ?? [];
    if (part === "log") {
      if (!this.objects.has(path.slice(0, -"/log".length))) return refusal(404, "no pod");
      const lines = this.log.trimEnd().split("\n").slice(-Number(query.get("tailLines")));
      return new Response(lines.join("\n") + "\n");
    }
    if (request.method === "POST") {
      return this.#create(path, await request.json(), { namespace, kind });
    }
    if (request.method === "GET" && namespace === undefined && !/s\/[^/]+$/.test(path)) {
      return this.#list(path, query);
    }
    const object = this.objects.get(path);
    if (object === undefined) return refusal(404, `${path} not found`);
    if (request.method === "PATCH") return this.#patch(object, await request.json());
    if (request.method === "DELETE") {
      this.#delete(path, object, kind === "pods" && name !== undefined);
    }
    return Response.json(object);
  }

  #create(
    path: string,
    body: Stored,
    { namespace, kind }: { namespace: string | undefined; kind: string | undefined },
  ): Response {
    const target = `${path}/${body.metadata.name}`;
    if (this.objects.has(target)) return refusal(409, "already exists");
    if (namespace !== undefined) {
      const home = this.objects.get(`/api/v1/namespaces/${namespace}`);
      if (home === undefined) return refusal(404, "no namespace");
      if (home.metadata.deletionTimestamp) return refusal(403, "it is being terminated");
    }
    const ports = nodePorts(body);
    const taken = [...this.objects.values()].flatMap(nodePorts);
    if (kind === "services" && ports.some((port) => taken.includes(port))) {
      return refusal(422, "provided port is already allocated");
    }
    if (kind === "pods") {
      const quota = this.objects.get(`/api/v1/namespaces/${namespace}/resourcequotas/lease`);
      // The controller that counts has not seen it yet.
      if (quota !== undefined && quota.counted === undefined) {
        quota.counted = true;
        return refusal(403, 'pods "lease" is forbidden: status unknown for quota: lease');
      }
      body.status = { phase: "Pending" };
      this.#later(() => {
        if (this.objects.get(target) === body) body.status = this.podStatus;
      });
    }
    body.metadata.namespace = namespace;
    this.put(target, body);
    return Response.json(body, { status: 201 });
  }

  #list(path: string, query: URLSearchParams): Response {
    const pattern = path === "/api/v1/pods"
      ? /^\/api\/v1\/namespaces\/[^/]+\/pods\/[^/]+$/
      : new RegExp(`^${path}/[^/]+$`);
    const all = [...this.objects].filter(([key, object]) =>
      pattern.test(key) && isSelected(object, query.get("labelSelector") ?? "")
    ).map(([, object]) => object);
    const from = Number(query.get("continue") ?? 0);
    const to = from + Number(query.get("limit") ?? 500);
    return Response.json({
      metadata: to < all.length ? { continue: String(to) } : {},
      items: all.slice(from, to),
    });
  }

  #patch(object: Stored, patch: Stored): Response {
    const { resourceVersion, annotations } = patch.metadata;
    if (resourceVersion !== undefined && resourceVersion !== object.metadata.resourceVersion) {
      return refusal(409, "the object has been modified");
    }
    Object.assign(object.metadata.annotations, annotations);
    object.metadata.resourceVersion = String(this.#version++);
    return Response.json(object);
  }

  #delete(path: string, object: Stored, isPod: boolean): void {
    object.metadata.deletionTimestamp = new Date().toISOString();
    if (!isPod) object.status = { phase: "Terminating" };
    const end = () => {
      const isEmpty = ![...this.objects.keys()].some((key) => key.startsWith(`${path}/pods/`));
      if (!isEmpty) return this.#later(end);
      for (const key of this.objects.keys()) {
        if (key === path || key.startsWith(`${path}/`)) this.objects.delete(key);
      }
    };
    this.#later(end);
  }

  /** RFC 6455 as far as the server's side goes: what the client sends is not read. */
  #exec(request: IncomingMessage, socket: Socket): void {
    const url = new URL(`${this.url}${request.url}`);
    this.calls.push(`EXEC ${url.pathname}`);
    socket.on("error", () => {});
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n`,
    );
    const send = (stream: number, text: string) => {
      const bytes = Uint8Array.of(stream, ...new TextEncoder().encode(text));
      const head = new DataView(new ArrayBuffer(10));
      head.setUint8(0, 0x82); // a whole binary message
      head.setUint8(1, 127); // its size in eight bytes
      head.setBigUint64(2, BigInt(bytes.length));
      socket.write(new Uint8Array(head.buffer));
      socket.write(bytes);
    };
    const end = this.exec(url.searchParams.getAll("command"));
    if (end === "silent") return;
    if (end === "cut") return void socket.destroy();
    if (end.stdout !== undefined) send(1, end.stdout);
    if (end.stderr !== undefined) send(2, end.stderr);
    const causes = [{ reason: "ExitCode", message: String(end.code) }];
    const failure = { status: "Failure", reason: "NonZeroExitCode", details: { causes } };
    send(3, JSON.stringify(end.code === 0 ? { status: "Success" } : failure));
  }

  #later(work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, 20);
    this.#timers.add(timer);
  }
}

function nodePorts(object: Stored): number[] {
  return (object.spec?.ports ?? []).map((port: Stored) => port.nodePort);
}

function isSelected(object: Stored, selector: string): boolean {
  const labels = object.metadata.labels ?? {};
  return selector === "" || selector.split(",").every((term) => {
    const [, key, operator, value] = /^([^=!]+)(!?=)(.*)$/.exec(term)!;
    return (labels[key!] === value) === (operator === "=");
  });
}

function refusal(code: number, message: string): Response {
  return Response.json({ kind: "Status", status: "Failure", code, message }, { status: code });
}
