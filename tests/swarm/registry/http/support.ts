/** A registry behind the HTTP front that does what a test says, and requests byte by byte. */
import type { Digest, Reference, RepositoryName } from "../../../../swarm/registry/names.ts";
import { digestOf } from "../../../../swarm/registry/names.ts";
import type { Sha256 } from "../../../../src/core/hash.ts";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import type {
  AskOptions,
  BlobDelivery,
  Descriptor,
  Page,
  PageRequest,
  RegistryReader,
  StoredManifest,
} from "../../../../swarm/registry/ports.ts";
import {
  type RegistryEvent,
  RegistryServer,
  type RegistryServerOptions,
} from "../../../../swarm/registry/http/mod.ts";
import { LocalRegistry } from "../../../../swarm/registry/local/mod.ts";
import { RegistryIndex } from "../../../../swarm/registry/index/mod.ts";
import { type BlobStore, MemoryBlobStore } from "../../../../swarm/store/mod.ts";
import { exchangeRaw, type RawAnswer, readAnswer } from "../../gateway/support.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Read = BlobDelivery["read"];

export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** What a reader was asked. */
export interface Asked {
  readonly what: "manifest" | "blob" | "tags" | "referrers";
  readonly name: RepositoryName;
  readonly reference?: Reference;
  readonly accept?: readonly string[];
  readonly isHead?: boolean;
}

/** A reader whose answers are set by a test. */
export class FakeReader implements RegistryReader {
  readonly asked: Asked[] = [];
  readonly manifests = new Map<string, StoredManifest>();
  /** How a blob of some size is delivered, by digest. */
  readonly blobs = new Map<string, { readonly size: number; readonly read: Read }>();
  readonly tagNames: string[] = [];
  readonly repositoryNames: string[] = [];
  readonly referring: Descriptor[] = [];
  /** What is thrown instead of any answer. */
  trouble: unknown;
  /** Deliveries that are open now. */
  openCount = 0;
  readonly store: BlobStore;

  constructor(store: BlobStore) {
    this.store = store;
  }

  manifest(
    name: RepositoryName,
    reference: Reference,
    { accept, isHead }: AskOptions & {
      readonly accept: readonly string[];
      readonly isHead: boolean;
    },
  ): Promise<StoredManifest | undefined> {
    this.asked.push({ what: "manifest", name, reference, accept, isHead });
    if (this.trouble !== undefined) return Promise.reject(this.trouble);
    return Promise.resolve(this.manifests.get(reference.digest ?? reference.tag));
  }

  blob(
    name: RepositoryName,
    digest: Digest,
    { isHead }: AskOptions & { readonly isHead: boolean },
  ): Promise<BlobDelivery | undefined> {
    this.asked.push({ what: "blob", name, reference: { digest }, isHead });
    if (this.trouble !== undefined) return Promise.reject(this.trouble);
    const record = this.store.findBySha256(digest.slice(7) as Sha256);
    const scripted = this.blobs.get(digest);
    if (record === undefined && scripted === undefined) return Promise.resolve(undefined);
    this.openCount++;
    return Promise.resolve({
      digest,
      size: record?.size ?? scripted!.size,
      ...(record === undefined ? {} : { record }),
      read: scripted?.read ?? nothing,
      [Symbol.asyncDispose]: () => {
        this.openCount--;
        return Promise.resolve();
      },
    });
  }

  tags(name: RepositoryName, page: PageRequest): Promise<Page | undefined> {
    this.asked.push({ what: "tags", name });
    if (this.trouble !== undefined) return Promise.reject(this.trouble);
    return Promise.resolve(
      name.repository === "no/where" ? undefined : pageOf(this.tagNames, page),
    );
  }

  referrers(
    name: RepositoryName,
    digest: Digest,
    { artifactType }: { readonly artifactType?: string },
  ): Promise<readonly Descriptor[]> {
    this.asked.push({ what: "referrers", name, reference: { digest } });
    return Promise.resolve(
      this.referring.filter((it) => artifactType === undefined || it.artifactType === artifactType),
    );
  }

  repositories(page: PageRequest): Promise<Page> {
    return Promise.resolve(pageOf(this.repositoryNames, page));
  }
}

async function* nothing(): AsyncGenerator<Bytes, void, undefined> {}

function pageOf(all: readonly string[], { count, last }: PageRequest): Page {
  const left = all.filter((item) => last === undefined || item > last);
  return { items: left.slice(0, count), hasMore: left.length > count };
}

/** A listener over a {@link FakeReader}. */
export interface MirrorWorld extends AsyncDisposable {
  readonly server: RegistryServer;
  readonly reader: FakeReader;
  readonly store: BlobStore;
  readonly events: RegistryEvent[];
}

