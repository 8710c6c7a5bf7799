import assert from "node:assert/strict";
import type { ServerFetch } from "../../../swarm/gateway/mod.ts";
import { formatBlossomUri, Gateway, parseBlossomUri } from "../../../swarm/gateway/mod.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { content } from "../provider/support.ts";
import { ask, sha256Of, startWorld } from "./support.ts";

const BYTES = content(30_000);
const SHA256 = await sha256Of(BYTES);
const AUTHOR = "a".repeat(64);

async function withCache() {
  const asked: ServerFetch[] = [];
  const world = await startWorld({
    localCache: {
      uploads: true,
      fetchBySha256: async (request) => {
        asked.push(request);
        await systemClock.sleep(20);
        if (request.sha256 !== SHA256) return false;
        await world.store.importBytes(BYTES);
        return true;
      },
    },
  });
  return { world, asked };
}

Deno.test("the local cache follows hints for programs, once for all who ask", async () => {
  const { world, asked } = await withCache();
  await using _ = world;
  assert.equal((await ask(world, "/", { method: "HEAD" })).status, 200);
  assert.equal((await ask(world, `/${SHA256}`)).status, 404, "without hints nothing is fetched");
  const path = `/${SHA256}.bin?xs=cdn.example.com&xs=http://two.example&as=${AUTHOR}&sz=30000`;
  assert.equal((await ask(world, path, { method: "HEAD" })).status, 404, "HEAD fetches nothing");
  const answers = await Promise.all([1, 2, 3].map(() => ask(world, path)));
  for (const { status, body } of answers) assert.deepEqual([status, body], [200, BYTES]);
  assert.equal(asked.length, 1);
  const { servers, authors, size } = asked[0]!;
  assert.deepEqual(servers, [
    "https://cdn.example.com",
    "http://cdn.example.com",
    "http://two.example",
  ]);
  assert.deepEqual([authors, size], [[AUTHOR], 30_000]);
  assert.equal((await ask(world, `/${"0".repeat(64)}?xs=a.example`)).status, 404);
  assert.equal(world.seller.books().usedMsat, 0, "programs of this machine pay nothing");
});

Deno.test("the local cache fetches nothing for pages, and answers to no foreign name", async () => {
  const { world, asked } = await withCache();
  await using _ = world;
  const path = `/${SHA256}?xs=cdn.example.com`;
  const marks: readonly Record<string, string>[] = [
    { origin: "https://page.example" },
    { "sec-fetch-mode": "no-cors", "sec-fetch-site": "cross-site" },
    { referer: "https://page.example/" },
    { "user-agent": "Mozilla/5.0" },
    { "x-forwarded-for": "192.0.2.1" },
  ];
  for (const headers of marks) assert.equal((await ask(world, path, { headers })).status, 404);
  const rebound = await ask(world, path, { headers: { host: "page.example:24242" } });
  assert.equal(rebound.status, 421);
  assert.equal(asked.length, 0);
  const put = await ask(world, "/upload", {
    method: "PUT",
    body: BYTES,
    headers: { origin: "https://page.example" },
  });
  assert.equal(put.status, 403);
  assert.equal(world.store.usage().blobCount, 0);
  const preflight = await ask(world, path, {
    method: "OPTIONS",
    headers: { origin: "https://page.example", "access-control-request-private-network": "true" },
  });
  assert.equal(preflight.headers.get("access-control-allow-private-network"), "true");
});

Deno.test("the local cache takes uploads of programs without a signature, if it is told to", async () => {
  const { world } = await withCache();
  await using _ = world;
  const put = await ask(world, "/upload", { method: "PUT", body: BYTES });
  assert.equal(put.status, 201);
  assert.deepEqual((await ask(world, `/${SHA256}`)).body, BYTES);
  await using closed = await startWorld({ localCache: {} });
  assert.equal((await ask(closed, "/upload", { method: "PUT", body: BYTES })).status, 403);
});

Deno.test("a gateway that is no local cache ignores hints", async () => {
  await using world = await startWorld();
  assert.equal((await ask(world, `/${SHA256}?xs=cdn.example.com`)).status, 404);
});

Deno.test("Gateway.start() refuses a local cache for everyone, and a public URL that is none", async () => {
  const store = new MemoryBlobStore({ clock: systemClock });
  const base = { store, clock: systemClock, random: systemRandom, port: 0 };
  const start = (fields: object) => Gateway.start({ ...base, ...fields });
  await assert.rejects(start({ hostname: "0.0.0.0", localCache: {} }), { code: "usage" });
  for (
    const publicUrl of ["cdn.example.com", "ftp://x", "https://u@x.example", "https://x.example/p"]
  ) {
    await assert.rejects(start({ publicUrl }), { code: "usage" }, publicUrl);
  }
  await using taken = await start({});
  await assert.rejects(start({ port: taken.port }), { code: "unavailable" });
  await store[Symbol.asyncDispose]();
});

Deno.test("parseBlossomUri() reads what formatBlossomUri() writes, and the examples of BUD-10", () => {
  const hash = "b1674191a88ec5cdd733e4240a81803105dc412d6c6708d53ab94fc248f4f553";
  const text = `blossom:${hash}.pdf?xs=cdn.example.com&as=${AUTHOR}&sz=184292`;
  const uri = parseBlossomUri(text);
  assert.equal(uri.sha256, hash);
  assert.equal(uri.extension, "pdf");
  assert.deepEqual(uri.servers, ["https://cdn.example.com", "http://cdn.example.com"]);
  assert.deepEqual([uri.authors, uri.size], [[AUTHOR], 184_292]);
  const shown = { ...uri, servers: ["https://cdn.example.com", "http://two.example"] };
  assert.deepEqual(parseBlossomUri(formatBlossomUri(shown)).authors, [AUTHOR]);
  assert.match(formatBlossomUri(shown), /xs=cdn\.example\.com&xs=http%3A%2F%2Ftwo\.example/);
  assert.equal(parseBlossomUri(`blossom:${hash}`).extension, "bin");
  const older = parseBlossomUri(`blossom://cdn.example.com/${hash}`);
  assert.equal(older.servers[0], "https://cdn.example.com");
  for (const bad of ["", "blossom:", `blossom:${hash.toUpperCase()}.pdf`, `magnet:${hash}`]) {
    assert.throws(() => parseBlossomUri(bad), SyntaxError, bad);
  }
  const hostile = parseBlossomUri(
    `blossom:${hash}?xs=https://u:p@x.example&xs=file:///etc&xs=x.example/path&as=zz&sz=-1`,
  );
  assert.deepEqual([hostile.servers, hostile.authors, hostile.size], [[], [], undefined]);
});
