import { deepEqual, equal, notEqual, ok, rejects } from "node:assert/strict";
import { equalBytes } from "../../../src/core/bytes.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { bytesOf, content, importCollection, never } from "../provider/support.ts";
import { DEAR, Market, TOP_UP_BYTES } from "./market.ts";

const MIB = 1024 * 1024;

Deno.test("PeerSource pays a known price with its first message: no round trip more", async () => {
  await using market = await Market.start();
  const bytes = content(TOP_UP_BYTES / 4);
  const { hash } = await market.seeding.importBytes(bytes);
  await market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  deepEqual(market.tap.kinds, ["want+payment"]);
  ok(equalBytes(await bytesOf(market.fetching, hash), bytes));
  equal(market.source.priceMsatPerMiB, DEAR.priceMsatPerMiB);
  market.balance(bytes.length);
});

Deno.test("PeerSource opens its session while it dials", async () => {
  await using market = await Market.start({ latencyMs: () => 50 });
  let openedMs = Infinity;
  market.payer.beforeOpen = () => {
    openedMs = performance.now();
    return Promise.resolve();
  };
  const { hash } = await market.seeding.importBytes(content(1000));
  const startedMs = performance.now();
  await market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  ok(openedMs - startedMs < 40, `opened after ${openedMs - startedMs} ms`);
});

for (
  const [name, options] of [
    ["of an advert that binds nobody", { isBound: false }],
    ["that nobody told it", { advertised: undefined }],
  ] as const
) {
  Deno.test(`PeerSource asks for the price ${name} first, and pays on the same line`, async () => {
    await using market = await Market.start(options);
    const { hash } = await market.seeding.importBytes(content(100_000));
    await market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
    deepEqual(market.tap.kinds, ["want", "want+payment"]);
    equal(market.tap.streams.length, 1);
    deepEqual(market.payer.requests.map(({ terms }) => terms), [DEAR]);
    equal(market.source.priceMsatPerMiB, DEAR.priceMsatPerMiB);
    market.balance(100_000);
  });
}

Deno.test("PeerSource pays for a long blob over a line of its own, and never two ahead", async () => {
  await using market = await Market.start();
  const bytes = content(16 * MIB + 7);
  const { hash } = await market.seeding.importBytes(bytes);
  await market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  ok(equalBytes(await bytesOf(market.fetching, hash), bytes));
  const { sent } = market.tap;
  equal(sent[0]!.message.t, "want");
  ok(sent.length >= 32, `${sent.length} messages`);
  for (const { stream, message } of sent.slice(1)) deepEqual([stream, message.t], [1, "top-up"]);
  equal(market.tap.streams.length, 2);
  deepEqual(market.events.map(({ outcome }) => outcome), ["served"]);
  equal(market.payer.sessions[0]!.verifiedBytes, bytes.length);
  market.balance(bytes.length);
});

Deno.test("PeerSource pays once for requests at one time, and they share the session", async () => {
  await using market = await Market.start();
  const bytes = content(8 * MIB);
  const { hash } = await market.seeding.importBytes(bytes);
  const fetches = Array.from({ length: 8 }, (_, index) =>
    market.source.fetch({
      hash,
      // Each proves the size for itself.
      groups: RangeSet.of(index * 64, index * 64 + 64).union(RangeSet.of(511)),
      signal: never(),
    }));
  await Promise.all(fetches);
  ok(equalBytes(await bytesOf(market.fetching, hash), bytes));
  equal(market.payer.sessions.length, 1);
  deepEqual(market.tap.kinds.slice(0, 2), ["want+payment", "want"]);
  market.balance(bytes.length + 7 * 16_384);
});

Deno.test("PeerSource pays for the children of a collection, small and large", async () => {
  await using market = await Market.start();
  const children = Array.from({ length: 400 }, (_, index) => {
    const size = index % 40 === 0 ? 300_000 : 1000 + 37 * index;
    return [String(index).padStart(3, "0"), content(size, index + 1)] as const;
  });
  const { root, hashes } = await importCollection(market.seeding, children);
  const size = market.seeding.status(root)!.size;
  await market.source.fetch({ hash: root, groups: RangeSet.ALL, signal: never() });
  await market.source.fetchChildren({ root, children: RangeSet.ALL, signal: never() });
  for (const hash of hashes) equal(market.fetching.status(hash)?.state, "complete");
  const bytes = children.reduce((sum, [, child]) => sum + child.length, size);
  equal(market.payer.sessions[0]!.verifiedBytes, bytes);
  market.balance(bytes);
});

