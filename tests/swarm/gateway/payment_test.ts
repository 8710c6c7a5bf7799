import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeCollection } from "../../../swarm/collection.ts";
import { content } from "../provider/support.ts";
import {
  ask,
  exchangeRaw,
  fakeRequests,
  FakeSeller,
  MINT,
  startWorld,
  tokenOf,
  type World,
} from "./support.ts";

const MIB = 2 ** 20;

async function withPriced(size = MIB) {
  const world = await startWorld();
  const bytes = content(size);
  const { hash, sha256 } = await world.store.importBytes(bytes);
  return { world, bytes, path: `/blob/${hash}`, hash, sha256: sha256! };
}

/** What a 402 asks. */
async function priceOf(world: World, path: string, headers: Record<string, string> = {}) {
  const answer = await ask(world, path, { headers });
  assert.equal(answer.status, 402);
  return JSON.parse(answer.text) as { readonly amountSat: number; readonly creditMsat: number };
}

Deno.test("Gateway asks for ecash in both encodings, and tells the price to HEAD", async () => {
  const { world, path } = await withPriced();
  await using _ = world;
  for (const method of ["GET", "HEAD"]) {
    const answer = await ask(world, path, { method });
    assert.equal(answer.status, 402);
    const asked = fakeRequests.decodePaymentRequest(answer.headers.get("x-cashu")!)!;
    // 64 sat a MiB, and a little for what redeeming costs.
    assert.equal(asked.amountSat, 67);
    assert.deepEqual(asked.mints, [MINT]);
    assert.equal(asked.p2pk, world.seller.terms.p2pk);
    assert.ok(asked.locktimeS! > Date.now() / 1000 + 90 * 60);
    assert.equal(answer.headers.get("cache-control"), "no-store");
  }
  const answer = await ask(world, path, { headers: { "x-cashu-encoding": "creqB" } });
  const { creqA, creqB } = JSON.parse(answer.text);
  assert.deepEqual([answer.headers.get("x-cashu"), creqA.slice(0, 5)], [creqB, "creqA"]);
  assert.equal(world.seller.payCount, 0);
});

Deno.test("Gateway sells a blob for one token, and gives it once more, never twice more", async () => {
  const { world, path, bytes } = await withPriced();
  await using _ = world;
  const { amountSat } = await priceOf(world, path);
  const headers = { "x-cashu": tokenOf(amountSat) };
  for (const _again of [false, true]) {
    const answer = await ask(world, path, { headers });
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, bytes);
    assert.match(answer.headers.get("cache-control")!, /^private/);
  }
  const third = await ask(world, path, { headers });
  assert.equal(third.status, 402, "twice the blob was sent");
  assert.deepEqual(world.seller.books(), { paidMsat: amountSat * 1000, usedMsat: 64_000 });
  assert.equal(world.seller.payCount, 1);
});

Deno.test("Gateway takes a token once at a time, too: parallel requests pay once", async () => {
  const { world, path, bytes } = await withPriced();
  await using _ = world;
  const { amountSat } = await priceOf(world, path);
  const headers = { "x-cashu": tokenOf(amountSat) };
  const answers = await Promise.all([1, 2].map(() => ask(world, path, { headers })));
  for (const answer of answers) assert.deepEqual(answer.body, bytes);
  assert.equal(world.seller.books().usedMsat, 64_000);
});

Deno.test("Gateway refuses ecash that does not fit, and keeps nothing of it", async () => {
  const { world, path } = await withPriced();
  await using _ = world;
  const { amountSat } = await priceOf(world, path);
  const cases: readonly (readonly [string, RegExp])[] = [
    [tokenOf(amountSat - 1), /66 sat, and 67/],
    [tokenOf(amountSat, { mint: "https://other.example" }), /mint/],
    [tokenOf(amountSat, { unit: "usd" }), /unit/],
    [tokenOf(amountSat, { lock: `03${"cd".repeat(32)}` }), /not locked/],
    ["cashuBnothing", /cannot be read/],
    ["gold", /begins with cashuB/],
  ];
  for (const [token, reason] of cases) {
    const answer = await ask(world, path, { headers: { "x-cashu": token } });
    assert.equal(answer.status, 400, token);
    assert.match(answer.headers.get("x-reason")!, reason);
    assert.ok(!answer.text.includes(token), "the token is not repeated");
  }
  assert.equal(world.seller.books().paidMsat, 0);
});

Deno.test("Gateway waits for a payment that is looked at, and says when it takes too long", async () => {
  const { world, path } = await withPriced();
  await using _ = world;
  const { amountSat } = await priceOf(world, path);
  world.seller.pendingCount = 3;
  const answer = await ask(world, path, { headers: { "x-cashu": tokenOf(amountSat) } });
  assert.equal(answer.status, 200);
  assert.equal(world.seller.payCount, 4);
});

