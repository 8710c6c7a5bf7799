import assert from "node:assert/strict";
import { inspect } from "node:util";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/host/system.ts";
import { RESPONSE_BYTES_MAX } from "../../../wallet/mint/limits.ts";
import { MintRefusal } from "../../../wallet/mint/mint_api.ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";
import { withoutSecrets } from "../../../wallet/mint/response.ts";
import {
  type MintRequest,
  Transport,
  type TransportOptions,
} from "../../../wallet/mint/transport.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { type Answer, ScriptedMint } from "./scripted_mint.ts";

const SWAP = { method: "POST", path: "/v1/swap", body: '{ "exactly":  ["this"] }' } as const;

async function sendTo(answer: Answer, options: Partial<TransportOptions> = {}, deadlineMs = 5000) {
  await using mint = new ScriptedMint();
  mint.on("/v1/swap", answer);
  const transport = new Transport({ url: mint.url, clock: systemClock, ...options });
  const outcome = await transport.send(SWAP, { deadlineMs });
  return { outcome, requests: mint.requests, transport };
}

Deno.test("Transport sends exactly the text it is given, and shows each request first", async () => {
  const shown: MintRequest[] = [];
  const { outcome, requests } = await sendTo(() => Response.json({ signatures: [] }), {
    onRequest: (request) => shown.push(request),
  });
  assert.deepEqual(outcome, { kind: "answered", body: { signatures: [] } });
  assert.deepEqual(requests, [SWAP]);
  assert.deepEqual(shown, [SWAP]);
});

Deno.test("Transport takes only a typed 4xx answer for a refusal", async () => {
  const typed = await sendTo(() =>
    Response.json({ code: 11001, detail: "spent" }, { status: 400 })
  );
  assert.deepEqual(typed.outcome, { kind: "refused", code: 11001, detail: "spent" });
  const others: Answer[] = [
    () => new Response("<html>Bad Gateway</html>", { status: 502 }),
    () => new Response("<html>hello</html>", { status: 200 }),
    () => new Response("", { status: 200 }),
    () => new Response('{"signatures":[', { status: 200 }),
    () => Response.json({ code: 11001, detail: "spent" }, { status: 500 }),
    () => Response.json({ detail: "validation" }, { status: 422 }),
    () => Response.json({ code: "11001" }, { status: 400 }),
    () => Response.json({ code: 1.5, detail: "" }, { status: 400 }),
    () => new Response("missing", { status: 404 }),
    () => Response.json({ ok: true }, { status: 201 }),
  ];
  for (const answer of others) {
    const { outcome } = await sendTo(answer);
    assert.equal(outcome.kind, "unknown");
  }
});

Deno.test("Transport follows no redirect", async () => {
  const { outcome, requests } = await sendTo(() =>
    new Response(null, { status: 307, headers: { location: "/v1/elsewhere" } })
  );
  assert.equal(outcome.kind, "unknown");
  assert.equal(requests.length, 1);
});

Deno.test("Transport stops reading an answer that is too large, announced or not", async () => {
  const piece = new Uint8Array(64 * 1024).fill(32);
  let pieceCount = 0;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if (++pieceCount > 1000) controller.close();
        else controller.enqueue(piece);
      },
    });
  const streamed = await sendTo(() => new Response(endless()));
  assert.match(JSON.stringify(streamed.outcome), /larger than 1048576 bytes/);
  assert.ok(pieceCount < 200, `${pieceCount} pieces were made`);
  const announced = await sendTo(() => new Response(" ".repeat(RESPONSE_BYTES_MAX + 1)));
  assert.match(JSON.stringify(announced.outcome), /larger than/);
});

Deno.test("Transport ends at its deadline, while it waits and while it reads", async () => {
  const never = () =>
    new Response(
      new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array([32])) }),
    );
  const reading = await sendTo(never, {}, 100);
  assert.deepEqual(reading.outcome, { kind: "unknown", why: "no answer within 100 ms" });
  const { promise, resolve } = Promise.withResolvers<Response>();
  const timer = setTimeout(() => resolve(new Response("{}")), 400);
  const waiting = await sendTo(() => promise, {}, 50);
  clearTimeout(timer);
  resolve(new Response("{}"));
  assert.deepEqual(waiting.outcome, { kind: "unknown", why: "no answer within 50 ms" });
});

Deno.test("Transport leaves a mint alone for as long as Retry-After says", async () => {
  await using mint = new ScriptedMint();
  const clock = new ManualClock();
  let untilMs: number | undefined;
  const cooldown = { load: () => untilMs, save: (ms: number) => void (untilMs = ms) };
  const transport = new Transport({ url: mint.url, clock, cooldown });
  mint.on(
    "/v1/swap",
    () => new Response("slow down", { status: 429, headers: { "retry-after": "7" } }),
  );
  const limited = await transport.send(SWAP, { deadlineMs: 5000 });
  assert.deepEqual(limited, { kind: "limited", retryAfterMs: 7000 });
  assert.equal(untilMs, clock.nowMs() + 7000);
  const again = await transport.send(SWAP, { deadlineMs: 5000 });
  assert.deepEqual(again, { kind: "limited", retryAfterMs: 7000 });
  assert.equal(mint.requests.length, 1, "nothing is sent while it cools down");
  const ask = transport.ask({ method: "GET", path: "/v1/info" }, { deadlineMs: 5000 });
  await assert.rejects(ask, (error) => isSeedmintError(error, "unavailable") && error.retryable);
  // A transport that is made anew knows it from the disk.
  assert.equal(new Transport({ url: mint.url, clock, cooldown }).cooldownMs(), 7000);
  await clock.advance(7000);
  mint.json("/v1/swap", {});
  assert.equal((await transport.send(SWAP, { deadlineMs: 5000 })).kind, "answered");
});

