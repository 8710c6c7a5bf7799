import { equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { equalBytes } from "../../../src/core/bytes.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { costOf, unitsOfMsat } from "../provider/memory_gate.ts";
import { bytesOf, content, never, until } from "../provider/support.ts";
import { DEAR, Market } from "./market.ts";

const MIB = 1024 * 1024;
const SIZE = 3 * MIB;
const BYTES = content(SIZE);

Deno.test("PeerSource pays nothing twice and loses nothing, wherever requests and connections end", async () => {
  const trouble = fc.record({
    /** After which message of the buyer's. */
    after: fc.nat(8),
    how: fc.constantFrom("abort", "disconnect"),
    requestCount: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(trouble, { maxLength: 4 }), fc.nat(3), async (troubles, pending) => {
      await using market = await Market.start({ provider: { limits: { unpaidMs: 300 } } });
      market.gate.pendingCount = pending;
      const { hash } = await market.seeding.importBytes(BYTES);
      const size = SIZE;
      // The size is proven first, so that what came is kept.
      await market.source.fetch({ hash, groups: RangeSet.of(191), signal: never() });
      for (const { after, how, requestCount } of troubles) {
        const stop = new AbortController();
        const breakAt = market.tap.sent.length + after;
        market.tap.onSend = () => {
          if (market.tap.sent.length < breakAt) return;
          if (how === "abort") queueMicrotask(() => stop.abort(new Error("enough")));
          else market.disconnect();
          market.tap.onSend = () => {};
        };
        await Promise.allSettled(Array.from({ length: requestCount }, (_, index) => {
          const groups = RangeSet.of(index * 60, index * 60 + 60);
          return market.source.fetch({ hash, size, groups, signal: stop.signal });
        }));
        market.tap.onSend = () => {};
      }
      await finish(() =>
        market.source.fetch({ hash, size, groups: RangeSet.ALL, signal: never() })
      );
      ok(equalBytes(await bytesOf(market.fetching, hash), BYTES));
      await until(() => market.gate.openCount === 0);
      const ids = new Set(market.gate.asked.map(({ id }) => id.toHex()));
      const chargedBytes = market.events.reduce((sum, { paidBytes = 0 }) => sum + paidBytes, 0);
      const paid = unitsOfMsat(ids.size * DEAR.minTopUpSat * 1000);
      equal(market.creditUnits + costOf(chargedBytes, DEAR.priceMsatPerMiB), paid);
      for (const session of market.payer.sessions) {
        ok(session.atRiskMsatMax <= 2 * session.topUpMsat);
        ok(session.nextCountMax <= 1);
      }
    }),
    { numRuns: 60 },
  );
});

/** As a scheduler does: what may pass is tried again. */
async function finish(fetch: () => Promise<unknown>): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      await fetch();
      return;
    } catch (error) {
      if (tries === 5 || !isSeedmintError(error, "reset")) throw error;
    }
  }
}