Deno.test("Gateway serves nothing priced when the gate fails, and all that is free", async () => {
  const { world, path, hash } = await withPriced();
  await using _ = world;
  world.seller.trouble = "throw";
  const failed = await ask(world, path);
  assert.equal(failed.status, 503);
  assert.ok(!failed.text.includes("secret"));
  world.seller.trouble = "deny";
  assert.equal((await ask(world, path)).status, 403);
  world.seller.free.add(hash);
  world.seller.trouble = "throw";
  assert.equal((await ask(world, path)).status, 200);
});

Deno.test("Gateway charges the groups that a range touches, and what is left pays for more", async () => {
  const { world, path, bytes } = await withPriced();
  await using _ = world;
  const range = { range: "bytes=16000-17000" };
  const { amountSat } = await priceOf(world, path, range);
  assert.equal(amountSat, 4, "two groups of 16 KiB at 64 sat a MiB, and 2 for redeeming");
  const token = { "x-cashu": tokenOf(40) };
  const answer = await ask(world, path, { headers: { ...range, ...token } });
  assert.deepEqual([answer.status, answer.body], [206, bytes.slice(16000, 17001)]);
  assert.equal(world.seller.books().usedMsat, 2000);
  const rest = await ask(world, path, { headers: { range: "bytes=0-600000", ...token } });
  assert.deepEqual([rest.status, rest.body], [206, bytes.slice(0, 600_001)]);
  assert.equal(world.seller.books().usedMsat, 37_000, "37 groups, none of them twice");
  assert.equal(world.seller.payCount, 1);
  const multi = await ask(world, path, { headers: { range: "bytes=0-1,5-6", ...token } });
  assert.equal(multi.status, 416, "the whole was not asked for");
});

Deno.test("POST /session sells a whole collection for one payment", async () => {
  const { world, hash } = await withPriced(300_000);
  await using _ = world;
  const children = [{ name: "a", hash, size: 300_000 }];
  for (let index = 0; index < 20; index++) {
    const bytes = content(20_000 + index, index + 2);
    const child = await world.store.importBytes(bytes);
    children.push({ name: `layer-${index}`, hash: child.hash, size: bytes.length });
  }
  const root = await world.store.importBytes(encodeCollection(children), { kind: "collection" });
  const body = JSON.stringify({ collection: root.hash });
  const demanded = await ask(world, "/session", { method: "POST", body });
  assert.equal(demanded.status, 402);
  const { amountSat } = JSON.parse(demanded.text);
  const opened = await ask(world, "/session", {
    method: "POST",
    body,
    headers: { "x-cashu": tokenOf(amountSat) },
  });
  assert.equal(opened.status, 201);
  const { session, creditMsat } = JSON.parse(opened.text);
  assert.equal(creditMsat, amountSat * 1000);
  const headers = { authorization: `Bearer ${session}` };
  for (const child of [root.hash, ...children.map((each) => each.hash)]) {
    const head = await ask(world, `/blob/${child}`, { method: "HEAD", headers });
    assert.equal(head.status, 200, "the session has what it takes");
    assert.equal((await ask(world, `/blob/${child}`, { headers })).status, 200);
  }
  assert.equal(world.seller.payCount, 1);
  const left = JSON.parse((await ask(world, "/session", { headers })).text);
  assert.ok(left.creditMsat >= 0 && left.creditMsat < 3000, "no more was asked than was needed");
});

Deno.test("POST /session adds to a session, tells what is free, and refuses what it cannot read", async () => {
  const { world, hash, sha256, path } = await withPriced();
  await using _ = world;
  const open = (body: string, headers: Record<string, string> = {}) =>
    ask(world, "/session", { method: "POST", body, headers });
  for (const body of ["", "{}", "[]", '{"blobs":[1]}', '{"blobs":[]}', '{"collection":"x"}']) {
    assert.equal((await open(body)).status, 400, body);
  }
  assert.equal((await open(JSON.stringify({ blobs: ["0".repeat(64)] }))).status, 404);
  assert.equal((await open(JSON.stringify({ collection: hash }))).status, 404);
  world.seller.terms = { ...world.seller.terms, minTopUpSat: 100 };
  const body = JSON.stringify({ blobs: [`sha256:${sha256}`, hash] });
  const { session } = JSON.parse((await open(body, { "x-cashu": tokenOf(100) })).text);
  const bearer = { authorization: `Bearer ${session}` };
  assert.equal((await ask(world, path, { headers: bearer })).status, 200);
  const added = await open(body, { ...bearer, "x-cashu": tokenOf(100) });
  assert.equal(JSON.parse(added.text).session, session);
  assert.equal(JSON.parse(added.text).creditMsat, 136_000);
  world.seller.free.add(hash);
  assert.equal(JSON.parse((await open(body)).text).free, true);
});

