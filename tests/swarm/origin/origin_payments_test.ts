import assert from "node:assert/strict";
import type { Hash } from "../../../src/core/hash.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import {
  addFromOrigin,
  HttpOrigin,
  OriginPayments,
  type OriginPayOptions,
} from "../../../swarm/origin/mod.ts";
import type { Payer } from "../../../swarm/ports.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { fakeRequests, startWorld, tokenOf, type World } from "../gateway/support.ts";
import { content } from "../provider/support.ts";

const SUBJECT = "a".repeat(64) as Hash;
type Prepare = Parameters<NonNullable<Payer["preparePayment"]>>[0];

/** A payer that pays what it is asked, and remembers it. */
function fakePayer(decline?: string) {
  const asked: Prepare[] = [];
  return {
    asked,
    preparePayment(request: Prepare) {
      asked.push(request);
      return Promise.resolve(
        decline === undefined
          ? { status: "ready" as const, token: tokenOf(request.priceSat) }
          : { status: "declined" as const, reason: decline },
      );
    },
  };
}

function payingOrigin(
  url: string,
  payer: OriginPayOptions["payer"],
  fields: Partial<OriginPayOptions> = {},
) {
  return new HttpOrigin({
    url,
    clock: systemClock,
    pay: { payer, requests: fakeRequests, subject: SUBJECT, random: systemRandom, ...fields },
  });
}

async function readAll(origin: HttpOrigin, offset = 0): Promise<Uint8Array> {
  const { body } = await origin.open({ offset, signal: new AbortController().signal });
  return new Uint8Array(await new Response(body).arrayBuffer());
}

async function withSold(size = 300_000) {
  const world = await startWorld();
  const bytes = content(size);
  const { hash, sha256 } = await world.store.importBytes(bytes);
  return { world, bytes, hash, sha256: sha256!, url: urlOf(world, `/blob/${hash}`) };
}

const urlOf = (world: World, path: string) => `http://127.0.0.1:${world.gateway.port}${path}`;

Deno.test("HttpOrigin buys from a gateway with one payment, and shows it again", async () => {
  const { world, bytes, url } = await withSold();
  await using _ = world;
  const payer = fakePayer();
  const origin = payingOrigin(url, payer);
  assert.deepEqual(await readAll(origin), bytes);
  assert.deepEqual(await readAll(origin), bytes, "within the grace time");
  assert.equal(payer.asked.length, 1);
  const [{ paymentId, priceSat, mints, p2pk, locktimeS, payee, subject }] = payer.asked as [
    Prepare,
  ];
  assert.match(paymentId!, /^http-[0-9a-f]{32}$/);
  assert.deepEqual([mints, p2pk], [world.seller.terms.mints, world.seller.terms.p2pk]);
  assert.ok(locktimeS! > Date.now() / 1000);
  assert.deepEqual([payee, subject], [new URL(url).origin, SUBJECT]);
  assert.equal(origin.paidSat, priceSat);
  assert.equal(world.seller.books().paidMsat, priceSat * 1000);
});

Deno.test("HttpOrigin pays once for parts that are asked at one time", async () => {
  const { world, bytes, url } = await withSold();
  await using _ = world;
  const payer = fakePayer();
  world.seller.terms = { ...world.seller.terms, minTopUpSat: 64 };
  const origin = payingOrigin(url, payer);
  const [all, tail] = await Promise.all([readAll(origin), readAll(origin, 200_000)]);
  assert.deepEqual([all, tail], [bytes, bytes.slice(200_000)]);
  assert.equal(payer.asked.length, 1);
});

Deno.test("addFromOrigin() keeps what was bought, and what was paid is told", async () => {
  const { world, bytes, sha256 } = await withSold();
  await using _ = world;
  await using store = new MemoryBlobStore({ clock: systemClock });
  const origin = payingOrigin(urlOf(world, `/${sha256}`), fakePayer());
  const record = await addFromOrigin({ store, origin, sha256 });
  assert.equal(record.size, bytes.length);
  assert.ok(origin.paidSat > 0);
});

Deno.test("HttpOrigin says what an origin asks when it cannot or may not pay", async () => {
  const { world, url } = await withSold();
  await using _ = world;
  const { amountSat } = JSON.parse(await (await fetch(url)).text());
  const rejects = (origin: HttpOrigin, why: RegExp) =>
    assert.rejects(readAll(origin), (error: Error & { code?: string }) => {
      assert.equal(error.code, "payment-required");
      assert.match(error.message, why);
      return true;
    });
  await rejects(new HttpOrigin({ url, clock: systemClock }), /asks money in ecash, and nothing/);
  await rejects(payingOrigin(url, {}), new RegExp(`asks ${amountSat} sat in ecash, and nothing`));
  await rejects(
    payingOrigin(url, fakePayer("over the budget of today")),
    /over the budget of today/,
  );
  const payer = fakePayer();
  await rejects(payingOrigin(url, payer, { satMax: amountSat - 1 }), /budget of this fetch/);
  await rejects(payingOrigin(url, payer, { countMax: 0 }), /after 0 payments/);
  assert.equal(payer.asked.length, 0);
});

/** An origin that answers as `answer` says. */
async function withServer(
  answer: (request: Request) => Response,
  run: (url: string) => Promise<void>,
): Promise<void> {
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  await run(`http://127.0.0.1:${server.addr.port}/x`);
}

const TERMS = {
  priceMsatPerMiB: 1000,
  minTopUpSat: 1,
  mints: ["https://mint.example"],
  p2pk: `02${"ab".repeat(32)}`,
  locktimeMin: 60,
};

