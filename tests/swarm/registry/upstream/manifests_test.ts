import assert from "node:assert/strict";
import { digestOfBytes } from "../../../../swarm/registry/manifest/mod.ts";
import type { Digest } from "../../../../swarm/registry/names.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { FakeRegistry, OCI_MANIFEST } from "./fake_registry.ts";
import { FakeWeb, type Handler } from "./fake_web.ts";
import { clientOf, HOST, manifestOf, signal } from "./support.ts";

const LATEST = { tag: "latest" };
const ASK = { signal };
const BYTES = new TextEncoder().encode(JSON.stringify(manifestOf()));
const DIGEST = digestOfBytes(BYTES);
const OTHER = digestOfBytes(new Uint8Array(1));

function world() {
  const web = new FakeWeb();
  const registry = new FakeRegistry({ web, host: HOST });
  registry.addManifest("a/b", manifestOf(), "latest");
  return { web, registry };
}

/** A client of a registry that answers everything with `handler`. */
function against(handler: Handler, clock?: ManualClock) {
  const web = new FakeWeb().host(HOST, handler);
  return { web, client: clientOf(web, clock === undefined ? {} : { clock }) };
}

function answer(headers: Record<string, string> = {}, body: BodyInit | null = BYTES): Handler {
  return () => new Response(body, { headers: { "content-type": OCI_MANIFEST, ...headers } });
}

Deno.test("RegistryClient reads a manifest by tag and by digest, byte for byte", async () => {
  const client = clientOf(world().web);
  const found = await client.manifest("a/b", LATEST, ASK);
  assert.deepEqual(found, {
    status: "found",
    digest: DIGEST,
    mediaType: OCI_MANIFEST,
    bytes: BYTES,
    etag: `"${DIGEST}"`,
  });
  assert.deepEqual(await client.manifest("a/b", { digest: DIGEST }, ASK), found);
  assert.deepEqual(await client.manifest("a/b", { tag: "none" }, ASK), { status: "missing" });
  assert.deepEqual(await client.manifest("a/b", { digest: OTHER }, ASK), { status: "missing" });
});

Deno.test("RegistryClient asks Docker Hub where its registry is, and others where they are configured", async () => {
  const web = new FakeWeb();
  new FakeRegistry({ web, host: "registry-1.docker.io" })
    .addManifest("library/nginx", manifestOf(), "latest");
  new FakeRegistry({ web, host: "127.0.0.1:5000", scheme: "http" });
  const hub = clientOf(web, { registry: "index.docker.io" });
  assert.equal(hub.registry, "docker.io");
  assert.equal((await hub.manifest("library/nginx", LATEST, ASK)).status, "found");
  const local = clientOf(web, { registry: "quay.io", url: "http://127.0.0.1:5000/proxy/" });
  assert.equal((await local.manifest("a/b", LATEST, ASK)).status, "missing");
  assert.equal(web.seen.at(-1)!.url.href, "http://127.0.0.1:5000/proxy/v2/a/b/manifests/latest");
});

Deno.test("RegistryClient is made for no URL with a login, a query, or no HTTP", () => {
  for (
    const url of ["https://u:p@a.example", "https://a.example?x", "ftp://a.example", "a.example"]
  ) {
    assert.throws(() => clientOf(new FakeWeb(), { url }), (error: Error) => {
      assert.ok(error instanceof SyntaxError);
      assert.ok(!error.message.includes(url));
      return true;
    });
  }
  assert.throws(() => clientOf(new FakeWeb(), { registry: "a b" }), SyntaxError);
});

Deno.test("RegistryClient lets nothing but names into a URL", async () => {
  const { web } = world();
  const client = clientOf(web);
  for (const repository of ["../x", "a/../b", "a//b", "A/b", "a/b?x=", "a%2fb", ""]) {
    await assert.rejects(client.manifest(repository, LATEST, ASK), RangeError);
    assert.throws(() => client.blobOrigin(repository, DIGEST), RangeError);
  }
  await assert.rejects(client.manifest("a/b", { tag: "../../x" }, ASK), RangeError);
  const digest = "sha256:../../x" as Digest;
  await assert.rejects(client.manifest("a/b", { digest }, ASK), RangeError);
  await assert.rejects(client.blobSize("a/b", digest, ASK), RangeError);
  assert.deepEqual(web.take(), []);
});

