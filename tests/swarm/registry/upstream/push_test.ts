import assert from "node:assert/strict";
import { concatBytes } from "../../../../src/core/bytes.ts";
import type { BlobPush } from "../../../../swarm/registry/upstream/mod.ts";
import { digestOfBytes } from "../../../../swarm/registry/manifest/mod.ts";
import { FastClock } from "../../../support/fast_clock.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import {
  FakeRegistry,
  type FakeRegistryOptions,
  OCI_INDEX,
  OCI_MANIFEST,
} from "./fake_registry.ts";
import { FakeWeb } from "./fake_web.ts";
import { bytesOf, clientOf, HOST, loginOf, manifestOf, signal } from "./support.ts";

const ASK = { signal };
const SMALL = bytesOf(1000);
const LARGE = bytesOf(6 * 2 ** 20);
const LOGIN = "robot:s3cret-password";

function world(options: Partial<FakeRegistryOptions> = {}) {
  const web = new FakeWeb();
  const registry = new FakeRegistry({ web, host: HOST, ...options });
  return { web, registry, client: clientOf(web, { clock: new FastClock(Date.now(), 100) }) };
}

/** Pushes what is in memory, noting what was read of it. */
function blobOf(bytes: Uint8Array<ArrayBuffer>) {
  const reads: string[] = [];
  const blob: BlobPush = {
    digest: digestOfBytes(bytes),
    size: bytes.length,
    async *read({ start, end }, signal) {
      reads.push(`${start}-${end}`);
      for (let at = start; at < end; at += 65_536) {
        signal.throwIfAborted();
        yield await Promise.resolve(bytes.slice(at, Math.min(end, at + 65_536)));
      }
    },
  };
  return { blob, reads };
}

