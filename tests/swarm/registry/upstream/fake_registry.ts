/** A registry in memory that does what registries do: tokens, redirects to storage, limits, uploads. */
import { concatBytes } from "../../../../src/core/bytes.ts";
import { digestOfBytes } from "../../../../swarm/registry/manifest/mod.ts";
import type { Digest } from "../../../../swarm/registry/names.ts";
import type { FakeWeb } from "./fake_web.ts";

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

type Bytes = Uint8Array<ArrayBuffer>;

/** Options of {@link FakeRegistry}. */
export interface FakeRegistryOptions {
  readonly web: FakeWeb;
  readonly host: string;
  readonly scheme?: "http" | "https";
  /** How it wants to be asked. @default {"none"} */
  readonly auth?: "none" | "bearer" | "basic";
  /** Host of its token server. @default {"auth.example"} */
  readonly tokenHost?: string;
  /** Blobs are sent from there. */
  readonly storageHost?: string;
  readonly expiresInS?: number;
}

/** See the head of this file. */
export class FakeRegistry {
  readonly manifests = new Map<string, { readonly mediaType: string; readonly bytes: Bytes }>();
  readonly blobs = new Map<Digest, Bytes>();
  readonly tags = new Map<string, Digest>();
  readonly uploads = new Map<string, Bytes>();
  /** `user:password` of who may see repositories below `private/`, and push. */
  readonly login = "robot:s3cret-password";
  readonly refreshToken = "refresh-s3cret";
  tokenCount = 0;
  /** Answers in the registry's place, if it returns something. */
  fault: (request: Request, url: URL) => Response | undefined | Promise<Response | undefined> =
    () => undefined;
  tokenFault: (request: Request) => Response | undefined = () => undefined;
  storageFault: (request: Request, url: URL) => Response | undefined = () => undefined;
  readonly #options: FakeRegistryOptions;
  readonly #tokens = new Map<
    string,
    { readonly scopes: readonly string[]; readonly isIn: boolean }
  >();
  #signature = 0;

