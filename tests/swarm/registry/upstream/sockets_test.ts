/** The same client over real connections: what a fetch in memory cannot get wrong. */
import assert from "node:assert/strict";
import { systemClock } from "../../../../src/host/system.ts";
import { digestOfBytes } from "../../../../swarm/registry/manifest/mod.ts";
import { RegistryClient } from "../../../../swarm/registry/upstream/mod.ts";
import { FakeRegistry, OCI_MANIFEST } from "./fake_registry.ts";
import { FakeWeb, type Handler } from "./fake_web.ts";
import { bytesOf, credentialsOf, manifestOf, readAll, signal } from "./support.ts";

const ASK = { signal };
const LOGIN = "robot:s3cret-password";
const LARGE = bytesOf(9_000_000);
const DIGEST = digestOfBytes(LARGE);

/** A host of a web in memory behind a port of this machine. */
class Port implements AsyncDisposable {
  readonly host: string;
  handler: Handler = () => new Response(null, { status: 500 });
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      onListen: () => {},
      onError: () => new Response(null, { status: 500 }),
    }, (request) => this.handler(request));
    this.host = `127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** A registry, its token server and its storage, each at a port. */
class World implements AsyncDisposable {
  readonly web = new FakeWeb();
  readonly ports = [new Port(), new Port(), new Port()] as const;
  readonly registry: FakeRegistry;

  constructor() {
    const [host, tokenHost, storageHost] = this.ports.map((port) => port.host);
    this.registry = new FakeRegistry({
      web: this.web,
      host: host!,
      scheme: "http",
      auth: "bearer",
      tokenHost: tokenHost!,
      storageHost: storageHost!,
    });
    for (const port of this.ports) port.handler = (request) => this.web.answer(request);
  }

  async client(): Promise<RegistryClient> {
    const [{ host }] = this.ports;
    const auths = { [host]: { auth: btoa(LOGIN) } };
    return new RegistryClient({
      registry: host,
      url: `http://${host}`,
      credentials: await credentialsOf({ auths }),
      clock: systemClock,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const port of this.ports) await port[Symbol.asyncDispose]();
  }
}

Deno.test("RegistryClient pulls from a registry with tokens and storage elsewhere", async () => {
  await using world = new World();
  const { registry } = world;
  registry.addManifest("private/web", manifestOf(), "latest");
  registry.addBlob(LARGE);
  const client = await world.client();
  const found = await client.manifest("private/web", { tag: "latest" }, ASK);
  assert.ok(found.status === "found" && found.mediaType === OCI_MANIFEST);
  const { etag } = found;
  const again = await client.manifest("private/web", { tag: "latest" }, { signal, etag: etag! });
  assert.equal(again.status, "unchanged");
  const head = await client.manifest("private/web", { tag: "latest" }, { signal, isHead: true });
  assert.ok(head.status === "found" && head.digest === found.digest);
  assert.deepEqual(await client.blobSize("private/web", DIGEST, ASK), {
    status: "found",
    size: LARGE.length,
  });
  const origin = client.blobOrigin("private/web", DIGEST);
  assert.equal(digestOfBytes(await readAll(origin)), DIGEST);
  assert.deepEqual(await readAll(origin, { offset: LARGE.length - 5 }), LARGE.slice(-5));
  assert.deepEqual(await client.tags("private/web", { count: 5 }, ASK), {
    items: ["latest"],
    hasMore: false,
  });
  assert.ok(!world.web.told(world.ports[2].host, "token-"));
});

Deno.test("RegistryClient goes on with a blob whose connection is cut", async () => {
  await using world = new World();
  const { registry } = world;
  registry.addBlob(LARGE);
  let cutCount = 0;
  registry.storageFault = (request) => {
    if (cutCount++ >= 2) return undefined;
    const start = Number(/(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull(controller) {
        controller.enqueue(LARGE.slice(start, start + 1_000_000));
        controller.error(new Error("cut"));
      },
    });
    const range = `bytes ${start}-${LARGE.length - 1}/${LARGE.length}`;
    return new Response(body, {
      status: start === 0 ? 200 : 206,
      headers: start === 0 ? { "content-length": `${LARGE.length}` } : { "content-range": range },
    });
  };
  const client = await world.client();
  assert.equal(digestOfBytes(await readAll(client.blobOrigin("a/b", DIGEST))), DIGEST);
  assert.ok(cutCount > 2);
});

Deno.test("RegistryClient pushes an image: small and large blobs, and its manifest", async () => {
  await using world = new World();
  const { registry } = world;
  const client = await world.client();
  for (const bytes of [bytesOf(1000), LARGE]) {
    const digest = digestOfBytes(bytes);
    const pushed = await client.pushBlob("a/b", {
      digest,
      size: bytes.length,
      async *read({ start, end }) {
        for (let at = start; at < end; at += 262_144) {
          yield await Promise.resolve(bytes.slice(at, Math.min(end, at + 262_144)));
        }
      },
    }, ASK);
    assert.equal(pushed, "uploaded");
    assert.equal(digestOfBytes(registry.blobs.get(digest)!), digest);
  }
  const bytes = new TextEncoder().encode(JSON.stringify(manifestOf()));
  await client.pushManifest("a/b", { tag: "v1" }, { mediaType: OCI_MANIFEST, bytes }, ASK);
  assert.equal(registry.tags.get("a/b:v1"), digestOfBytes(bytes));
});

Deno.test("RegistryClient goes on with a large push that the registry refuses half way", async () => {
  await using world = new World();
  const { registry } = world;
  let isRefused = false;
  registry.fault = async (request) => {
    if (request.method !== "PATCH" || isRefused) return undefined;
    isRefused = true;
    const reader = request.body!.getReader();
    await reader.read();
    await reader.cancel();
    return new Response(null, { status: 413 });
  };
  const client = await world.client();
  let isEnded = false;
  const pushed = await client.pushBlob("a/b", {
    digest: DIGEST,
    size: LARGE.length,
    async *read({ start, end }) {
      try {
        for (let at = start; at < end; at += 262_144) {
          yield await Promise.resolve(LARGE.slice(at, Math.min(end, at + 262_144)));
        }
      } finally {
        isEnded = true;
      }
    },
  }, ASK);
  assert.equal(pushed, "uploaded");
  assert.ok(isRefused && isEnded);
  assert.equal(digestOfBytes(registry.blobs.get(DIGEST)!), DIGEST);
});

Deno.test("RegistryClient says that nobody listens", async () => {
  let host: string;
  {
    await using port = new Port();
    host = port.host;
  }
  const client = new RegistryClient({ registry: host, url: `http://${host}`, clock: systemClock });
  await assert.rejects(client.manifest("a/b", { tag: "x" }, ASK), {
    code: "unavailable",
    message: /refused/,
  });
});