Deno.test("RegistryClient says `unchanged` for an ETag that still holds, by 304 or by the digest", async () => {
  const { web } = world();
  const client = clientOf(web);
  const etag = `"${DIGEST}"`;
  assert.deepEqual(await client.manifest("a/b", LATEST, { signal, etag }), { status: "unchanged" });
  const head = { signal, etag, isHead: true };
  assert.deepEqual(await client.manifest("a/b", LATEST, head), { status: "unchanged" });
  const deaf = against(answer({ "docker-content-digest": DIGEST, etag: '"mine"' })).client;
  for (const known of [etag, '"mine"']) {
    const options = { signal, etag: known };
    assert.deepEqual(await deaf.manifest("a/b", LATEST, options), { status: "unchanged" });
  }
  assert.equal((await deaf.manifest("a/b", LATEST, { signal, etag: '"old"' })).status, "found");
  // What is no ETag is not sent, and a 304 to a question without one means nothing.
  const sent = await client.manifest("a/b", LATEST, { signal, etag: "x\r\ny: z" });
  assert.equal(sent.status, "found");
  const odd = against(() => new Response(null, { status: 304 })).client;
  await assert.rejects(odd.manifest("a/b", LATEST, ASK), { code: "protocol" });
});

Deno.test("RegistryClient learns a digest by HEAD, and by GET where HEAD leaves it out", async () => {
  const { web } = world();
  const head = { signal, isHead: true };
  const found = await clientOf(web).manifest("a/b", LATEST, head);
  const wanted = {
    status: "found",
    digest: DIGEST,
    mediaType: OCI_MANIFEST,
    bytes: new Uint8Array(),
    etag: `"${DIGEST}"`,
  };
  assert.deepEqual(found, wanted);
  assert.deepEqual(web.take(), [`HEAD ${HOST}/v2/a/b/manifests/latest`]);
  const terse = against((request) =>
    new Response(request.method === "HEAD" ? null : BYTES, {
      headers: { "content-type": OCI_MANIFEST },
    })
  );
  assert.deepEqual(await terse.client.manifest("a/b", LATEST, head), wanted);
  const headless = against((request) =>
    request.method === "HEAD"
      ? new Response(null, { status: 405 })
      : new Response(BYTES, { headers: { "content-type": OCI_MANIFEST } })
  );
  assert.deepEqual(await headless.client.manifest("a/b", LATEST, head), wanted);
  const liar = against(answer({ "docker-content-digest": OTHER }, null)).client;
  await assert.rejects(liar.manifest("a/b", { digest: DIGEST }, head), { code: "protocol" });
});

Deno.test("RegistryClient takes no manifest whose bytes are not those of its digest", async () => {
  const wrong = against(answer({}, "{}")).client;
  await assert.rejects(wrong.manifest("a/b", { digest: DIGEST }, ASK), { code: "protocol" });
  const two = against(answer({ "docker-content-digest": OTHER })).client;
  await assert.rejects(two.manifest("a/b", LATEST, ASK), { code: "protocol" });
  const unknown = against(answer({ "docker-content-digest": "sha512:abc" })).client;
  const found = await unknown.manifest("a/b", LATEST, ASK);
  assert.equal(found.status === "found" && found.digest, DIGEST);
});

Deno.test("RegistryClient reads no more of a manifest than one may have", async () => {
  const said = against(answer({ "content-length": "4194305" }, "{}")).client;
  await assert.rejects(said.manifest("a/b", LATEST, ASK), { code: "protocol", message: /4194305/ });
  let count = 0;
  const endless = against(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          count++;
          controller.enqueue(new Uint8Array(65_536));
        },
      }),
    )
  ).client;
  await assert.rejects(endless.manifest("a/b", LATEST, ASK), { code: "protocol" });
  assert.ok(count < 80, `${count} pieces of 64 KiB were read`);
});

Deno.test("RegistryClient takes the type that a manifest says of itself where its header says none", async () => {
  for (const type of ["application/json; charset=utf-8", "text/plain", "", "nonsense"]) {
    const found = await against(answer({ "content-type": type })).client.manifest(
      "a/b",
      LATEST,
      ASK,
    );
    assert.equal(found.status === "found" && found.mediaType, OCI_MANIFEST, type);
  }
  const page = against(answer({ "content-type": "text/plain" }, "<html>")).client;
  await assert.rejects(page.manifest("a/b", LATEST, ASK), { code: "protocol" });
});

Deno.test("RegistryClient tells what a status means, and asks a second time only what broke", async () => {
  const cases: readonly [number, string, number][] = [
    [401, "denied", 1],
    [403, "denied", 1],
    [404, "missing", 1],
    [410, "missing", 1],
    [429, "limited", 1],
    [400, "protocol", 1],
    [500, "unavailable", 2],
    [502, "unavailable", 2],
    [503, "unavailable", 2],
  ];
  for (const [status, meaning, count] of cases) {
    const { web, client } = against(() => new Response(null, { status }));
    const said = await client.manifest("a/b", LATEST, ASK)
      .then((found) => found.status, (error) => error.code);
    assert.deepEqual([status, said, web.seen.length], [status, meaning, count]);
  }
  let count = 0;
  const flaky = against(() => {
    if (++count === 1) throw new TypeError("connection reset");
    return new Response(BYTES, { headers: { "content-type": OCI_MANIFEST } });
  });
  assert.equal((await flaky.client.manifest("a/b", LATEST, ASK)).status, "found");
});