Deno.test("PeerSource pays first for children when it holds the collection already", async () => {
  await using market = await Market.start();
  const { root } = await importCollection(market.seeding, [["a", content(5000)]]);
  await market.fetching.importBytes(await bytesOf(market.seeding, root), { kind: "collection" });
  await market.source.fetchChildren({ root, children: RangeSet.ALL, signal: never() });
  deepEqual(market.tap.kinds, ["want+payment"]);
  market.balance(5000);
});

Deno.test("PeerSource pays nothing for what is free, and opens no session for it", async () => {
  await using market = await Market.start({ advertised: undefined });
  const { hash } = await market.seeding.importBytes(content(100_000));
  market.gate.free.add(hash);
  await market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  deepEqual(market.tap.kinds, ["want"]);
  deepEqual(market.payer.requests, []);
  equal(market.source.priceMsatPerMiB, 0);
});

Deno.test("PeerSource asks for free when its payer declines, and says why it got nothing", async () => {
  await using market = await Market.start({ payer: { priceMaxMsatPerMiB: 2000 } });
  const paid = await market.seeding.importBytes(content(100_000, 1));
  const free = await market.seeding.importBytes(content(100_000, 2));
  market.gate.free.add(free.hash);
  await market.source.fetch({ hash: free.hash, groups: RangeSet.ALL, signal: never() });
  await rejects(
    market.source.fetch({ hash: paid.hash, groups: RangeSet.ALL, signal: never() }),
    (error) =>
      isSeedmintError(error, "payment-required") && /128000 msat/.test(error.message) &&
      /price-max is 2000/.test(error.message),
  );
  equal(market.payer.requests.length, 1);
  deepEqual(market.tap.kinds, ["want", "want"]);
});

Deno.test("PeerSource without a payer pays nothing, and uses no old credit up", async () => {
  const { pay: _pay, ...source } = { pay: undefined };
  await using market = await Market.start({ source: { ...source, pay: undefined! } });
  const { hash } = await market.seeding.importBytes(content(100_000));
  const fetch = () => market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  await rejects(fetch(), (error) => isSeedmintError(error, "payment-required"));
  market.gate.give(market.tap.network.peerId, 64_000);
  await rejects(fetch(), (error) => isSeedmintError(error, "payment-required"));
  equal(market.fetching.status(hash), undefined);
});

Deno.test("PeerSource with old credit and no known price agrees on it before anything is used", async () => {
  await using market = await Market.start({
    advertised: undefined,
    payer: { priceMaxMsatPerMiB: 2000 },
  });
  market.gate.give(market.tap.network.peerId, 64_000);
  const before = market.creditUnits;
  const { hash } = await market.seeding.importBytes(content(100_000));
  const fetch = () => market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  await rejects(fetch(), (error) => isSeedmintError(error, "payment-required"));
  equal(market.creditUnits, before);
});

Deno.test("PeerSource agrees on a corrected price, and pays that", async () => {
  const advertised = { ...DEAR, priceMsatPerMiB: 1000 };
  await using market = await Market.start({ advertised });
  const { hash } = await market.seeding.importBytes(content(2 * MIB));
  await market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  deepEqual(market.payer.requests.map(({ terms }) => terms.priceMsatPerMiB), [1000, 128_000]);
  deepEqual(market.payer.sessions.map(({ isDisposed }) => isDisposed), [true, false]);
  deepEqual(market.tap.kinds.slice(0, 2), ["want+payment", "want+payment"]);
  const [first, second] = market.gate.asked;
  notEqual(first!.id.toHex(), second!.id.toHex(), "the first is good at the new price, too");
  market.balance(2 * MIB);
});

Deno.test("PeerSource counts what verified at the price charged when that fell", async () => {
  await using market = await Market.start({ terms: { ...DEAR, priceMsatPerMiB: 64_000 } });
  const { hash } = await market.seeding.importBytes(content(4 * MIB));
  await market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  equal(market.payer.sessions[0]!.verifiedBytes, 2 * MIB);
  market.balance(4 * MIB);
});

