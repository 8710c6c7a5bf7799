import assert from "node:assert/strict";
import { ask, codesOf, manifestOf, startMirror, startPush } from "./support.ts";

Deno.test("RegistryServer does nothing for web pages", async () => {
  await using world = await startMirror();
  world.reader.manifests.set("1", await manifestOf("{}"));
  const pages: Record<string, string>[] = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "http://127.0.0.1:8080" },
    { referer: "https://evil.example/" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-origin" },
    // An image of a page without a referrer, over plain HTTP to an address of the network.
    { "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" },
    { "user-agent": "mozilla/5.0", "sec-fetch-site": "none" },
  ];
  for (const headers of pages) {
    const answer = await ask(world, "/v2/a/manifests/1", { headers });
    assert.equal(answer.status, 403, JSON.stringify(headers));
    assert.deepEqual(codesOf(answer), ["DENIED"]);
    assert.equal(answer.headers.get("access-control-allow-origin"), null);
  }
  assert.equal(world.reader.asked.length, 0);
  const typed = await ask(world, "/v2/a/manifests/1", { headers: { "sec-fetch-site": "none" } });
  assert.equal(typed.status, 200);
  const program = await ask(world, "/v2/a/manifests/1", {
    headers: { "user-agent": "containerd/2.0.0" },
  });
  assert.equal(program.status, 200);
});

Deno.test("RegistryServer takes no push from web pages", async () => {
  await using world = await startPush();
  const browser = { "user-agent": "Mozilla/5.0 (Windows NT 10.0)" };
  const paths = ["/v2/", "/v2/a/tags/list", "/v2/_catalog", `/images/${"0".repeat(64)}`];
  for (const path of paths) {
    assert.equal((await ask(world, path, { headers: browser })).status, 403, path);
  }
  const answer = await ask(world, "/v2/a/blobs/uploads/", {
    method: "POST",
    headers: { origin: "https://evil.example", "content-type": "text/plain" },
    body: "x",
  });
  assert.equal(answer.status, 403);
});

Deno.test("RegistryServer answers to its own names only", async () => {
  await using world = await startMirror({ hosts: ["Registry.Lan", "cache.lan:5055"] });
  world.reader.manifests.set("1", await manifestOf("{}"));
  const table: [host: string, status: number][] = [
    ["127.0.0.1:5055", 200],
    ["localhost", 200],
    ["[::1]:5055", 200],
    ["127.8.9.1", 200],
    ["registry.lan", 200],
    ["registry.lan:80", 200],
    ["cache.lan:5055", 200],
    ["cache.lan", 421],
    ["evil.example", 421],
    ["10.1.2.3", 421],
    ["127.0.0.1.evil.example", 421],
    ["127.0.0.1/evil", 421],
    ["me@127.0.0.1", 421],
    ["127.0.0.1:5055?", 421],
  ];
  for (const [host, status] of table) {
    const answer = await ask(world, "/v2/a/manifests/1", { headers: { host } });
    assert.equal(answer.status, status, host);
  }
});

Deno.test("a push registry has no names of other registries, and none of its own answer as theirs", async () => {
  await using world = await startPush();
  const { port } = world.server;
  const put = await ask(world, "/v2/library/nginx/manifests/latest", {
    method: "PUT",
    headers: { "content-type": "application/vnd.oci.image.index.v1+json" },
    body: JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [],
    }),
  });
  assert.equal(put.status, 201);
  const path = "/v2/library/nginx/manifests/latest";
  assert.equal((await ask(world, path)).status, 200);
  assert.equal((await ask(world, `${path}?ns=127.0.0.1:${port}`)).status, 200);
  assert.equal((await ask(world, `${path}?ns=seedmint.local`)).status, 200);
  for (const ns of ["docker.io", "ghcr.io", "x"]) {
    assert.equal((await ask(world, `${path}?ns=${ns}`)).status, 404, ns);
  }
  assert.equal((await ask(world, "/v2/docker.io/library/nginx/manifests/latest")).status, 404);
});

Deno.test("RegistryServer tells a client that begins TLS at once that there is none", async () => {
  await using world = await startPush();
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: world.server.port });
  await conn.write(Uint8Array.fromHex("160301020001000001fc0303"));
  const bytes = new Uint8Array(64);
  const count = await conn.read(bytes);
  assert.match(new TextDecoder().decode(bytes.subarray(0, count!)), /^HTTP\/1\.1 400 /);
});
