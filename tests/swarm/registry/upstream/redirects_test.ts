import assert from "node:assert/strict";
import { digestOfBytes } from "../../../../swarm/registry/manifest/mod.ts";
import { FastClock } from "../../../support/fast_clock.ts";
import { FakeRegistry, ranged } from "./fake_registry.ts";
import { FakeWeb } from "./fake_web.ts";
import { bytesOf, clientOf, HOST, loginOf, readAll, signal } from "./support.ts";

const BYTES = bytesOf(1000);
const DIGEST = digestOfBytes(BYTES);
const LOGIN = "robot:s3cret-password";

/** A registry that sends all blobs to `location`, with Basic logins. */
function sends(location: string, name = HOST, addresses?: readonly string[]) {
  return new FakeWeb().host(
    name,
    (request) =>
      request.headers.has("authorization")
        ? new Response(null, { status: 307, headers: { location } })
        : new Response(null, { status: 401, headers: { "www-authenticate": "Basic realm=x" } }),
    addresses,
  );
}

Deno.test("RegistryClient follows a blob to its storage without its token", async () => {
  const web = new FakeWeb();
  const registry = new FakeRegistry({
    web,
    host: HOST,
    auth: "bearer",
    storageHost: "cdn.example",
  });
  registry.addBlob(BYTES);
  const client = clientOf(web, { credentials: await loginOf(LOGIN) });
  assert.deepEqual(await client.blobSize("private/web", DIGEST, { signal }), {
    status: "found",
    size: 1000,
  });
  assert.deepEqual(await readAll(client.blobOrigin("private/web", DIGEST)), BYTES);
  assert.ok(web.told(HOST, "Bearer token-1"));
  const storage = web.seen.filter(({ url }) => url.host === "cdn.example");
  assert.ok(storage.length >= 2);
  assert.ok(storage.every(({ headers }) => !headers.has("authorization")));
});

Deno.test("RegistryClient shows its login no more once a redirect left the registry", async () => {
  const web = sends("https://cdn.example/back");
  web.host("cdn.example", () => Response.redirect(`https://${HOST}/v2/secret/blobs/x`, 302));
  const client = clientOf(web, { credentials: await loginOf(LOGIN) });
  const size = await client.blobSize("a/b", DIGEST, { signal });
  assert.notEqual(size.status, "found");
  const back = web.seen.filter(({ url }) => url.pathname.startsWith("/v2/secret"));
  assert.ok(back.length > 0);
  assert.ok(back.every(({ headers }) => !headers.has("authorization")));
});

Deno.test("RegistryClient keeps its login for another path of the registry itself", async () => {
  const web = new FakeWeb().host(
    HOST,
    (request) =>
      !request.headers.has("authorization")
        ? new Response(null, { status: 401, headers: { "www-authenticate": "Basic realm=x" } })
        : request.url.endsWith("/elsewhere")
        ? ranged(request, BYTES)
        : new Response(null, { status: 308, headers: { location: "/elsewhere" } }),
  );
  const client = clientOf(web, { credentials: await loginOf(LOGIN) });
  assert.deepEqual(await readAll(client.blobOrigin("a/b", DIGEST)), BYTES);
});

Deno.test("RegistryClient of a public registry follows nothing to a private network or without TLS", async () => {
  const locations = [
    "http://cdn.example/blob",
    "https://127.0.0.1/blob",
    "https://localhost/blob",
    "https://localhost./blob",
    "https://10.0.0.1:8443/blob",
    "https://[::ffff:192.168.0.1]/blob",
    "https://[fd00::1]/blob",
    "https://169.254.169.254/latest/meta-data/iam",
    "https://0x7f.1/blob",
    "https://2130706433/blob",
    "https://router/blob",
    "https://nas.local/blob",
    "https://inner.example/blob",
    "https://nowhere.example/blob",
    "https://user:password@cdn.example/blob",
    "file:///etc/passwd",
    "data:text/plain,hello",
    `https://cdn.example/${"x".repeat(9000)}`,
  ];
  for (const location of locations) {
    const web = sends(location);
    for (const host of ["cdn.example", "127.0.0.1", "localhost", "router", "nas.local"]) {
      web.host(host, (request) => ranged(request, BYTES));
    }
    web.host("inner.example", (request) => ranged(request, BYTES), ["8.8.8.8", "10.0.0.1"]);
    web.host("localhost.", (request) => ranged(request, BYTES), ["127.0.0.1"]);
    const clock = new FastClock(Date.now(), 100);
    const client = clientOf(web, { clock, credentials: await loginOf(LOGIN) });
    await assert.rejects(
      readAll(client.blobOrigin("a/b", DIGEST)),
      (error: Error & { code: string }) => {
        const isNowhere = location.includes("nowhere");
        assert.match(error.code, isNowhere ? /^unavailable$/ : /^(denied|protocol)$/, location);
        assert.ok(!error.message.includes("password"));
        return true;
      },
    );
    await assert.rejects(client.blobSize("a/b", DIGEST, { signal }));
    assert.ok(web.seen.every(({ url }) => url.host === HOST), location);
  }
});

Deno.test("RegistryClient of a private registry follows it on its own network, and without TLS only if it has none", async () => {
  const run = async (registry: string, url: string, location: string, addresses?: string[]) => {
    const web = new FakeWeb();
    const sendsOn = () => new Response(null, { status: 307, headers: { location } });
    web.host(new URL(url).host, sendsOn, addresses);
    web.host(new URL(location).host, (request) => ranged(request, BYTES), ["10.0.0.9"]);
    return await readAll(clientOf(web, { registry, url }).blobOrigin("a/b", DIGEST))
      .then((bytes) => bytes.length, (error) => error.code);
  };
  const s3 = "http://127.0.0.1:9000/bucket";
  assert.equal(await run("127.0.0.1:5000", "http://127.0.0.1:5000", s3), 1000);
  assert.equal(
    await run("hub.corp.example", "https://hub.corp.example", s3, ["10.0.0.8"]),
    "denied",
  );
  const lan = ["10.0.0.8"];
  assert.equal(await run("hub.corp.example", "http://hub.corp.example", s3, lan), "denied");
  const tls = "https://s3.corp.example/bucket";
  assert.equal(await run("hub.corp.example", "https://hub.corp.example", tls, ["10.0.0.8"]), 1000);
  assert.equal(
    await run("hub.corp.example", "https://hub.corp.example", tls, ["8.8.8.8"]),
    "denied",
  );
});

Deno.test("RegistryClient follows five redirects, and no sixth", async () => {
  const chain = (count: number) => {
    const web = new FakeWeb();
    web.host(HOST, (request) => {
      const hop = Number(/hop(\d+)$/.exec(request.url)?.[1] ?? 0);
      return hop < count
        ? new Response(null, { status: 302, headers: { location: `/hop${hop + 1}` } })
        : ranged(request, BYTES);
    });
    return clientOf(web).blobSize("a/b", DIGEST, { signal });
  };
  assert.deepEqual(await chain(5), { status: "found", size: 1000 });
  await assert.rejects(chain(6), { code: "protocol", message: /more than 5 times/ });
});