Deno.test("Transport waits longer each time that 429 comes without Retry-After", async () => {
  await using mint = new ScriptedMint();
  const clock = new ManualClock();
  let untilMs: number | undefined;
  const cooldown = { load: () => untilMs, save: (ms: number) => void (untilMs = ms) };
  const transport = new Transport({ url: mint.url, clock, cooldown });
  mint.on("/v1/swap", () => new Response(null, { status: 429 }));
  const waits: number[] = [];
  for (let count = 0; count < 4; count++) {
    const outcome = await transport.send(SWAP, { deadlineMs: 5000 });
    assert.ok(outcome.kind === "limited");
    waits.push(outcome.retryAfterMs);
    await clock.advance(outcome.retryAfterMs);
  }
  assert.deepEqual(waits, [3000, 61_000, 122_000, 244_000]);
});

Deno.test("Transport hammers no mint that does not answer", async () => {
  const clock = new ManualClock();
  let tryCount = 0;
  const transport = new Transport({
    url: parseMintUrl("http://127.0.0.1:1"),
    clock,
    fetch: () => {
      tryCount++;
      return Promise.reject(new TypeError("connection refused"));
    },
  });
  for (let count = 0; count < 100; count++) await transport.send(SWAP, { deadlineMs: 1000 });
  assert.equal(tryCount, 3);
  assert.equal(transport.health.online, false);
  await clock.advance(500);
  await transport.send(SWAP, { deadlineMs: 1000 });
  assert.equal(tryCount, 4);
  assert.equal(transport.cooldownMs(), 1000);
});

Deno.test("Transport asks no name that leads into a private network", async () => {
  let fetchCount = 0;
  const fetch = () => {
    fetchCount++;
    return Promise.resolve(Response.json({}));
  };
  const url = parseMintUrl("https://mint.example");
  const resolveTo = (...addresses: string[]) =>
    new Transport({ url, clock: systemClock, fetch, resolve: () => Promise.resolve(addresses) })
      .send(SWAP, { deadlineMs: 1000 });
  assert.equal((await resolveTo("93.184.216.34", "10.0.0.1")).kind, "unknown");
  assert.equal((await resolveTo("127.0.0.1")).kind, "unknown");
  assert.equal((await resolveTo("::ffff:192.168.1.1")).kind, "unknown");
  assert.equal(fetchCount, 0);
  assert.equal((await resolveTo("93.184.216.34")).kind, "answered");
  const stuck = new Transport({
    url,
    clock: systemClock,
    fetch,
    resolve: () => new Promise(() => {}),
  });
  assert.deepEqual(await stuck.send(SWAP, { deadlineMs: 50 }), {
    kind: "unknown",
    why: "no answer within 50 ms",
  });
});

Deno.test("Transport tells neither quote ids nor tokens in its errors", async () => {
  const secret = "9c1d185f0f2b4b7e8a65b3a1b7f1f0aa";
  await using mint = new ScriptedMint();
  const path = `/v1/mint/quote/bolt11/${secret}`;
  const transport = new Transport({ url: mint.url, clock: systemClock });
  const errors: Error[] = [];
  const collect = async () => {
    const ask = transport.ask({ method: "GET", path }, { deadlineMs: 200 });
    errors.push(await ask.then(() => new Error("it answered"), (error: Error) => error));
  };
  mint.json(path, { code: 20001, detail: `quote ${secret} is not paid` }, 400);
  await collect();
  assert.ok(errors[0] instanceof MintRefusal);
  mint.on(path, () => new Response(secret, { status: 500 }));
  await collect();
  mint.on(path, () => new Response(null, { status: 302, headers: { location: `/${secret}` } }));
  await collect();
  for (const error of errors) {
    assert.doesNotMatch(inspect(error), /9c1d185f/, "the whole error, causes included");
  }
  assert.equal(withoutSecrets("Proof cashuBpGFtdmh0dHBzOi8vbS5l spent"), "Proof … spent");
});

Deno.test("Transport reports a request that its caller cancelled as unknown, not as a failure", async () => {
  await using mint = new ScriptedMint();
  const { promise, resolve } = Promise.withResolvers<Response>();
  mint.on("/v1/swap", () => promise);
  const transport = new Transport({ url: mint.url, clock: systemClock });
  const controller = new AbortController();
  const sending = transport.send(SWAP, { deadlineMs: 5000, signal: controller.signal });
  while (mint.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort();
  assert.deepEqual(await sending, { kind: "unknown", why: "it was cancelled" });
  assert.equal(transport.health.online, undefined);
  resolve(Response.json({}));
});
