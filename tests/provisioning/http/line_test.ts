import assert from "node:assert/strict";
import {
  HttpFirstLine,
  HttpLine,
  type HttpLineOptions,
  type HttpReply,
} from "../../../provisioning/http/mod.ts";
import type {
  NamedRequest,
  ProviderAddress,
  ProviderLine,
} from "../../../provisioning/consumer/ports.ts";
import { nostrPublicKey } from "../../../src/nostr/mod.ts";
import { buildRequest, readRequest } from "../../../provisioning/wire/mod.ts";
import { PROVIDER_KEY } from "../../support/provisioning/lease_world.ts";
import { safeToken } from "../../support/provisioning/memory_till.ts";
import { BASE, CAROL, HttpWorld } from "./support.ts";

const TO: ProviderAddress = { provider: PROVIDER_KEY, isOurs: true, apiEndpoint: BASE };

const SPAWN: NamedRequest = {
  type: "spawn",
  requestId: "order-1",
  token: safeToken("t", 60),
  specId: "basic",
  image: "alpine:3",
  sshUsername: "root",
  sshPassword: "W9ZG2GIUOWiPkYID",
};

type Answering = (url: URL, init: RequestInit) => Promise<Response>;

function lineOf(world: HttpWorld, fetch: Answering, more: Partial<HttpLineOptions> = {}): HttpLine {
  return new HttpLine({
    secretKey: CAROL,
    clock: world.leases.clock,
    random: world.leases.random,
    resolve: () => Promise.resolve(["93.184.216.34"]),
    fetch: fetch as typeof globalThis.fetch,
    ...more,
  });
}

function responseOf({ status, members, headers }: HttpReply): Response {
  return new Response(JSON.stringify(members), {
    status,
    headers: headers.map(([name, value]) => [name, value] as [string, string]),
  });
}

/** The provider of `world`, as `fetch` finds it. */
function through(world: HttpWorld): Answering {
  return async (url, init) => {
    const headers = new Headers(init.headers);
    assert.equal(init.redirect, "manual");
    const reply = await world.desk.handle({
      method: init.method!,
      path: url.pathname,
      query: "",
      header: (name) => headers.get(name) ?? undefined,
      remote: "198.51.100.7",
      body: () => Promise.resolve(init.body as Uint8Array),
      signal: init.signal!,
    });
    return responseOf(reply);
  };
}

/** Lets time pass until there is an answer. */
async function settled<T>(world: HttpWorld, asking: Promise<T>): Promise<T> {
  let isDone = false;
  const done = asking.then(() => isDone = true, () => isDone = true);
  await world.leases.clock.settle();
  for (let step = 0; !isDone && step < 800; step++) await world.leases.clock.advance(1000);
  await done;
  return await asking;
}

const { signal } = new AbortController();

Deno.test("HttpLine asks as messages do, for every request", async () => {
  await using world = new HttpWorld();
  await world.start();
  const line = lineOf(world, through(world));
  const ask = (request: NamedRequest) => settled(world, line.ask(TO, request, { signal }));
  assert.equal((await ask({ type: "quote", requestId: "q", specId: "basic" })).type, "quote");
  const access = await ask(SPAWN);
  assert.equal(access.type === "access" && access.lease, "container-1000");
  assert.equal(access.requestId, "order-1");
  const lease = "container-1000";
  for (
    const [request, type] of [
      [{ type: "status", lease }, "status"],
      [{ type: "topup", lease, token: safeToken("u", 60) }, "topup"],
      [{ type: "exec", lease, command: ["true"], timeoutMs: 1000 }, "exec"],
      [{ type: "logs", lease, lineCount: 5 }, "logs"],
      [{ type: "leases" }, "leases"],
      [{ type: "stop", lease }, "stop"],
    ] as const
  ) {
    assert.equal((await ask({ ...request, requestId: `r-${type}` })).type, type);
  }
});

Deno.test("HttpLine asks again under the same id after broken connections, and pays once", async () => {
  await using world = new HttpWorld();
  await world.start();
  const inner = through(world);
  let count = 0;
  const signatures = new Set<string>();
  const line = lineOf(world, async (url, init) => {
    signatures.add(new Headers(init.headers).get("authorization")!);
    const response = await inner(url, init);
    // Each answer but the fifth is lost, in one way or another.
    switch (++count) {
      case 1:
        throw new TypeError("connection reset");
      case 2:
        return new Response("bad gateway", { status: 502 });
      case 3:
        return new Response('{"error_type":"rate_limited","message":"busy","details":null}', {
          status: 429,
        });
      case 4:
        return new Response(
          '{"error_type":"not_ready","message":"wait","details":null,"retry_ms":9}',
          { status: 503 },
        );
      default:
        return response;
    }
  });
  const answer = await settled(world, line.ask(TO, SPAWN, { signal }));
  assert.equal(answer.type, "access");
  assert.equal(count, 5);
  assert.equal(signatures.size, 5);
  assert.equal(world.leases.till.redeemed.size, 1);
  assert.equal(world.leases.backend.instances.size, 1);
});