Deno.test("the same token opens the same session from one address, also after a restart", async () => {
  const sessionKey = new Uint8Array(32).fill(3);
  const seller = new FakeSeller();
  const bytes = content(MIB);
  const token = tokenOf(200);
  let session = "";
  for (const run of [1, 2]) {
    await using world = await startWorld({ sessionKey, seller });
    const { hash } = await world.store.importBytes(bytes);
    const request = {
      method: "POST",
      body: JSON.stringify({ blobs: [hash] }),
      headers: { "x-cashu": token },
    };
    const opened = await ask(world, "/session", request);
    assert.equal(opened.status, 201);
    session ||= JSON.parse(opened.text).session;
    assert.equal(JSON.parse(opened.text).session, session, `run ${run}`);
    assert.equal((await ask(world, "/session", { ...request, from: "127.0.0.2" })).status, 400);
    const headers = { authorization: `Bearer ${session}` };
    const got = await ask(world, `/blob/${hash}`, { headers });
    assert.equal(got.status, 200);
    assert.equal((await ask(world, `/blob/${hash}`, { headers, from: "127.0.0.2" })).status, 401);
  }
  assert.equal(seller.books().paidMsat, 200_000);
});

Deno.test("a token that was put into a session gives the bytes again without the session, too", async () => {
  const { world, path, hash } = await withPriced();
  await using _ = world;
  const body = JSON.stringify({ blobs: [hash] });
  const first = tokenOf(67);
  const opened = await ask(world, "/session", {
    method: "POST",
    body,
    headers: { "x-cashu": first },
  });
  const bearer = { authorization: `Bearer ${JSON.parse(opened.text).session}` };
  const second = tokenOf(67);
  const got = await ask(world, path, { headers: { ...bearer, "x-cashu": second } });
  assert.equal(got.status, 200);
  assert.equal((await ask(world, path, { headers: { "x-cashu": second } })).status, 200);
  assert.equal(world.seller.books().usedMsat, 64_000, "charged once");
  const elsewhere = await ask(world, path, { headers: { "x-cashu": second }, from: "127.0.0.2" });
  assert.equal(elsewhere.status, 400);
});

Deno.test("a download that breaks off costs nothing again, and sends at most twice the blob", async () => {
  const { world, path, bytes } = await withPriced(4 * MIB);
  await using _ = world;
  const { amountSat } = await priceOf(world, path);
  const token = tokenOf(amountSat);
  const conn = await Deno.connect({ port: world.gateway.port });
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Cashu: ${token}\r\n\r\n`;
  await conn.write(new TextEncoder().encode(request));
  await conn.read(new Uint8Array(1000));
  conn.close();
  while (world.events.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const sentBefore = world.events.reduce((sum, event) => sum + event.bytes, 0);
  const answer = await ask(world, path, { headers: { "x-cashu": token } });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, bytes);
  assert.ok(sentBefore + answer.body.length <= 8 * MIB);
  const { paidMsat, usedMsat } = world.seller.books();
  assert.ok(usedMsat <= paidMsat, "no second charge");
});

Deno.test("whatever ranges are asked how often, at most twice what was paid for is sent", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 8 })), { maxLength: 25 }),
      async (spans) => {
        const { world, path } = await withPriced(20 * 16384 + 5);
        await using _ = world;
        const token = tokenOf(100);
        let sentBytes = 0;
        for (const [group, count] of spans) {
          const range = `bytes=${group * 16384}-${(group + count) * 16384 - 1}`;
          const answer = await ask(world, path, { headers: { range, "x-cashu": token } });
          assert.ok(answer.status === 206 || answer.status === 402);
          if (answer.status === 206) sentBytes += answer.body.length;
        }
        const { usedMsat } = world.seller.books();
        assert.ok(sentBytes * 64_000 / MIB <= 2 * usedMsat + 1);
      },
    ),
    { numRuns: 15 },
  );
});

Deno.test("an answer whose credit others used up ends short, so that its length tells", async () => {
  const { world, path } = await withPriced(2 * MIB);
  await using _ = world;
  world.seller.feeSat = 2;
  const { amountSat } = await priceOf(world, path);
  const token = tokenOf(amountSat);
  assert.equal((await ask(world, path, { headers: { "x-cashu": token } })).status, 200);
  // The first costs what the token gave, so another blob finds nothing left.
  const other = await world.store.importBytes(content(MIB, 9));
  const more = await ask(world, `/blob/${other.hash}`, { headers: { "x-cashu": token } });
  assert.equal(more.status, 402);
  const all = await exchangeRaw(
    world.gateway.port,
    new TextEncoder().encode(`HEAD ${path} HTTP/1.0\r\nX-Cashu: ${token}\r\n\r\n`),
  );
  assert.match(new TextDecoder().decode(all), /^HTTP\/1\.1 400 /, "HEAD takes no ecash");
});
