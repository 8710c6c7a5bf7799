import assert from "node:assert/strict";
import { systemClock } from "../../../../src/host/system.ts";
import { digestOfBytes } from "../../../../swarm/registry/manifest/mod.ts";
import { FastClock } from "../../../support/fast_clock.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { FakeRegistry, ranged } from "./fake_registry.ts";
import { FakeWeb, type Handler } from "./fake_web.ts";
import { bytesOf, clientOf, HOST, readAll, signal } from "./support.ts";

const BYTES = bytesOf(300_000);
const DIGEST = digestOfBytes(BYTES);
const ASK = { signal };
const CDN = "cdn.example";

function world() {
  const web = new FakeWeb();
  const registry = new FakeRegistry({ web, host: HOST, auth: "bearer", storageHost: CDN });
  registry.addBlob(BYTES);
  return { web, registry };
}

/** Waits of minutes take a second. */
const fast = () => new FastClock(Date.now(), 100);

function against(handler: Handler) {
  const web = new FakeWeb().host(HOST, handler);
  return { web, client: clientOf(web, { clock: fast() }) };
}

/** `bytes` whose connection breaks behind them. */
function broken(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let isSent = false;
  return new ReadableStream({
    pull(controller) {
      if (isSent) return controller.error(new TypeError("connection reset"));
      isSent = true;
      controller.enqueue(bytes);
    },
  }, { highWaterMark: 0 });
}

Deno.test("RegistryClient reads a blob and ranges of it, and goes straight to its storage again", async () => {
  const { web } = world();
  const origin = clientOf(web).blobOrigin("a/b", DIGEST);
  assert.equal(origin.id, `https://${HOST}/v2/a/b/blobs/${DIGEST}`);
  assert.deepEqual(await readAll(origin), BYTES);
  web.take();
  assert.deepEqual(await readAll(origin, { offset: 100_000 }), BYTES.slice(100_000));
  const range = { offset: 16_384, end: 32_768 };
  assert.deepEqual(await readAll(origin, range), BYTES.slice(16_384, 32_768));
  assert.deepEqual(web.seen.map(({ url, headers }) => [url.host, headers.get("range")]), [
    [CDN, "bytes=100000-"],
    [CDN, "bytes=16384-32767"],
  ]);
  assert.ok(web.seen.every(({ headers }) => headers.get("accept-encoding") === "identity"));
});

Deno.test("RegistryClient asks the registry again for a signed URL that ended", async () => {
  const { web, registry } = world();
  const clock = new ManualClock();
  const origin = clientOf(web, { clock }).blobOrigin("a/b", DIGEST);
  assert.deepEqual(await readAll(origin), BYTES);
  registry.expireLocations();
  web.take();
  assert.deepEqual(await readAll(origin, { offset: 9 }), BYTES.slice(9));
  assert.deepEqual(web.seen.map(({ url }) => url.host), [CDN, HOST, CDN]);
  // It is not asked there at all once it is old.
  await clock.advance(60_000);
  web.take();
  await readAll(origin);
  assert.equal(web.seen[0]!.url.host, "auth.example");
});

