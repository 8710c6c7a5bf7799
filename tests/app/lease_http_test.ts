import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import { LeaseHttpServer } from "../../src/app/lifecycle/lease_http.ts";
import { HttpDesk, HttpLine } from "../../provisioning/http/mod.ts";
import type { Answer, Request } from "../../provisioning/wire/mod.ts";

const PROVIDER = "aa".repeat(32);

/** A server whose provider answers each request by its type. */
function open(answer: (request: Request) => Promise<Answer>) {
  const served: string[] = [];
  const urls: string[] = [];
  const desk = new HttpDesk({
    provider: { ask: (_owner, request) => answer(request) },
    publicKey: PROVIDER,
    secretKey: new Uint8Array(32).fill(9),
    urls,
    offer: () => undefined,
    clock: systemClock,
  });
  const server = new LeaseHttpServer({
    hostname: "127.0.0.1",
    port: 0,
    clock: systemClock,
    desk,
    onServed: ({ path, status }) => served.push(`${path} ${status}`),
  });
  urls.push(server.url);
  return { server, served };
}

const STOPPED: Answer = { type: "stop", lease: "container-1000", endedMs: 0 };

Deno.test("LeaseHttpServer answers a lessee's line over a real connection", async () => {
  const { server, served } = open((request) =>
    Promise.resolve({ ...STOPPED, ...request.requestId && { requestId: request.requestId } })
  );
  await using _ = server;
  const line = new HttpLine({
    secretKey: new Uint8Array(32).fill(8),
    clock: systemClock,
    random: systemRandom,
    resolve: () => Promise.resolve([]),
    allowPrivate: true,
  });
  const to = { provider: PROVIDER, isOurs: true, apiEndpoint: server.url };
  const request = { type: "stop", lease: "container-1000", requestId: "order-1" } as const;
  const { signal } = new AbortController();
  assert.deepEqual(await line.ask(to, request, { signal }), { ...STOPPED, requestId: "order-1" });
  assert.deepEqual(served, ["/requests 200"]);
});

Deno.test("LeaseHttpServer refuses bodies that are too long, and heads that are malformed", async () => {
  const { server, served } = open(() => Promise.resolve(STOPPED));
  await using _ = server;
  const large = await fetch(`${server.url}/pods/spawn`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: new Uint8Array(1_000_000),
  });
  assert.equal(large.status, 413);
  assert.equal((await large.json()).error_type, "invalid_request");
  const health = await fetch(`${server.url}/health`);
  assert.equal(health.headers.get("x-content-type-options"), "nosniff");
  assert.equal((await health.json()).status, "healthy");
  using connection = await Deno.connect({ port: server.port });
  await connection.write(new TextEncoder().encode("GET /health HTTP/1.1\r\nHost : x\r\n\r\n"));
  const buffer = new Uint8Array(64);
  const count = await connection.read(buffer);
  assert.match(new TextDecoder().decode(buffer.subarray(0, count ?? 0)), /^HTTP\/1\.1 400 /);
  const odd = await fetch(`${server.url}/${"secret".repeat(3)}`);
  await odd.body?.cancel();
  assert.deepEqual(served, ["/pods/spawn 413", "/health 200", "other 400", "other 404"]);
});
