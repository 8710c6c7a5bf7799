import assert from "node:assert/strict";
import fc from "fast-check";
import { content } from "../provider/support.ts";
import { parseHead } from "../../../swarm/http/message.ts";
import { Refusal } from "../../../swarm/http/refusal.ts";
import { routeOf } from "../../../swarm/gateway/route.ts";
import { ask, connectFrom, exchangeRaw, startWorld, tokenOf } from "./support.ts";

const encode = (text: string) => new TextEncoder().encode(text);

async function statusOf(port: number, request: string, from?: string): Promise<number> {
  const text = new TextDecoder("latin1").decode(await exchangeRaw(port, encode(request), from));
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);
}

async function withBlob(fields: Parameters<typeof startWorld>[0] = {}, isFree = true) {
  const world = await startWorld(fields);
  const { hash, sha256 } = await world.store.importBytes(content(500_000));
  if (isFree) world.seller.free.add(hash);
  return { world, hash, sha256: sha256!, path: `/blob/${hash}` };
}

Deno.test("Gateway leads no path anywhere but to hashes", async () => {
  const { world, hash } = await withBlob();
  await using _ = world;
  const paths = [
    "/../../etc/passwd",
    `/blob/../blob/${hash}`,
    `/blob/${hash}/../../x`,
    `/blob/${hash}%00`,
    `/blob/${hash.toUpperCase()}`,
    `//blob/${hash}`,
    `/%62lob/${hash}`,
    `/blob/%2e%2e%2f${hash}`,
    "/./upload/..",
    "/upload/",
  ];
  for (const path of paths) {
    const status = await statusOf(
      world.gateway.port,
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    assert.ok(status === 404 || status === 400, `${path}: ${status}`);
  }
});

Deno.test("routeOf() throws nothing but refusals, and finds only well-formed names", () => {
  fc.assert(fc.property(fc.constantFrom("GET", "HEAD", "PUT"), fc.string(), (method, tail) => {
    try {
      const route = routeOf(method, `/${tail}`);
      if (route.route === "blob") assert.match(route.hash, /^[0-9a-f]{64}$/);
    } catch (error) {
      assert.ok(error instanceof Refusal);
    }
  }));
});

Deno.test("parseHead() throws nothing but refusals", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
    for (
      const head of [
        text,
        `GET / HTTP/1.1\r\nHost: a\r\n${text}`,
        `GET ${text} HTTP/1.1\r\nHost: a`,
      ]
    ) {
      try {
        parseHead(head);
      } catch (error) {
        assert.ok(error instanceof Refusal);
      }
    }
  }));
});