/** Starts a mirror of docker.io, ghcr.io and 127.0.0.1:5000. */
export async function startMirror(
  options: Partial<RegistryServerOptions> = {},
): Promise<MirrorWorld> {
  const store = options.store ?? new MemoryBlobStore({ clock: systemClock });
  const reader = new FakeReader(store);
  const events: RegistryEvent[] = [];
  const mirrored = new Set(["docker.io", "ghcr.io", "127.0.0.1:5000"]);
  const server = await RegistryServer.start({
    port: 0,
    clock: systemClock,
    random: systemRandom,
    reader,
    naming: "mirror",
    mirrorOptions: {
      defaultRegistry: "docker.io",
      isMirrored: (registry) => mirrored.has(registry) || registry === "seedmint.local",
    },
    onServed: (event) => events.push(event),
    ...options,
    store,
  });
  return {
    server,
    reader,
    store,
    events,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      if (options.store === undefined) await store[Symbol.asyncDispose]();
    },
  };
}

/** A push registry over memory. */
export interface PushWorld extends AsyncDisposable {
  readonly server: RegistryServer;
  readonly store: BlobStore;
}

/** Starts a push registry. */
export async function startPush(
  options: Partial<RegistryServerOptions> = {},
): Promise<PushWorld> {
  const stack = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "seedmint-push-" });
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  const store = stack.use(new MemoryBlobStore({ clock: systemClock }));
  const index = stack.use(RegistryIndex.open({ path: ":memory:", clock: systemClock }));
  const local = stack.use(
    await LocalRegistry.open({
      store,
      index,
      directory,
      clock: systemClock,
      random: systemRandom,
    }),
  );
  const server = stack.use(
    await RegistryServer.start({
      port: 0,
      clock: systemClock,
      random: systemRandom,
      store,
      reader: local,
      writer: local,
      naming: "local",
      ...options,
    }),
  );
  return { server, store, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** One request. */
export interface Request {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Bytes | string;
  /** Sends the body in chunks of so many bytes. */
  readonly chunkBytes?: number;
}

/** Sends a request and reads the answer to its end. */
export async function ask(
  { server }: { readonly server: Pick<RegistryServer, "port"> },
  path: string,
  request: Request = {},
): Promise<RawAnswer> {
  const { method = "GET" } = request;
  return readAnswer(
    await exchangeRaw(server.port, requestBytes(server.port, path, request)),
    method,
  );
}

/** The bytes of a request. */
export function requestBytes(port: number, path: string, request: Request = {}): Bytes {
  const { method = "GET", headers = {}, body, chunkBytes } = request;
  const content = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const lines = Object.entries({
    host: `127.0.0.1:${port}`,
    connection: "close",
    ...(content === undefined
      ? {}
      : chunkBytes === undefined
      ? { "content-length": `${content.length}` }
      : { "transfer-encoding": "chunked" }),
    ...headers,
  }).filter(([, value]) => value !== "").map(([name, value]) => `${name}: ${value}\r\n`);
  const head = new TextEncoder().encode(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const parts = content === undefined
    ? [head]
    : chunkBytes === undefined
    ? [head, content]
    : [head, ...chunks(content, chunkBytes)];
  return join(parts);
}

function chunks(content: Bytes, chunkBytes: number): Bytes[] {
  const encoder = new TextEncoder();
  const parts: Bytes[] = [];
  for (let at = 0; at < content.length; at += chunkBytes) {
    const chunk = content.subarray(at, at + chunkBytes);
    parts.push(encoder.encode(`${chunk.length.toString(16)}\r\n`), chunk, encoder.encode("\r\n"));
  }
  return [...parts, encoder.encode("0\r\n\r\n")];
}

export function join(parts: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** The digest of some bytes. */
export async function digestFor(bytes: Bytes): Promise<Digest> {
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return digestOf(sum.toHex() as Sha256);
}

/** The codes of an OCI error. */
export function codesOf({ text }: RawAnswer): string[] {
  const { errors } = JSON.parse(text) as { errors: { code: string }[] };
  return errors.map(({ code }) => code);
}

/** A manifest of so many bytes of nothing. */
export async function manifestOf(text: string): Promise<StoredManifest> {
  const bytes = new TextEncoder().encode(text);
  return { digest: await digestFor(bytes), mediaType: MANIFEST_TYPE, bytes };
}

/** Waits for what must happen soon. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    if (turn === 10_000) throw new Error(`waited in vain: ${what}`);
    await systemClock.sleep(1);
  }
}
