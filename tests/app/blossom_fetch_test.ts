import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fetchFromServers } from "../../src/app/lifecycle/blossom_fetch.ts";
import { parseSha256 } from "../../src/core/hash.ts";
import { systemClock } from "../../src/host/system.ts";
import { MemoryBlobStore } from "../../swarm/store/memory_store.ts";

Deno.test("no hint leads the cache to this machine or a private network, by address, name or DNS", async () => {
  let askedCount = 0;
  const bytes = new TextEncoder().encode("secret of a router");
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    askedCount++;
    return new Response(bytes);
  });
  const { port } = server.addr;
  await using store = new MemoryBlobStore({ clock: systemClock });
  const answers: Record<string, readonly string[]> = {
    "evil.example": ["127.0.0.1"],
    "half.example": ["93.184.215.14", "10.0.0.7"],
    "none.example": [],
  };
  const fetchBlob = fetchFromServers({ store, resolve: (host) => Promise.resolve(answers[host]!) });
  const sha256 = parseSha256(createHash("sha256").update(bytes).digest("hex"));
  const signal = AbortSignal.timeout(10_000);
  for (
    const host of [
      ...["127.0.0.1", "[::1]", "localhost", "10.0.0.7", "192.168.1.1", "[::ffff:127.0.0.1]"],
      ...["router", "nas.local", ...Object.keys(answers)],
    ]
  ) {
    const servers = [`http://${host}:${port}`];
    const found = await fetchBlob({ sha256, servers, authors: [], sizeMax: 1024, signal });
    assert.equal(found, false, host);
  }
  assert.equal(askedCount, 0);
  assert.equal(store.findBySha256(sha256), undefined);
});