Deno.test("Gateway refuses heads that are too long, too many or ambiguous", async () => {
  const { world, path } = await withBlob();
  await using _ = world;
  const { port } = world.gateway;
  const get = `GET ${path} HTTP/1.1\r\nHost: a\r\n`;
  const cases: readonly (readonly [request: string, status: number])[] = [
    [`${get}X-Long: ${"x".repeat(40_000)}\r\n\r\n`, 431],
    [`${get}${"X-Many: 1\r\n".repeat(70)}\r\n`, 431],
    [`GET /${"x".repeat(5000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    [`${get}Host: b\r\n\r\n`, 400],
    [`${get}Range: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n`, 400],
    [`${get}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, 400],
    [`${get}Content-Length: +5\r\n\r\n`, 400],
    [`${get}X-Folded: a\r\n b\r\n\r\n`, 400],
    [`${get}Bad Name: a\r\n\r\n`, 400],
    [`GET ${path} HTTP/1.1\r\n\r\n`, 400],
    [`GET ${path} HTTP/2.0\r\nHost: a\r\n\r\n`, 505],
    [`GET http://evil.example${path} HTTP/1.1\r\nHost: a\r\n\r\n`, 400],
    [`get ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, 400],
    ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 400],
  ];
  for (const [request, status] of cases) {
    assert.equal(await statusOf(port, request), status, request.slice(0, 60));
  }
});

Deno.test("Gateway lets no request hide behind the body of another", async () => {
  const { world, path } = await withBlob();
  await using _ = world;
  const smuggled = `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const requests = [
    `POST /session HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${smuggled}`,
    `GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
  ];
  for (const request of requests) {
    const text = new TextDecoder("latin1")
      .decode(await exchangeRaw(world.gateway.port, encode(request)));
    assert.equal([...text.matchAll(/HTTP\/1\.1 /g)].length, 1, "one answer");
    assert.ok(!text.startsWith("HTTP/1.1 200"));
  }
});

Deno.test("Gateway drops who sends a head slowly, and who reads nothing", async () => {
  const { world, hash } = await withBlob({ limits: { headMs: 150, stallMs: 150, idleMs: 100 } });
  await using _ = world;
  const slow = await connectFrom(world.gateway.port, "127.0.0.1");
  const { promise: dropped, resolve } = Promise.withResolvers<void>();
  slow.on("error", () => {});
  slow.on("close", () => resolve());
  slow.resume();
  const drip = setInterval(() => slow.write("G"), 20);
  await dropped;
  clearInterval(drip);
  // Enough that no buffer between us takes all of it.
  const large = await world.store.importBytes(content(48 * 2 ** 20));
  world.seller.free.add(large.hash);
  const deaf = await connectFrom(world.gateway.port, "127.0.0.1");
  deaf.on("error", () => {});
  deaf.pause();
  deaf.write(`GET /blob/${large.hash} HTTP/1.1\r\nHost: a\r\n\r\n`);
  while (world.events.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(world.events[0]!.bytes < large.size);
  deaf.destroy();
  assert.equal((await ask(world, `/blob/${hash}`)).status, 200);
});

Deno.test("Gateway limits what one address takes, and leaves the rest to others", async () => {
  const { world, path } = await withBlob({
    limits: { requestsPerSecondPerAddress: 2, connectionsPerAddressMax: 3 },
  });
  await using _ = world;
  const statuses = [];
  for (let index = 0; index < 40; index++) {
    statuses.push((await ask(world, path, { method: "HEAD" })).status);
  }
  assert.ok(statuses.includes(429) && statuses[0] === 200);
  const refused = await ask(world, path);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal((await ask(world, path, { from: "127.0.0.2" })).status, 200);
  const open = await Promise.all([1, 2, 3].map(() => connectFrom(world.gateway.port, "127.0.0.3")));
  const answer = await exchangeRaw(world.gateway.port, encode("GET / HTTP/1.1\r\n"), "127.0.0.3")
    .catch(() => new Uint8Array(0));
  assert.equal(answer.length, 0, "the fourth connection is closed at once");
  for (const socket of open) socket.destroy();
});

Deno.test("Gateway holds the rate that the operator set", async () => {
  const { world, path } = await withBlob({ limits: { bytesPerSecondPerAddress: 1_000_000 } });
  await using _ = world;
  const startedMs = performance.now();
  assert.equal((await ask(world, path)).body.length, 500_000);
  assert.equal((await ask(world, path)).body.length, 500_000);
  assert.ok(performance.now() - startedMs > 500, "one MB at one MB/s, less what was saved up");
});

Deno.test("Gateway lets no page pay, whatever the browser tells of it", async () => {
  const { world, path, hash } = await withBlob({}, false);
  await using _ = world;
  const opened = await ask(world, "/session", {
    method: "POST",
    body: JSON.stringify({ blobs: [hash] }),
    headers: { "x-cashu": tokenOf(100) },
  });
  const bearer = { authorization: `Bearer ${JSON.parse(opened.text).session}` };
  const marks: readonly Record<string, string>[] = [
    { origin: "https://page.example" },
    { origin: "null" },
    { referer: "https://page.example/" },
    { "sec-fetch-site": "cross-site" },
    { "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0" },
  ];
  for (const mark of marks) {
    const paid = await ask(world, path, { headers: { ...mark, "x-cashu": tokenOf(100) } });
    assert.equal(paid.status, 403, JSON.stringify(mark));
    assert.equal((await ask(world, path, { headers: { ...mark, ...bearer } })).status, 402);
    const session = await ask(world, "/session", {
      method: "POST",
      body: JSON.stringify({ blobs: [hash] }),
      headers: { ...mark, "x-cashu": tokenOf(100) },
    });
    assert.equal(session.status, 403);
  }
  assert.equal(world.seller.payCount, 1);
  assert.equal(world.seller.books().usedMsat, 0);
});

Deno.test("Gateway gives no session to another address, and to no forger", async () => {
  const { world, path, hash } = await withBlob({}, false);
  await using _ = world;
  const opened = await ask(world, "/session", {
    method: "POST",
    body: JSON.stringify({ blobs: [hash] }),
    headers: { "x-cashu": tokenOf(100) },
  });
  const { session } = JSON.parse(opened.text);
  const stolen = { authorization: `Bearer ${session}` };
  const thief = await ask(world, path, { headers: stolen, from: "127.0.0.2" });
  assert.equal(thief.status, 401);
  assert.ok(!thief.text.includes(session));
  for (let at = 0; at < session.length; at += 7) {
    const flipped = session.slice(0, at) + (session[at] === "A" ? "B" : "A") +
      session.slice(at + 1);
    const answer = await ask(world, path, { headers: { authorization: `Bearer ${flipped}` } });
    assert.equal(answer.status, 401);
  }
  assert.equal((await ask(world, path, { headers: stolen })).status, 200);
});

Deno.test("Gateway believes X-Forwarded-For of its own proxies only", async () => {
  const { world, path } = await withBlob({
    proxies: ["127.0.0.2"],
    limits: { requestsPerSecondPerAddress: 1 },
  });
  await using _ = world;
  const flood = async (from: string) => {
    const statuses = new Set<number>();
    for (let index = 0; index < 8; index++) {
      const headers = { "x-forwarded-for": `10.0.0.1, 192.0.2.${index}` };
      statuses.add((await ask(world, path, { method: "HEAD", headers, from })).status);
    }
    return [...statuses];
  };
  assert.deepEqual(await flood("127.0.0.2"), [200], "eight clients behind one proxy");
  assert.deepEqual(await flood("127.0.0.3"), [200, 429], "one client that pretends to be eight");
});

Deno.test("Gateway costs a wallet nothing for floods of bad payments", async () => {
  const { world, path } = await withBlob({ limits: { paymentsPerSecondPerAddress: 1 } }, false);
  await using _ = world;
  const statuses = [];
  for (let index = 0; index < 20; index++) {
    const headers = { "x-cashu": tokenOf(100, { lock: "other" }) };
    statuses.push((await ask(world, path, { headers })).status);
  }
  assert.ok(world.seller.payCount <= 12, `${world.seller.payCount} reached the gate`);
  assert.ok(statuses.includes(429));
  assert.equal(world.seller.meterCount, 0);
});

Deno.test("Gateway ends at once, whatever is under way", async () => {
  const { world } = await withBlob();
  const large = await world.store.importBytes(content(32 * 2 ** 20));
  world.seller.free.add(large.hash);
  const reader = await connectFrom(world.gateway.port, "127.0.0.1");
  reader.on("error", () => {});
  reader.pause();
  reader.write(`GET /blob/${large.hash} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await connectFrom(world.gateway.port, "127.0.0.1").then((idle) => idle.on("error", () => {}));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const startedMs = performance.now();
  await world[Symbol.asyncDispose]();
  assert.ok(performance.now() - startedMs < 5000);
  reader.destroy();
});