Deno.test("RegistryClient gives up on a head and on a body that do not come", async () => {
  const clock = new ManualClock();
  const never = against(() => new Promise<Response>(() => {}), clock).client;
  const asked = assert.rejects(never.manifest("a/b", LATEST, ASK), {
    code: "timeout",
    retryable: true,
    message: /no answer within 8000 ms/,
  });
  await clock.advance(8_000);
  await asked;
  const stalled = against(() =>
    new Response(
      new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) }),
    ), clock).client;
  const read = assert.rejects(stalled.manifest("a/b", LATEST, ASK), { code: "timeout" });
  await clock.advance(5_000);
  await read;
  // A byte now and then keeps it alive only until the deadline of all.
  const drip = against(() =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          await clock.sleep(4_000);
          controller.enqueue(new Uint8Array(1));
        },
      }),
    ), clock).client;
  const dripped = assert.rejects(drip.manifest("a/b", LATEST, ASK), {
    code: "timeout",
    message: /20000 ms/,
  });
  await clock.advance(20_000);
  await dripped;
  await clock.advance(4_000);
  assert.equal(clock.timerCount, 0);
});

Deno.test("RegistryClient ends at once when its caller does", async () => {
  const clock = new ManualClock();
  const never = against(() => new Promise<Response>(() => {}), clock).client;
  const abort = new AbortController();
  const asked = never.manifest("a/b", LATEST, { signal: abort.signal });
  abort.abort();
  await assert.rejects(asked, { code: "aborted" });
  await assert.rejects(never.manifest("a/b", LATEST, { signal: abort.signal }), {
    code: "aborted",
  });
  assert.equal(clock.timerCount, 0);
});

Deno.test("RegistryClient shows no URL in an error of a connection", async () => {
  const { client } = against(() => {
    throw new TypeError("error sending request for url (https://cdn.example/x?signature=s3cret)");
  });
  await assert.rejects(client.manifest("a/b", LATEST, ASK), (error: Error) => {
    assert.ok(!error.message.includes("s3cret"), error.message);
    return true;
  });
});

Deno.test("RegistryClient asks nothing before a limit ends, and says what it knows of limits", async () => {
  const clock = new ManualClock();
  const { web, registry } = world();
  const client = clientOf(web, { clock });
  const blob = registry.addBlob(new Uint8Array(5));
  registry.fault = (_request, url) => {
    const headers = { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=21600" };
    return url.pathname.includes("/manifests/")
      ? new Response(null, { status: 429, headers: { ...headers, "retry-after": "90" } })
      : undefined;
  };
  assert.deepEqual(client.limits(), { registry: HOST, limitedMs: {}, limitedCount: 0 });
  const limited = await client.manifest("a/b", LATEST, ASK);
  assert.deepEqual(limited, { status: "limited", retryMs: 90_000 });
  assert.deepEqual(client.limits(), {
    registry: HOST,
    limit: 100,
    remaining: 0,
    windowMs: 21_600_000,
    observedMs: clock.nowMs(),
    limitedMs: { manifest: 90_000 },
    limitedCount: 1,
  });
  web.take();
  await clock.advance(89_000);
  assert.deepEqual(await client.manifest("a/b", LATEST, ASK), {
    status: "limited",
    retryMs: 1_000,
  });
  assert.deepEqual(web.take(), []);
  // Docker Hub limits manifests; blobs of an image that is being pulled still come.
  assert.deepEqual(await client.blobSize("a/b", blob, ASK), { status: "found", size: 5 });
  registry.fault = () => undefined;
  await clock.advance(1_000);
  assert.equal((await client.manifest("a/b", LATEST, ASK)).status, "found");
  assert.deepEqual(client.limits().limitedMs, {});
});

Deno.test("RegistryClient reads Retry-After as seconds or a date, with bounds", async () => {
  const clock = new ManualClock();
  const date = (ms: number) => new Date(clock.nowMs() + ms).toUTCString();
  const cases: readonly [number, Record<string, string>, number | "unavailable"][] = [
    [429, {}, 60_000],
    [429, { "retry-after": "soon" }, 60_000],
    [429, { "retry-after": "0" }, 1_000],
    [429, { "retry-after": "999999999" }, 86_400_000],
    [429, { "retry-after": date(30_000) }, 30_000],
    [429, { "retry-after": date(90_000), date: date(60_000) }, 30_000],
    [503, { "retry-after": "7" }, 7_000],
  ];
  for (const [status, headers, wanted] of cases) {
    const { client } = against(() => new Response(null, { status, headers }), clock);
    const found = await client.manifest("a/b", LATEST, ASK);
    assert.deepEqual(found, { status: "limited", retryMs: wanted });
  }
});