function requestsOf(web: FakeWeb): string[] {
  return web.seen.map(({ method, url, headers }) =>
    [method, url.pathname.replace(/^\/v2\/a\/b\/blobs\//, ""), headers.get("content-range")]
      .filter(Boolean).join(" ")
  );
}

Deno.test("RegistryClient pushes a small blob in one request, and one that is there not at all", async () => {
  const { web, registry, client } = world();
  const { blob } = blobOf(SMALL);
  assert.equal(await client.pushBlob("a/b", blob, ASK), "uploaded");
  assert.deepEqual(registry.blobs.get(blob.digest), SMALL);
  assert.deepEqual(requestsOf(web), [
    `HEAD ${blob.digest}`,
    "POST uploads/",
    "PUT uploads/upload-0",
  ]);
  // What the registry wrote into the place stays, and the digest is added.
  assert.equal(
    web.seen[2]!.url.search,
    `?_state=a%3D%3D&digest=${encodeURIComponent(blob.digest)}`,
  );
  web.take();
  assert.equal(await client.pushBlob("a/b", blob, ASK), "present");
  assert.deepEqual(web.take(), [`HEAD ${HOST}/v2/a/b/blobs/${blob.digest}`]);
  const empty = blobOf(new Uint8Array());
  assert.equal(await client.pushBlob("a/b", empty.blob, ASK), "uploaded");
});

Deno.test("RegistryClient pushes a large blob as one stream, and tells how far it is", async () => {
  const { web, registry, client } = world();
  const { blob, reads } = blobOf(LARGE);
  const progress: number[] = [];
  const pushed = { ...blob, onProgress: (bytes: number) => progress.push(bytes) };
  assert.equal(await client.pushBlob("a/b", pushed, ASK), "uploaded");
  assert.deepEqual(registry.blobs.get(blob.digest), LARGE);
  assert.deepEqual(reads, [`0-${LARGE.length}`]);
  assert.deepEqual(progress, progress.toSorted((a, b) => a - b));
  assert.equal(progress.at(-1), LARGE.length);
  assert.deepEqual(requestsOf(web).slice(1), [
    "POST uploads/",
    "PATCH uploads/upload-0",
    "PUT uploads/upload-0",
  ]);
});

Deno.test("RegistryClient mounts a blob from another repository, and uploads it where that is not known", async () => {
  const { web, registry, client } = world();
  const { blob } = blobOf(LARGE);
  registry.addBlob(LARGE);
  // It is in the registry, only not in this repository.
  registry.fault = (request, url) =>
    request.method === "HEAD" && url.pathname.includes("/a/b/")
      ? new Response(null, { status: 404 })
      : undefined;
  assert.equal(await client.pushBlob("a/b", { ...blob, mountFrom: "c/d" }, ASK), "mounted");
  const { searchParams } = web.seen.at(-1)!.url;
  assert.deepEqual([...searchParams], [["mount", blob.digest], ["from", "c/d"]]);
  const other = blobOf(SMALL).blob;
  assert.equal(await client.pushBlob("a/b", { ...other, mountFrom: "c/d" }, ASK), "uploaded");
  await assert.rejects(client.pushBlob("a/b", { ...other, mountFrom: "../d" }, ASK), RangeError);
});

Deno.test("RegistryClient asks for both repositories' rights to mount", async () => {
  const { web, registry } = world({ auth: "bearer" });
  const client = clientOf(web, { credentials: await loginOf(LOGIN) });
  registry.addBlob(SMALL);
  registry.fault = (request) =>
    request.method === "HEAD" && request.headers.has("authorization")
      ? new Response(null, { status: 404 })
      : undefined;
  const blob = { ...blobOf(SMALL).blob, mountFrom: "c/d" };
  assert.equal(await client.pushBlob("a/b", blob, ASK), "mounted");
  const scopes = web.seen.filter(({ url }) => url.host === "auth.example")
    .map(({ url }) => url.searchParams.getAll("scope"));
  assert.deepEqual(scopes, [["repository:a/b:pull,push", "repository:c/d:pull"]]);
  assert.equal(
    await clientOf(web).pushBlob("a/b", blob, ASK).catch((error) => error.code),
    "denied",
  );
});

Deno.test("RegistryClient goes on with an upload in pieces from where it broke", async () => {
  const { web, registry, client } = world();
  const { blob, reads } = blobOf(LARGE);
  let isBroken = false;
  registry.fault = async (request, url) => {
    if (request.method !== "PATCH" || isBroken) return undefined;
    isBroken = true;
    const id = url.pathname.split("/").at(-1)!;
    const reader = request.body!.getReader();
    let have = new Uint8Array();
    while (have.length < 1_000_000) {
      have = concatBytes(have, (await reader.read()).value!);
    }
    registry.uploads.set(id, have);
    await reader.cancel();
    throw new TypeError("connection reset");
  };
  assert.equal(await client.pushBlob("a/b", blob, ASK), "uploaded");
  assert.deepEqual(registry.blobs.get(blob.digest), LARGE);
  const have = 16 * 65_536;
  assert.deepEqual(reads, [
    `0-${LARGE.length}`,
    `${have}-${have + 4 * 2 ** 20}`,
    `${have + 4 * 2 ** 20}-${LARGE.length}`,
  ]);
  assert.deepEqual(requestsOf(web).slice(2), [
    "PATCH uploads/upload-0",
    `HEAD ${blob.digest}`,
    "GET uploads/upload-0",
    `PATCH uploads/upload-0 ${have}-${have + 4 * 2 ** 20 - 1}`,
    `PATCH uploads/upload-0 ${have + 4 * 2 ** 20}-${LARGE.length - 1}`,
    "PUT uploads/upload-0",
  ]);
});

Deno.test("RegistryClient sends pieces to a registry that takes no large request, as large as it wants them", async () => {
  const { web, registry, client } = world();
  const { blob } = blobOf(LARGE);
  registry.fault = async (request) => {
    if (request.method !== "PATCH" || request.headers.has("content-range")) return undefined;
    await request.body!.cancel();
    return new Response(null, { status: 413 });
  };
  assert.equal(await client.pushBlob("a/b", blob, ASK), "uploaded");
  assert.deepEqual(requestsOf(web).filter((line) => line.startsWith("PATCH")), [
    "PATCH uploads/upload-0",
    `PATCH uploads/upload-0 0-${4 * 2 ** 20 - 1}`,
    `PATCH uploads/upload-0 ${4 * 2 ** 20}-${LARGE.length - 1}`,
  ]);
});

Deno.test("RegistryClient begins an upload again that a registry forgot", async () => {
  const { web, registry, client } = world();
  const { blob } = blobOf(SMALL);
  let count = 0;
  registry.fault = (request) => {
    if (request.method !== "PUT" || ++count > 1) return undefined;
    registry.uploads.clear();
    return new Response(null, { status: 502 });
  };
  assert.equal(await client.pushBlob("a/b", blob, ASK), "uploaded");
  assert.equal(requestsOf(web).filter((line) => line.startsWith("POST")).length, 2);
});

Deno.test("RegistryClient is done when a blob is there although its upload's answer was lost", async () => {
  const { web, registry, client } = world();
  const { blob } = blobOf(SMALL);
  registry.fault = (request) => {
    if (request.method !== "PUT") return undefined;
    registry.addBlob(SMALL);
    throw new TypeError("connection reset");
  };
  assert.equal(await client.pushBlob("a/b", blob, ASK), "uploaded");
  assert.equal(requestsOf(web).at(-1), `HEAD ${blob.digest}`);
});

Deno.test("RegistryClient gives a push up that gets nowhere, and says why one is refused", async () => {
  const { web, registry, client } = world();
  const { blob } = blobOf(SMALL);
  const run = () => client.pushBlob("a/b", blob, ASK);
  registry.fault = (request) =>
    request.method === "PUT" ? new Response(null, { status: 500 }) : undefined;
  await assert.rejects(run(), { code: "unavailable", message: /answered 500/ });
  assert.equal(requestsOf(web).filter((line) => line.startsWith("PUT")).length, 5);
  registry.fault = (request) =>
    request.method === "POST"
      ? Response.json({
        errors: [{ code: "NAME_INVALID", message: "s3cret" }, { code: "a b" }, null],
      }, { status: 400 })
      : undefined;
  await assert.rejects(run(), { code: "protocol", message: /answered 400 \(NAME_INVALID\)$/ });
  registry.fault = (request) =>
    request.method === "POST" ? new Response(null, { status: 403 }) : undefined;
  await assert.rejects(run(), { code: "denied", message: /log in to it/ });
  registry.fault = (request) =>
    request.method === "POST"
      ? new Response(null, { status: 429, headers: { "retry-after": "9" } })
      : undefined;
  await assert.rejects(run(), { code: "busy", message: /takes nothing for 9 s/ });
});

Deno.test("RegistryClient says that a registry found other bytes, or kept them under another digest", async () => {
  const { registry, client } = world();
  const lie = { ...blobOf(SMALL).blob, digest: digestOfBytes(LARGE) };
  await assert.rejects(client.pushBlob("a/b", lie, ASK), { code: "corrupt" });
  registry.fault = (request) =>
    request.method === "PUT"
      ? new Response(null, {
        status: 201,
        headers: { "docker-content-digest": digestOfBytes(LARGE) },
      })
      : undefined;
  await assert.rejects(client.pushBlob("a/b", blobOf(SMALL).blob, ASK), { code: "protocol" });
  const short = { ...blobOf(SMALL).blob, size: 2000 };
  await assert.rejects(client.pushBlob("a/b", short, ASK), { code: "storage" });
});

Deno.test("RegistryClient sends a blob to no upload place on a private network or without TLS", async () => {
  for (
    const location of ["http://store.example/up", "https://127.0.0.1/up", "https://10.0.0.1/up"]
  ) {
    const { web, registry, client } = world();
    registry.fault = (request) =>
      request.method === "POST"
        ? new Response(null, { status: 202, headers: { location } })
        : undefined;
    await assert.rejects(client.pushBlob("a/b", blobOf(SMALL).blob, ASK), { code: "denied" });
    assert.ok(web.seen.every(({ url }) => url.host === HOST));
  }
});

Deno.test("RegistryClient sends a blob to an upload place elsewhere without its token", async () => {
  const { web, registry } = world({ auth: "bearer" });
  const client = clientOf(web, { credentials: await loginOf(LOGIN) });
  web.host("store.example", () => new Response(null, { status: 201 }));
  registry.fault = (request) =>
    request.method === "POST" && request.headers.has("authorization")
      ? new Response(null, { status: 202, headers: { location: "https://store.example/up" } })
      : undefined;
  await client.pushBlob("a/b", blobOf(SMALL).blob, ASK);
  const put = web.seen.at(-1)!;
  assert.deepEqual([put.url.host, put.headers.get("authorization")], ["store.example", null]);
});

Deno.test("RegistryClient notices a registry that takes no more bytes", async () => {
  const clock = new ManualClock();
  const { web, registry } = world();
  registry.fault = (request) =>
    request.method === "PATCH" ? new Promise<Response>(() => {}) : undefined;
  const client = clientOf(web, { clock });
  const pushed = client.pushBlob("a/b", blobOf(LARGE).blob, ASK);
  const failed = assert.rejects(pushed, { code: "timeout" });
  for (let count = 0; count < 5; count++) await clock.advance(200_000);
  await failed;
  assert.equal(clock.timerCount, 0);
});

Deno.test("RegistryClient goes on with a push that is slow and never stops", async () => {
  const clock = new ManualClock();
  const { web, registry } = world();
  let requestCount = 0;
  registry.fault = async (request, url) => {
    if (request.method !== "PATCH") return undefined;
    requestCount++;
    let have = new Uint8Array();
    for await (const piece of request.body!) {
      if (have.length < 200_000) await clock.sleep(20_000);
      have = concatBytes(have, piece);
    }
    registry.uploads.set(url.pathname.split("/").at(-1)!, have);
    return new Response(null, { status: 202, headers: { location: url.href } });
  };
  const { blob } = blobOf(LARGE);
  const pushed = clientOf(web, { clock }).pushBlob("a/b", blob, ASK);
  for (let count = 0; count < 10; count++) await clock.advance(20_000);
  assert.equal(await pushed, "uploaded");
  assert.equal(requestCount, 1);
});

Deno.test("RegistryClient pushes a manifest under its tag or its digest", async () => {
  const { registry, client } = world();
  const bytes = new TextEncoder().encode(JSON.stringify(manifestOf()));
  const manifest = { mediaType: OCI_MANIFEST, bytes };
  const digest = digestOfBytes(bytes);
  assert.equal(await client.pushManifest("a/b", { tag: "v1" }, manifest, ASK), digest);
  assert.equal(registry.tags.get("a/b:v1"), digest);
  assert.equal(await client.pushManifest("a/b", { digest }, manifest, ASK), digest);
  const other = digestOfBytes(SMALL);
  await assert.rejects(client.pushManifest("a/b", { digest: other }, manifest, ASK), {
    code: "corrupt",
  });
  registry.fault = () =>
    Response.json({ errors: [{ code: "MANIFEST_BLOB_UNKNOWN" }] }, { status: 404 });
  await assert.rejects(client.pushManifest("a/b", { tag: "v1" }, manifest, ASK), {
    code: "not-found",
    message: /MANIFEST_BLOB_UNKNOWN/,
  });
});

Deno.test("RegistryClient tags what refers to a manifest where the registry does not list it", async () => {
  const { registry, client } = world();
  const subject = { mediaType: OCI_MANIFEST, digest: digestOfBytes(SMALL), size: 1000 };
  const push = (name: string) => {
    const content = { ...manifestOf(name), artifactType: "a/a", subject };
    const bytes = new TextEncoder().encode(JSON.stringify(content));
    return client.pushManifest("a/b", { digest: digestOfBytes(bytes) }, {
      mediaType: OCI_MANIFEST,
      bytes,
    }, ASK);
  };
  const listed = () => {
    const index = registry.tags.get(`a/b:${subject.digest.replace(":", "-")}`);
    const stored = registry.manifests.get(`a/b@${index}`);
    if (stored === undefined) return undefined;
    assert.equal(stored.mediaType, OCI_INDEX);
    const { manifests } = JSON.parse(new TextDecoder().decode(stored.bytes));
    return manifests.map((one: { digest: string }) => one.digest);
  };
  const one = await push("one");
  assert.deepEqual(listed(), [one]);
  const two = await push("two");
  assert.deepEqual(listed(), [one, two]);
  await push("two");
  assert.deepEqual(listed(), [one, two]);
  // A registry that knows says so, and nothing is tagged.
  registry.tags.clear();
  registry.fault = (request) =>
    request.method === "PUT"
      ? new Response(null, { status: 201, headers: { "oci-subject": subject.digest } })
      : undefined;
  await push("three");
  assert.equal(listed(), undefined);
});