Deno.test("HttpOrigin stops paying a server that is never satisfied", async () => {
  const { creqA } = fakeRequests.encodePaymentRequest(TERMS, 5, 2_000_000_000);
  const payer = fakePayer();
  await withServer(
    () => new Response(null, { status: 402, headers: { "x-cashu": creqA } }),
    async (url) => {
      await assert.rejects(readAll(payingOrigin(url, payer)), /after 4 payments/);
    },
  );
  assert.equal(payer.asked.length, 4);
});

Deno.test("HttpOrigin pays no server that it is redirected to, and shows it no token", async () => {
  const { creqA } = fakeRequests.encodePaymentRequest(TERMS, 5, 2_000_000_000);
  const seen: (string | null)[] = [];
  const payer = fakePayer();
  await withServer((request) => {
    seen.push(request.headers.get("x-cashu"));
    return new Response(null, { status: 402, headers: { "x-cashu": creqA } });
  }, async (other) => {
    await withServer((request) => {
      const isPaid = request.headers.has("x-cashu");
      return new Response(null, {
        status: isPaid ? 302 : 402,
        headers: { "x-cashu": creqA, location: other },
      });
    }, async (url) => {
      await assert.rejects(readAll(payingOrigin(url, payer)), /sends us on/);
    });
  });
  assert.deepEqual([payer.asked.length, seen], [1, [null]]);
});

Deno.test("HttpOrigin gives up on a payment that is refused, and shows no secret of it", async () => {
  const { creqB } = fakeRequests.encodePaymentRequest(TERMS, 5, 2_000_000_000);
  const payer = fakePayer();
  for (const reason of ["locked to another key", undefined]) {
    await withServer((request) => {
      const token = request.headers.get("x-cashu");
      return token === null
        ? new Response(null, { status: 402, headers: { "x-cashu": `creqAbroken, ${creqB}` } })
        : new Response(null, { status: 400, headers: { "x-reason": reason ?? `bad ${token}` } });
    }, async (url) => {
      await assert.rejects(readAll(payingOrigin(url, payer)), (error: Error) => {
        assert.match(error.message, /refused the payment/);
        if (reason !== undefined) assert.ok(error.message.includes(reason));
        return !error.message.includes("cashuB");
      });
    });
  }
  assert.equal(payer.asked.length, 2);
});

Deno.test("HttpOrigin sends no ecash without a lock over a connection that others read", async () => {
  const { p2pk: _none, ...open } = TERMS;
  const { creqA } = fakeRequests.encodePaymentRequest(open as typeof TERMS, 5, 2_000_000_000);
  const payer = fakePayer();
  const origin = new HttpOrigin({
    url: "http://origin.example/x",
    clock: systemClock,
    pay: { payer, requests: fakeRequests, subject: SUBJECT, random: systemRandom },
    fetch: () =>
      Promise.resolve(new Response(null, { status: 402, headers: { "x-cashu": creqA } })),
  });
  await assert.rejects(readAll(origin), /without a lock/);
  assert.equal(payer.asked.length, 0);
});

Deno.test("origins that share payments pay one server once, as long as a token lasts", async () => {
  const { world } = await withSold();
  await using _ = world;
  world.seller.terms = { ...world.seller.terms, minTopUpSat: 64 };
  const payer = fakePayer();
  const pay = new OriginPayments({
    payer,
    requests: fakeRequests,
    subject: SUBJECT,
    random: systemRandom,
  });
  const layers = [];
  for (let index = 0; index < 5; index++) {
    const bytes = content(250_000 + index, index + 10);
    const { hash } = await world.store.importBytes(bytes);
    const url = urlOf(world, `/blob/${hash}`);
    layers.push({ bytes, origin: new HttpOrigin({ url, clock: systemClock, pay }) });
  }
  // 15 sat each: one payment of 64 lasts for four of them, and a second is made for the fifth.
  for (const { origin, bytes } of layers) assert.deepEqual(await readAll(origin), bytes);
  assert.equal(payer.asked.length, 2);
  const { usedMsat } = world.seller.books();
  for (const { origin, bytes } of layers) assert.deepEqual(await readAll(origin), bytes);
  assert.equal(
    world.seller.books().usedMsat,
    usedMsat,
    "each again with its own token, for nothing",
  );
  assert.equal(pay.paidSat, world.seller.books().paidMsat / 1000);
});

Deno.test("origins that share payments buy each URL of a server that wants it so", async () => {
  const { creqA } = fakeRequests.encodePaymentRequest(TERMS, 5, 2_000_000_000);
  const bought = new Map<string, string>();
  const payer = fakePayer();
  await withServer((request) => {
    const token = request.headers.get("x-cashu");
    if (token === null) return new Response(null, { status: 402, headers: { "x-cashu": creqA } });
    const { pathname } = new URL(request.url);
    if ((bought.get(token) ?? pathname) !== pathname) return new Response(null, { status: 400 });
    bought.set(token, pathname);
    return new Response(pathname);
  }, async (url) => {
    const options = { payer, requests: fakeRequests, subject: SUBJECT, random: systemRandom };
    const pay = new OriginPayments(options);
    for (const path of ["/a", "/b", "/c", "/a"]) {
      const origin = new HttpOrigin({ url: new URL(path, url).href, clock: systemClock, pay });
      assert.equal(new TextDecoder().decode(await readAll(origin)), path);
    }
  });
  assert.equal(payer.asked.length, 3);
});
