import { deepEqual, equal, ok } from "node:assert/strict";
import { equalBytes } from "../../../src/core/bytes.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { bytesOf, content, importCollection, never } from "../provider/support.ts";
import { Market, type MarketOptions, TOP_UP_BYTES } from "./market.ts";

const MIB = 1024 * 1024;

/** Two nodes on loopback TCP, with the direct path offered. libp2p keeps timers of its own. */
function tcpTest(
  name: string,
  run: (market: Market) => Promise<void>,
  options: MarketOptions = {},
): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using market = await Market.start({ ...options, isTcp: true });
      await run(market);
    },
  });
}

tcpTest(
  "PeerSource pays for what comes over the stream and over the direct path",
  async (market) => {
    const bytes = content(9 * MIB + 3);
    const size = bytes.length;
    const { hash } = await market.seeding.importBytes(bytes);
    await market.source.fetch({ hash, groups: RangeSet.of(0, 10), signal: never() });
    await market.source.fetch({ hash, size, groups: RangeSet.of(10, 576), signal: never() });
    ok(equalBytes(await bytesOf(market.fetching, hash), bytes));
    deepEqual(market.events.map(({ path, outcome }) => `${path} ${outcome}`), [
      "stream served",
      "stream direct",
      "direct served",
    ]);
    equal(market.tap.streams.length, 2);
    equal(market.payer.sessions[0]!.verifiedBytes, size);
    market.balance(size);
  },
);

tcpTest(
  "PeerSource takes the rest over the stream when the direct path ended for want of money",
  async (market) => {
    const size = 8 * MIB;
    const bytes = content(size);
    const { hash } = await market.seeding.importBytes(bytes);
    await market.source.fetch({ hash, groups: RangeSet.of(511), signal: never() });
    // No payment goes through until the direct answer has ended.
    const { promise, resolve } = Promise.withResolvers<void>();
    market.payer.beforePay = () => promise;
    const fetching = market.source.fetch({
      hash,
      size,
      groups: RangeSet.of(0, 511),
      signal: never(),
    });
    while (!market.events.some(({ outcome }) => outcome === "unpaid")) {
      await new Promise((wake) => setTimeout(wake, 5));
    }
    resolve();
    await fetching;
    ok(equalBytes(await bytesOf(market.fetching, hash), bytes));
    market.balance(size);
  },
  { provider: { limits: { unpaidMs: 100 } } },
);

tcpTest("PeerSource pays for eight requests at one time over TCP", async (market) => {
  const bytes = content(16 * MIB);
  const { hash } = await market.seeding.importBytes(bytes);
  await market.source.fetch({ hash, groups: RangeSet.of(1023), signal: never() });
  await Promise.all(Array.from({ length: 8 }, (_, index) => {
    const groups = RangeSet.of(index * 128, Math.min(index * 128 + 128, 1023));
    return market.source.fetch({ hash, size: bytes.length, groups, signal: never() });
  }));
  ok(equalBytes(await bytesOf(market.fetching, hash), bytes));
  equal(market.payer.sessions.length, 1);
  market.balance(bytes.length);
});

tcpTest("PeerSource pays for a collection of small children over TCP", async (market) => {
  const children = Array.from(
    { length: 2000 },
    (_, index) => [`${String(index).padStart(5, "0")}`, content(4096, index + 1)] as const,
  );
  const { root, hashes } = await importCollection(market.seeding, children);
  const { size } = market.seeding.status(root)!;
  await market.source.fetch({ hash: root, groups: RangeSet.ALL, signal: never() });
  await market.source.fetchChildren({ root, children: RangeSet.ALL, signal: never() });
  equal(market.fetching.status(hashes[1999]!)?.state, "complete");
  market.balance(2000 * 4096 + size);
  ok(market.payer.payments.length >= 2000 * 4096 / TOP_UP_BYTES);
});