  constructor(options: FakeRegistryOptions) {
    this.#options = options;
    const { web, host, tokenHost = "auth.example", storageHost } = options;
    web.host(host, (request) => this.#answer(request));
    if (options.auth === "bearer") web.host(tokenHost, (request) => this.#grant(request));
    if (storageHost !== undefined) web.host(storageHost, (request) => this.#store(request));
  }

  addBlob(bytes: Bytes): Digest {
    const digest = digestOfBytes(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  addManifest(
    repository: string,
    content: unknown,
    tag?: string,
    mediaType = OCI_MANIFEST,
  ): Digest {
    const bytes = new TextEncoder().encode(JSON.stringify(content));
    const digest = digestOfBytes(bytes);
    this.manifests.set(`${repository}@${digest}`, { mediaType, bytes });
    if (tag !== undefined) this.tags.set(`${repository}:${tag}`, digest);
    return digest;
  }

  /** No token given so far is good any more. */
  revokeTokens(): void {
    this.#tokens.clear();
  }

  /** URLs of storage given so far are no good any more. */
  expireLocations(): void {
    this.#signature++;
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const fault = await this.fault(request, url);
    if (fault !== undefined) return fault;
    const match = /^\/v2\/(.+?)\/(manifests|blobs\/uploads|blobs|tags|referrers)\/(.*)$/.exec(
      url.pathname,
    );
    if (match === null) return new Response(null, { status: 404 });
    const [, repository, what, name] = match as unknown as [string, string, string, string];
    const refused = this.#refuse(request, repository);
    if (refused !== undefined) return refused;
    if (what === "manifests") return await this.#manifest(request, repository, name);
    if (what === "blobs") return this.#blob(request, name as Digest);
    if (what === "tags") return this.#tagList(url, repository);
    if (what === "blobs/uploads") return await this.#upload(request, url, repository, name);
    return this.#referrers(repository, name, url);
  }

  #refuse(request: Request, repository: string): Response | undefined {
    const { auth = "none", tokenHost = "auth.example", scheme = "https", host } = this.#options;
    if (auth === "none") return undefined;
    const shown = request.headers.get("authorization") ?? "";
    const action = request.method === "GET" || request.method === "HEAD" ? "pull" : "push";
    if (auth === "basic") {
      if (shown === `Basic ${btoa(this.login)}`) return undefined;
      return new Response(null, {
        status: 401,
        headers: { "www-authenticate": `Negotiate, Basic realm="${host}"` },
      });
    }
    const token = this.#tokens.get(shown.replace(/^Bearer /, ""));
    const isScoped = token?.scopes.some((scope) => {
      const [, name, actions] = /^repository:(.*):(.*)$/.exec(scope) ?? [];
      return name === repository && actions!.split(",").includes(action);
    });
    const needsLogin = repository.startsWith("private/") || action === "push";
    if (isScoped && (!needsLogin || token!.isIn)) return undefined;
    const scope = `repository:${repository}:${action === "push" ? "pull,push" : "pull"}`;
    return new Response('{"errors":[{"code":"UNAUTHORIZED"}]}', {
      status: 401,
      headers: {
        "www-authenticate":
          `Bearer realm="${scheme}://${tokenHost}/token",service="${host}",scope="${scope}"`,
      },
    });
  }

  async #grant(request: Request): Promise<Response> {
    const fault = this.tokenFault(request);
    if (fault !== undefined) return fault;
    const url = new URL(request.url);
    const form = request.method === "POST" ? new URLSearchParams(await request.text()) : undefined;
    const basic = request.headers.get("authorization");
    const isWrong = basic !== null && basic !== `Basic ${btoa(this.login)}` ||
      form !== undefined && form.get("refresh_token") !== this.refreshToken &&
        `${form.get("username")}:${form.get("password")}` !== this.login;
    if (isWrong) return new Response(null, { status: 401 });
    const scopes = form === undefined
      ? url.searchParams.getAll("scope")
      : form.get("scope")!.split(" ");
    const token = `token-${++this.tokenCount}`;
    this.#tokens.set(token, { scopes, isIn: basic !== null || form !== undefined });
    const { expiresInS } = this.#options;
    return Response.json({
      [form === undefined ? "token" : "access_token"]: token,
      ...(expiresInS === undefined ? {} : { expires_in: expiresInS }),
    });
  }

  async #manifest(request: Request, repository: string, name: string): Promise<Response> {
    if (request.method === "PUT") {
      const bytes = new Uint8Array(await request.arrayBuffer());
      const digest = digestOfBytes(bytes);
      this.manifests.set(`${repository}@${digest}`, {
        mediaType: request.headers.get("content-type")!,
        bytes,
      });
      if (!name.startsWith("sha256:")) this.tags.set(`${repository}:${name}`, digest);
      return new Response(null, { status: 201, headers: { "docker-content-digest": digest } });
    }
    const digest = name.startsWith("sha256:") ? name : this.tags.get(`${repository}:${name}`);
    const found = this.manifests.get(`${repository}@${digest}`);
    if (found === undefined) return new Response(null, { status: 404 });
    const headers = {
      "content-type": found.mediaType,
      "content-length": `${found.bytes.length}`,
      "docker-content-digest": digest!,
      "etag": `"${digest}"`,
    };
    if (request.headers.get("if-none-match") === headers.etag) {
      return new Response(null, { status: 304, headers: { etag: headers.etag } });
    }
    return new Response(request.method === "HEAD" ? null : found.bytes, { headers });
  }

  #blob(request: Request, digest: Digest): Response {
    const bytes = this.blobs.get(digest);
    const { storageHost, scheme = "https" } = this.#options;
    if (bytes === undefined) return new Response(null, { status: 404 });
    if (storageHost === undefined) return ranged(request, bytes);
    const location = `${scheme}://${storageHost}/${digest}?signature=${this.#signature}-s1gned`;
    return new Response(null, { status: 307, headers: { location } });
  }

  #store(request: Request): Response {
    const url = new URL(request.url);
    const fault = this.storageFault(request, url);
    if (fault !== undefined) return fault;
    if (url.searchParams.get("signature") !== `${this.#signature}-s1gned`) {
      return new Response("<Error>expired</Error>", { status: 403 });
    }
    const bytes = this.blobs.get(url.pathname.slice(1) as Digest);
    return bytes === undefined ? new Response(null, { status: 404 }) : ranged(request, bytes);
  }

