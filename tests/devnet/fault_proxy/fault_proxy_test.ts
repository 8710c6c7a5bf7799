import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { FaultProxy, type FaultRule } from "../../../devnet/fault_proxy/mod.ts";
import { systemClock } from "../../../src/host/system.ts";

/** A mint that counts: each answer tells how many requests came before. */
class Upstream implements AsyncDisposable {
  readonly bodies: string[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      if (request.headers.get("upgrade") === "websocket") {
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onmessage = (event) => socket.send(`echo ${event.data}`);
        return response;
      }
      return this.#answer(request);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  get count(): number {
    return this.bodies.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    this.bodies.push(await request.text());
    const { pathname, search } = new URL(request.url);
    const signatures = [{ amount: 1 }, { amount: 2 }, { amount: 4 }];
    return Response.json({ count: this.count, at: pathname + search, signatures });
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

async function post(url: string, body = "{}", signal?: AbortSignal): Promise<Answer> {
  const response = await fetch(url, { method: "POST", body, ...(signal ? { signal } : {}) });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function get(url: string): Promise<Record<string, unknown>> {
  return await (await fetch(url)).json();
}

async function world(): Promise<
  { readonly mint: Upstream; readonly proxy: FaultProxy } & AsyncDisposable
> {
  const mint = new Upstream();
  const proxy = await FaultProxy.start({ target: mint.url, clock: systemClock });
  return {
    mint,
    proxy,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await mint[Symbol.asyncDispose]();
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 400 && !condition(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(condition(), "it never came about");
}

Deno.test("FaultProxy passes requests and answers on as they are, and writes a log", async () => {
  await using w = await world();
  const answer = await post(`${w.proxy.url}/v1/swap?x=1`, '{"a": 1}');
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.text).at, "/v1/swap?x=1");
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.deepEqual(w.mint.bodies, ['{"a": 1}']);
  const [entry] = w.proxy.log;
  assert.deepEqual({ ...entry, atMs: 0 }, {
    index: 0,
    method: "POST",
    path: "/v1/swap",
    bodySha256: createHash("sha256").update('{"a": 1}').digest("hex"),
    atMs: 0,
    action: "pass",
    forwardCount: 1,
    status: 200,
  });
  const big = "x".repeat(300_000);
  await post(`${w.proxy.url}/v1/swap`, big);
  assert.equal(w.mint.bodies[1], big);
});

Deno.test("FaultProxy applies a rule to what matches it, after `skip`, `count` times", async () => {
  await using w = await world();
  w.proxy.fault({
    match: { method: "POST", path: "/v1/melt/*" },
    action: "status",
    status: 503,
    skip: 1,
    count: 2,
  });
  const statuses: number[] = [];
  for (let turn = 0; turn < 4; turn++) {
    statuses.push((await post(`${w.proxy.url}/v1/melt/bolt11`)).status);
  }
  assert.deepEqual(statuses, [200, 503, 503, 200]);
  assert.equal((await post(`${w.proxy.url}/v1/swap`)).status, 200);
  w.proxy.fault({ action: "status", status: 500, count: "always" });
  assert.equal((await post(`${w.proxy.url}/v1/swap`)).status, 500);
  assert.equal(w.proxy.ruleCount, 1);
  w.proxy.clear();
  assert.equal((await post(`${w.proxy.url}/v1/swap`)).status, 200);
});

Deno.test("FaultProxy drops and resets, before the mint gets it or after", async () => {
  const rules: readonly (readonly [FaultRule, number])[] = [
    [{ action: "drop-request" }, 0],
    [{ action: "drop-response" }, 1],
    [{ action: "reset" }, 1],
    [{ action: "reset", forward: false }, 0],
  ];
  for (const [rule, count] of rules) {
    await using w = await world();
    w.proxy.fault(rule);
    await assert.rejects(post(`${w.proxy.url}/v1/swap`), TypeError);
    assert.equal(w.mint.count, count, rule.action);
    assert.equal(w.proxy.log[0]?.forwardCount, count);
    assert.equal(w.proxy.log[0]?.status, undefined);
  }
});

Deno.test("FaultProxy lets the client wait in vain, before the mint gets it or after", async () => {
  for (const [action, count] of [["hang-request", 0], ["hang-response", 1]] as const) {
    await using w = await world();
    w.proxy.fault({ action });
    const asked = post(`${w.proxy.url}/v1/swap`, "{}", AbortSignal.timeout(100));
    await assert.rejects(asked, { name: "TimeoutError" });
    assert.equal(w.mint.count, count);
  }
});

Deno.test("FaultProxy delays; a delayed request reaches the mint when its client has given up", async () => {
  await using w = await world();
  w.proxy.fault({ action: "delay-request", ms: 150 });
  await assert.rejects(post(`${w.proxy.url}/v1/swap`, "late", AbortSignal.timeout(30)));
  assert.equal(w.mint.count, 0);
  await until(() => w.mint.count === 1);
  w.proxy.fault({ action: "delay-response", ms: 60 });
  const startMs = performance.now();
  assert.equal((await post(`${w.proxy.url}/v1/swap`)).status, 200);
  assert.ok(performance.now() - startMs >= 55);
});

Deno.test("FaultProxy duplicates: both reach the mint, and either answer comes back", async () => {
  await using w = await world();
  w.proxy.fault({ action: "duplicate" });
  assert.equal(JSON.parse((await post(`${w.proxy.url}/v1/swap`, "a")).text).count, 1);
  assert.deepEqual(w.mint.bodies, ["a", "a"]);
  w.proxy.fault({ action: "duplicate", answer: "last" });
  assert.equal(JSON.parse((await post(`${w.proxy.url}/v1/swap`, "b")).text).count, 4);
  w.proxy.fault({ action: "duplicate", ms: 20 });
  assert.equal(JSON.parse((await post(`${w.proxy.url}/v1/swap`, "c")).text).count, 5);
  await until(() => w.mint.count === 6);
});

Deno.test("FaultProxy.replay() sends a request of the log once more", async () => {
  await using w = await world();
  await post(`${w.proxy.url}/v1/melt/bolt11`, "again");
  const { status, text } = await w.proxy.replay(0);
  assert.equal(status, 200);
  assert.equal(JSON.parse(text).count, 2);
  assert.deepEqual(w.mint.bodies, ["again", "again"]);
  await assert.rejects(w.proxy.replay(7), RangeError);
});

Deno.test("FaultProxy cuts an answer short", async () => {
  await using w = await world();
  w.proxy.fault({ action: "truncate" });
  w.proxy.fault({ action: "truncate", bytes: 0 });
  for (let turn = 0; turn < 2; turn++) await assert.rejects(post(`${w.proxy.url}/v1/swap`));
  assert.equal(w.mint.count, 2);
});

Deno.test("FaultProxy lets the later request have its answer first", async () => {
  await using w = await world();
  w.proxy.fault({ action: "reorder" });
  const order: string[] = [];
  const first = post(`${w.proxy.url}/v1/swap`, "1").then(() => order.push("first"));
  await until(() => w.mint.count === 1);
  await post(`${w.proxy.url}/v1/swap`, "2").then(() => order.push("second"));
  await first;
  assert.deepEqual(order, ["second", "first"]);
  w.proxy.fault({ action: "reorder", ms: 20 });
  assert.equal((await post(`${w.proxy.url}/v1/swap`)).status, 200, "alone it waits its time only");
});

Deno.test("FaultProxy changes what an answer says", async () => {
  await using w = await world();
  w.proxy.fault({ action: "permute" });
  const permuted = JSON.parse((await post(`${w.proxy.url}/v1/swap`)).text);
  assert.deepEqual(permuted.signatures.map((one: { amount: number }) => one.amount), [4, 2, 1]);
  w.proxy.fault({ action: "merge", fields: { count: 99, fee_reserve: 5 } });
  const merged = JSON.parse((await post(`${w.proxy.url}/v1/swap`)).text);
  assert.deepEqual([merged.count, merged.fee_reserve, merged.at], [99, 5, "/v1/swap"]);
  const path = `${w.proxy.url}/v1/mint/quote/bolt11/abc`;
  assert.equal((await get(path)).count, 3);
  assert.equal((await get(path)).count, 4);
  w.proxy.fault({ action: "stale" });
  assert.equal((await get(path)).count, 3);
  assert.equal(w.mint.count, 4);
});

Deno.test("FaultProxy answers errors, pages for people, and nothing at all", async () => {
  await using w = await world();
  w.proxy.fault({ action: "status", status: 429, retryAfterS: 7 });
  const limited = await post(`${w.proxy.url}/v1/swap`);
  assert.deepEqual([limited.status, limited.headers.get("retry-after")], [429, "7"]);
  w.proxy.fault({ action: "status", status: 502, forward: true, body: "bad gateway" });
  const failed = await post(`${w.proxy.url}/v1/swap`);
  assert.deepEqual([failed.status, failed.text, w.mint.count], [502, "bad gateway", 1]);
  w.proxy.fault({ action: "html" });
  const page = await post(`${w.proxy.url}/v1/swap`);
  assert.deepEqual([page.status, page.headers.get("content-type"), w.mint.count], [
    200,
    "text/html",
    2,
  ]);
  assert.match(page.text, /<p>/);
  w.proxy.fault({ action: "empty", forward: false });
  const empty = await post(`${w.proxy.url}/v1/swap`);
  assert.deepEqual([empty.status, empty.text, w.mint.count], [200, "", 2]);
});

Deno.test("FaultProxy goes offline, comes back, and finds the mint at another place", async () => {
  await using w = await world();
  await using other = new Upstream();
  w.proxy.offline(true);
  await assert.rejects(post(`${w.proxy.url}/v1/swap`), TypeError);
  w.proxy.offline(false);
  w.proxy.setTarget(other.url);
  assert.equal((await post(`${w.proxy.url}/v1/swap`)).status, 200);
  assert.deepEqual([w.mint.count, other.count], [0, 1]);
  w.proxy.setTarget("http://127.0.0.1:1");
  await assert.rejects(post(`${w.proxy.url}/v1/swap`), TypeError);
});

Deno.test("FaultProxy passes WebSockets through, or drops them", async () => {
  await using w = await world();
  const url = `${w.proxy.url.replace("http", "ws")}/v1/ws`;
  const socket = new WebSocket(url);
  await new Promise((resolve) => socket.onopen = resolve);
  const heard = new Promise<unknown>((resolve) => socket.onmessage = ({ data }) => resolve(data));
  socket.send("hello");
  assert.equal(await heard, "echo hello");
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
  w.proxy.fault({ match: { path: "/v1/ws" }, action: "drop-request" });
  const refused = new WebSocket(url);
  await new Promise((resolve) => refused.onerror = resolve);
});

Deno.test("FaultProxy.fault() refuses a rule that makes no sense", async () => {
  await using w = await world();
  const wrong: unknown[] = [
    ...[null, {}, { action: "explode" }, { action: "delay-request" }, { action: "status" }],
    ...[{ action: "status", status: 99 }, { action: "merge" }, { action: "pass", count: 0 }],
    ...[{ action: "pass", skip: -1 }, { action: "pass", match: { host: "x" } }],
  ];
  for (const rule of wrong) assert.throws(() => w.proxy.fault(rule as FaultRule), TypeError);
});