Deno.test("HttpLine waits as long as it is told, for an image that is long on its way, too", async () => {
  await using world = new HttpWorld();
  await world.start();
  const dead = lineOf(world, () => Promise.reject(new TypeError("no route")));
  await assert.rejects(settled(world, dead.ask(TO, SPAWN, { signal })), { code: "unavailable" });
  const never = lineOf(
    world,
    (_url, init) =>
      new Promise((_, reject) =>
        init.signal!.addEventListener("abort", () => reject(init.signal!.reason))
      ),
  );
  await assert.rejects(
    settled(world, never.ask(TO, SPAWN, { signal, timeoutMs: 30_000 })),
    { code: "timeout" },
  );
  world.leases.answersSsh = false;
  const slow = lineOf(world, through(world));
  const answer = await settled(world, slow.ask(TO, SPAWN, { signal }));
  // A minute of waiting for SSH is more than one exchange.
  assert.equal(answer.type === "error" && answer.refund?.amountSat, 60);
});

Deno.test("HttpLine with onlyOutcome begins nothing that the provider never saw", async () => {
  await using world = new HttpWorld();
  await world.start();
  const line = lineOf(world, through(world));
  const ask = (onlyOutcome: boolean) =>
    settled(world, line.ask(TO, SPAWN, { signal, onlyOutcome }));
  const unseen = await ask(true);
  assert.equal(unseen.type === "error" && unseen.error, "invalid_request");
  assert.equal(world.leases.till.redeemed.size, 0);
});

Deno.test("HttpLine goes nowhere but to a public HTTPS address, whatever an offer says", async () => {
  await using world = new HttpWorld();
  let count = 0;
  const line = lineOf(world, () => {
    count++;
    return Promise.reject(new Error("asked"));
  }, {
    resolve: (host) => Promise.resolve([host === "inside.example" ? "10.0.0.1" : "93.184.216.34"]),
  });
  const endpoints = [
    "http://lend.example",
    "https://127.0.0.1",
    "https://localhost:8080",
    "https://10.1.2.3",
    "https://[::1]",
    "https://169.254.169.254/latest",
    "https://router.lan",
    "https://inside.example",
    "https://user:pass@lend.example",
    "https://lend.example/?x=",
    "ftp://lend.example",
    "nonsense",
    "",
  ];
  for (const apiEndpoint of endpoints) {
    await assert.rejects(
      line.ask({ ...TO, apiEndpoint }, SPAWN, { signal }),
      { code: "unavailable" },
      apiEndpoint,
    );
  }
  await assert.rejects(line.ask({ ...TO, isOurs: false }, SPAWN, { signal }), {
    code: "unavailable",
  });
  assert.equal(count, 0);
});

Deno.test("HttpLine takes no endless, foreign or unreadable answer", async () => {
  await using world = new HttpWorld();
  const cases: readonly (readonly [() => Response, string])[] = [
    [() => new Response("x".repeat(300_000)), "protocol"],
    [() => new Response("<html>"), "unavailable"],
    [
      () =>
        new Response('{"error_type":"denied","message":"no","details":null,"request_id":"other"}'),
      "protocol",
    ],
    [
      () => new Response(null, { status: 302, headers: { location: "https://evil.example" } }),
      "unavailable",
    ],
  ];
  for (const [answer, code] of cases) {
    const line = lineOf(world, () => Promise.resolve(answer()));
    await assert.rejects(settled(world, line.ask(TO, SPAWN, { signal })), { code });
  }
});

Deno.test("HttpFirstLine asks by messages where HTTP does not answer, under the same id", async () => {
  await using world = new HttpWorld();
  const one = await world.start();
  const asked: string[] = [];
  const messages: ProviderLine = {
    ask: (to, request) => {
      asked.push(`${request.type} ${request.requestId} ${to.apiEndpoint}`);
      const reading = readRequest(buildRequest(request));
      assert.ok(reading.ok);
      return one.provider.ask(nostrPublicKey(CAROL), reading.request);
    },
  };
  const inner = through(world);
  let isUp = true;
  const http = lineOf(world, async (url, init) => {
    const response = await inner(url, init);
    if (isUp) return response;
    throw new TypeError("the answer was lost");
  });
  const line = new HttpFirstLine({ http, messages });
  const quote = { type: "quote", requestId: "q" } as const;
  assert.equal((await settled(world, line.ask(TO, quote, { signal }))).type, "quote");
  assert.deepEqual(asked, []);
  isUp = false;
  const access = await settled(world, line.ask(TO, SPAWN, { signal }));
  assert.equal(access.type, "access");
  assert.deepEqual(asked, [`spawn order-1 ${BASE}`]);
  assert.equal(world.leases.till.redeemed.size, 1);
  await settled(world, line.ask({ provider: PROVIDER_KEY, isOurs: true }, quote, { signal }));
  assert.equal(asked.length, 2);
});