  #tagList(url: URL, repository: string): Response {
    const all = [...this.tags.keys()].filter((key) => key.startsWith(`${repository}:`))
      .map((key) => key.slice(repository.length + 1)).sort();
    const last = url.searchParams.get("last");
    const count = Number(url.searchParams.get("n") ?? all.length);
    const after = last === null ? all : all.filter((tag) => tag > last);
    const tags = after.slice(0, count);
    const hasMore = after.length > count;
    const next = `</v2/${repository}/tags/list?n=${count}&last=${tags.at(-1)}>; rel="next"`;
    return Response.json({ name: repository, tags }, { headers: hasMore ? { link: next } : {} });
  }

  #referrers(repository: string, digest: string, url: URL): Response {
    const artifactType = url.searchParams.get("artifactType");
    const manifests = [...this.manifests].flatMap(([key, { mediaType, bytes }]) => {
      const content = JSON.parse(new TextDecoder().decode(bytes));
      const isOne = key.startsWith(`${repository}@`) && content.subject?.digest === digest &&
        (artifactType === null || content.artifactType === artifactType);
      return isOne
        ? [{
          mediaType,
          digest: key.slice(repository.length + 1),
          size: bytes.length,
          artifactType: content.artifactType,
        }]
        : [];
    });
    return Response.json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  }

  async #upload(request: Request, url: URL, repository: string, id: string): Promise<Response> {
    if (request.method === "POST") {
      const mounted = url.searchParams.get("mount") as Digest | null;
      if (mounted !== null && this.blobs.has(mounted)) return new Response(null, { status: 201 });
      return this.#status(202, repository, this.#begin());
    }
    const have = this.uploads.get(id);
    if (have === undefined) return new Response(null, { status: 404 });
    if (request.method === "GET") return this.#status(204, repository, id);
    const start = /^(\d+)-/.exec(request.headers.get("content-range") ?? "")?.[1];
    if (start !== undefined && Number(start) !== have.length) {
      return this.#status(416, repository, id);
    }
    for await (const piece of request.body ?? []) {
      this.uploads.set(id, concatBytes(this.uploads.get(id)!, piece));
    }
    if (request.method === "PATCH") return this.#status(202, repository, id);
    const bytes = this.uploads.get(id)!;
    this.uploads.delete(id);
    if (digestOfBytes(bytes) !== url.searchParams.get("digest")) {
      return Response.json({ errors: [{ code: "DIGEST_INVALID" }] }, { status: 400 });
    }
    return new Response(null, {
      status: 201,
      headers: { "docker-content-digest": this.addBlob(bytes) },
    });
  }

  #begin(): string {
    const id = `upload-${this.uploads.size}`;
    this.uploads.set(id, new Uint8Array());
    return id;
  }

  #status(status: number, repository: string, id: string): Response {
    const size = this.uploads.get(id)!.length;
    return new Response(null, {
      status,
      headers: {
        location: `/v2/${repository}/blobs/uploads/${id}?_state=a%3D%3D`,
        range: `0-${Math.max(0, size - 1)}`,
      },
    });
  }
}

/** Serves `bytes` with ranges, as storage does. */
export function ranged(
  request: Request,
  bytes: Bytes,
  headers: Record<string, string> = {},
): Response {
  const isHead = request.method === "HEAD";
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  if (match === null) {
    return new Response(isHead ? null : bytes, {
      headers: { ...headers, "content-length": `${bytes.length}` },
    });
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? bytes.length : Math.min(bytes.length, Number(match[2]) + 1);
  if (start >= bytes.length) {
    return new Response(null, {
      status: 416,
      headers: { ...headers, "content-range": `bytes */${bytes.length}` },
    });
  }
  return new Response(isHead ? null : bytes.slice(start, end), {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${start}-${end - 1}/${bytes.length}` },
  });
}