Deno.test("PeerSource goes on at a new price, or fails when that is too high", async () => {
  for (const priceMaxMsatPerMiB of [200_000, 300_000]) {
    await using market = await Market.start({ payer: { priceMaxMsatPerMiB } });
    const { hash } = await market.seeding.importBytes(content(4 * MIB));
    const size = 4 * MIB;
    const fetch = (start: number) =>
      market.source.fetch({
        hash,
        size,
        groups: RangeSet.of(start, start + 16),
        signal: never(),
      });
    await fetch(0);
    market.gate.terms = { ...DEAR, priceMsatPerMiB: 256_000 };
    if (priceMaxMsatPerMiB === 300_000) await fetch(16);
    else await rejects(fetch(16), (error) => isSeedmintError(error, "payment-required"));
    equal(market.source.priceMsatPerMiB, 256_000);
  }
});

Deno.test("PeerSource waits for a payment that is pending, and sends it once", async () => {
  await using market = await Market.start();
  market.gate.pendingCount = 3;
  const { hash } = await market.seeding.importBytes(content(4 * MIB));
  await market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  const withToken = market.gate.asked.filter(({ token }) => token !== undefined);
  const ids = withToken.map(({ id }) => id.toHex());
  equal(new Set(ids).size, ids.length, "no token was sent twice");
  ok(market.gate.asked.length > withToken.length, "it was asked by its id");
  market.balance(4 * MIB);
});

Deno.test("PeerSource ends with what was paid for when the budget ends, and says so", async () => {
  await using market = await Market.start({
    payer: { budgetMsat: 4 * 64_000 },
    provider: { limits: { unpaidMs: 50 } },
  });
  const size = 8 * MIB;
  const { hash } = await market.seeding.importBytes(content(size));
  const fetch = () => market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  const isOver = (error: unknown) =>
    isSeedmintError(error, "payment-required") && /budget of 256 sat is spent/.test(error.message);
  await market.source.fetch({ hash, groups: RangeSet.of(511), signal: never() });
  await rejects(fetch(), isOver);
  const held = market.fetching.status(hash)!;
  equal(held.groups.count, 4 * TOP_UP_BYTES / 16_384);
  await rejects(fetch(), isOver);
  market.balance(4 * TOP_UP_BYTES);
});

for (const isTcp of [false, true]) {
  const path = isTcp ? "over the direct path" : "over a stream";
  Deno.test({
    name: `PeerSource ends at once when the budget ends in the middle of a blob ${path}`,
    sanitizeOps: !isTcp,
    sanitizeResources: !isTcp,
    fn: async () => {
      await using market = await Market.start({ payer: { budgetMsat: 6 * 64_000 }, isTcp });
      const size = 16 * MIB;
      const { hash } = await market.seeding.importBytes(content(size));
      await market.source.fetch({ hash, groups: RangeSet.of(1023), signal: never() });
      const startedMs = performance.now();
      const told: number[] = [];
      const fetching = market.source.fetch({
        hash,
        size,
        groups: RangeSet.of(0, 1023),
        signal: never(),
        onVerified: ({ start, end }) => told.push(end - start),
      });
      await rejects(fetching, (error) => {
        return isSeedmintError(error, "payment-required") &&
          /budget of 384 sat is spent/.test(error.message);
      });
      const ms = performance.now() - startedMs;
      ok(ms < 5_000, `it took ${ms} ms, and the seller waits 20 s for money`);
      const groups = 6 * TOP_UP_BYTES / 16_384;
      const { count } = market.fetching.status(hash)!.groups;
      equal(told.reduce((sum, count) => sum + count, 0), count - 1);
      // HTTP may keep a part of what was sent.
      if (isTcp) return ok(count > groups / 2);
      equal(count, groups, "all that was paid for came");
      market.balance(6 * TOP_UP_BYTES);
    },
  });
}

Deno.test("PeerSource uses up what is paid before it fails for want of a budget", async () => {
  await using market = await Market.start({ payer: { budgetMsat: 64_000 } });
  const size = 8 * MIB;
  const { hash } = await market.seeding.importBytes(content(size));
  for (let at = 0; at < 32; at += 16) {
    const groups = RangeSet.of(at, at + 16);
    await market.source.fetch({ hash, size, groups, signal: never() });
  }
  const groups = RangeSet.of(32, 48);
  await rejects(market.source.fetch({ hash, size, groups, signal: never() }), /budget/);
  market.balance(TOP_UP_BYTES);
});

Deno.test("PeerSource buys from a seller that refuses its first payment for a moment", async () => {
  await using market = await Market.start();
  let count = 0;
  market.gate.beforePay = () => {
    if (++count === 1) throw new Error("the database is locked");
    return Promise.resolve();
  };
  const { hash } = await market.seeding.importBytes(content(100_000));
  await market.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  equal(market.payer.payments.length, 1);
  market.balance(100_000);
});
