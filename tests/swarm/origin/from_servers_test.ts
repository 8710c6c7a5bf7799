import assert from "node:assert/strict";
import type { Sha256 } from "../../../src/core/hash.ts";
import { systemClock } from "../../../src/host/system.ts";
import { fetchFromServers, type FromServersOptions } from "../../../swarm/origin/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { content } from "../provider/support.ts";

const BYTES = content(50_000);
const SHA256 = new Uint8Array(await crypto.subtle.digest("SHA-256", BYTES)).toHex() as Sha256;

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "inner.example": ["10.0.0.1"],
  "half.example": ["93.184.215.14", "10.0.0.7"],
  "nowhere.example": [],
};

async function run(
  fields: Partial<FromServersOptions>,
  servers: readonly string[],
  more: { readonly authors?: readonly string[]; readonly size?: number } = {},
) {
  await using store = new MemoryBlobStore({ clock: systemClock });
  const requested: string[] = [];
  const fetchBlob = fetchFromServers({
    store,
    clock: systemClock,
    resolve: (hostname) => Promise.resolve(NAMES[hostname] ?? ["8.8.8.8"]),
    fetch: (input) => {
      requested.push(String(input));
      const { hostname } = new URL(String(input));
      if (hostname === "sends.example") {
        return Promise.resolve(
          new Response(null, { status: 302, headers: { location: "http://127.0.0.1:9/secret" } }),
        );
      }
      const bytes = hostname === "liar.example" ? content(50_000, 3) : BYTES;
      const isThere = hostname !== "empty.example";
      return Promise.resolve(new Response(isThere ? bytes : null, { status: isThere ? 200 : 404 }));
    },
    ...fields,
  });
  const isHere = await fetchBlob({
    sha256: SHA256,
    servers,
    authors: more.authors ?? [],
    ...(more.size === undefined ? {} : { size: more.size }),
    sizeMax: 2 ** 20,
    signal: new AbortController().signal,
  });
  assert.equal(store.findBySha256(SHA256)?.visibility, isHere ? "public" : undefined);
  return { isHere, requested };
}

Deno.test("fetchFromServers() tries one server after the other, and believes none", async () => {
  const servers = ["https://empty.example", "https://liar.example", "https://good.example"];
  const { isHere, requested } = await run({}, servers);
  assert.ok(isHere);
  assert.deepEqual(requested, servers.map((server) => `${server}/${SHA256}`));
  assert.equal((await run({}, servers.slice(0, 2))).isHere, false);
  assert.equal((await run({}, ["https://good.example"], { size: 40_000 })).isHere, false);
});

Deno.test("fetchFromServers() asks nothing of a private network, redirects included", async () => {
  const servers = [
    "http://127.0.0.1:8080",
    "http://[::1]",
    "http://169.254.169.254",
    "http://inner.example",
    "http://[::ffff:10.0.0.1]",
    "http://2130706433",
    "http://localhost:8080",
    "http://router",
    "http://nas.local",
    // All that a name leads to has to be public.
    "http://half.example",
    "http://nowhere.example",
  ];
  assert.deepEqual((await run({}, servers)).requested, []);
  const { isHere, requested } = await run({}, ["http://sends.example"]);
  assert.deepEqual([isHere, requested.length], [false, 1]);
  assert.equal((await run({ allowPrivate: true }, servers.slice(0, 1))).isHere, true);
});

Deno.test("fetchFromServers() asks servers of the authors last", async () => {
  const serversOf = () => Promise.resolve(["https://good.example"]);
  const authors = ["a".repeat(64)];
  const { isHere, requested } = await run({ serversOf }, ["https://empty.example"], { authors });
  assert.deepEqual([isHere, requested.length], [true, 2]);
  assert.equal((await run({}, [], { authors })).isHere, false);
});