Deno.test("RegistryClient goes on with a blob that breaks, where it broke", async () => {
  let count = 0;
  const web = new FakeWeb();
  web.host(HOST, () => Response.redirect(`https://${CDN}/blob`, 307));
  web.host(CDN, (request) => {
    const whole = ranged(request, BYTES, { etag: '"one"' });
    if (++count > 3) return whole;
    const start = Number(/(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
    return new Response(broken(BYTES.slice(start, start + 50_000)), whole);
  });
  const origin = clientOf(web, { clock: fast() }).blobOrigin("a/b", DIGEST);
  assert.deepEqual(await readAll(origin), BYTES);
  const asked = web.seen.filter(({ url }) => url.host !== HOST)
    .map(({ headers }) => [headers.get("range"), headers.get("if-range")]);
  assert.deepEqual(asked, [
    [null, null],
    ["bytes=50000-", '"one"'],
    ["bytes=100000-", '"one"'],
    ["bytes=150000-", '"one"'],
  ]);
});

Deno.test("RegistryClient sends a validator to nobody but the host that gave it", async () => {
  let signed = 0;
  const web = new FakeWeb();
  const hosts = [CDN, "cdn2.example"];
  for (const [index, host] of hosts.entries()) {
    web.host(host, (request) => {
      const isOld = new URL(request.url).searchParams.get("signed") !== `${signed}`;
      if (isOld) return new Response(null, { status: 403 });
      const whole = ranged(request, BYTES, { etag: `"${index}"` });
      if (signed > 1) return whole;
      // What was signed for ends while it is read.
      signed++;
      return new Response(broken(BYTES.slice(0, 50_000)), whole);
    });
  }
  web.host(HOST, () => {
    if (signed === 0) signed = 1;
    return Response.redirect(`https://${hosts[signed - 1]}/blob?signed=${signed}`, 307);
  });
  const origin = clientOf(web, { clock: fast() }).blobOrigin("a/b", DIGEST);
  assert.deepEqual(await readAll(origin), BYTES);
  const last = web.seen.at(-1)!;
  assert.deepEqual(
    [last.url.host, last.headers.get("range"), last.headers.get("if-range")],
    ["cdn2.example", "bytes=50000-", null],
  );
});

Deno.test("RegistryClient reads on when a host answers a range with all of it", async () => {
  const { client } = against(() => new Response(BYTES));
  const origin = client.blobOrigin("a/b", DIGEST);
  assert.deepEqual(await readAll(origin, { offset: 1000, end: 2000 }), BYTES.slice(1000, 2000));
});

Deno.test("RegistryClient tries storage again that has a blob not yet, and says what it answered", async () => {
  const { web, registry } = world();
  let count = 0;
  registry.storageFault = () => ++count < 3 ? new Response(null, { status: 404 }) : undefined;
  const client = clientOf(web, { clock: fast() });
  assert.deepEqual(await readAll(client.blobOrigin("a/b", DIGEST)), BYTES);
  registry.storageFault = () => new Response(null, { status: 403 });
  await assert.rejects(readAll(client.blobOrigin("a/b", DIGEST)), {
    code: "unavailable",
    message: /cdn\.example, which it sends us to, answered 403$/,
  });
});

Deno.test("RegistryClient says of a blob that it is missing, denied or limited", async () => {
  const cases: readonly [number, string, string][] = [
    [404, "missing", "not-found"],
    [401, "denied", "denied"],
    [403, "denied", "denied"],
    [429, "limited", "busy"],
  ];
  for (const [status, meaning, code] of cases) {
    const { client } = against(() => new Response(null, { status }));
    assert.deepEqual(await client.blobSize("a/b", DIGEST, ASK), { status: meaning });
    await assert.rejects(readAll(client.blobOrigin("a/b", DIGEST)), { code });
  }
});

Deno.test("RegistryClient asks for no blob while the registry wants none, and waits a little for it", async () => {
  let isLimited = true;
  const { web, client } = against((request) => {
    if (!isLimited) return ranged(request, BYTES);
    isLimited = false;
    return new Response(null, { status: 429, headers: { "retry-after": "5" } });
  });
  const origin = client.blobOrigin("a/b", DIGEST);
  const started = systemClock.monotonicMs();
  assert.deepEqual(await readAll(origin), BYTES);
  assert.ok(systemClock.monotonicMs() - started >= 45, "five seconds, a hundred times as fast");
  assert.equal(web.seen.length, 2);
});

Deno.test("RegistryClient learns a size where HEAD is forbidden, refused by storage, or without it", async () => {
  const found = { status: "found", size: 300_000 };
  const { web, registry } = world();
  registry.storageFault = (request) =>
    request.method === "HEAD" ? new Response(null, { status: 403 }) : undefined;
  assert.deepEqual(await clientOf(web).blobSize("a/b", DIGEST, ASK), found);
  const head = (answer: Response | undefined): Handler => (request) =>
    request.method === "HEAD" && answer !== undefined ? answer : ranged(request, BYTES);
  for (const answer of [new Response(null, { status: 405 }), new Response(), undefined]) {
    assert.deepEqual(await against(head(answer)).client.blobSize("a/b", DIGEST, ASK), found);
  }
  const empty = against((request) =>
    request.method === "HEAD" ? new Response() : ranged(request, new Uint8Array())
  );
  assert.deepEqual(await empty.client.blobSize("a/b", DIGEST, ASK), { status: "found", size: 0 });
  const silent = against(() => new Response(new ReadableStream()));
  await assert.rejects(silent.client.blobSize("a/b", DIGEST, ASK), { code: "protocol" });
  const huge = against(() => new Response(null, { headers: { "content-length": "9".repeat(15) } }));
  await assert.rejects(huge.client.blobSize("a/b", DIGEST, ASK), { code: "protocol" });
});

Deno.test("RegistryClient notices a blob that stalls, and one that grows", async () => {
  let count = 0;
  const { client } = against((request) => {
    const whole = ranged(request, BYTES);
    if (++count > 1) return whole;
    const stalls = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => controller.enqueue(BYTES.slice(0, 1000)),
    });
    return new Response(stalls, whole);
  });
  assert.deepEqual(await readAll(client.blobOrigin("a/b", DIGEST)), BYTES);
  assert.equal(count, 2);
  let size = 1000;
  const grows = against(() =>
    new Response(broken(BYTES.slice(0, 100)), { headers: { "content-length": `${size++}` } })
  );
  await assert.rejects(readAll(grows.client.blobOrigin("a/b", DIGEST)), { code: "reset" });
});

Deno.test("RegistryClient ends a blob's connection when its reader does", async () => {
  let isCancelled = false;
  const { client } = against(() =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => {
          isCancelled = true;
        },
      }),
    )
  );
  const { body } = await client.blobOrigin("a/b", DIGEST).open({ offset: 0, signal });
  const reader = body.getReader();
  await reader.read();
  await reader.cancel();
  assert.ok(isCancelled);
});
