import assert from "node:assert/strict";
import fc from "fast-check";
import {
  costMsatOf,
  durationMsOf,
  type Lease,
  leftMsat,
  pickPorts,
  satFor,
  transition,
  usedMsat,
} from "../../../provisioning/leases/mod.ts";
import { BASIC } from "../../support/provisioning/lease_world.ts";

const rate = fc.integer({ min: 1, max: 1_000_000 });
const credit = fc.integer({ min: 0, max: 2 ** 50 });

Deno.test("durationMsOf() gives the examples of Paygress' formula", () => {
  assert.equal(durationMsOf(180_000, 50), 3_600_000);
  assert.equal(durationMsOf(3000, 50), 60_000);
  assert.equal(durationMsOf(999, 50), 19_980);
  assert.equal(satFor(60_000, 50), 3);
  for (const wrong of [0, -1, 0.5, NaN]) assert.throws(() => durationMsOf(1, wrong), RangeError);
});

Deno.test("a duration never costs more than the credit that bought it, and one more millisecond does", () => {
  fc.assert(fc.property(credit, rate, (creditMsat, rateMsatPerS) => {
    const ms = durationMsOf(creditMsat, rateMsatPerS);
    if (ms === Number.MAX_SAFE_INTEGER) return;
    assert.ok(costMsatOf(ms, rateMsatPerS) <= creditMsat);
    assert.ok(BigInt(ms + 1) * BigInt(rateMsatPerS) > BigInt(creditMsat) * 1000n);
    assert.ok(durationMsOf(satFor(ms, rateMsatPerS) * 1000, rateMsatPerS) >= ms || ms > 2 ** 50);
  }));
});

Deno.test("whatever happens to a lease, used and left are its credit, and no time is given away", () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 5_000_000 }) }),
    fc.record({ kind: fc.constant("pay" as const), msat: fc.integer({ min: 1000, max: 500_000 }) }),
    fc.record({ kind: fc.constant("lapse" as const) }),
    fc.record({ kind: fc.constant("jump" as const), ms: fc.integer({ min: 0, max: 10_000_000 }) }),
  );
  fc.assert(fc.property(rate, fc.array(event, { maxLength: 30 }), (rateMsatPerS, events) => {
    let nowMs = 1_000_000;
    let deliveredMs = 0;
    const terms = { spec: { ...BASIC, rateMsatPerS } } as Lease["terms"];
    let lease = transition(
      { state: "starting", creditMsat: 60_000, spentMsat: 0, terms } as Lease,
      { type: "ready" },
      nowMs,
    )!;
    for (const event of events) {
      if (event.kind === "wait") {
        const runMs = lease.sinceMs === undefined
          ? 0
          : Math.min(event.ms, lease.expiresMs! - nowMs);
        deliveredMs += Math.max(0, runMs);
        nowMs += event.ms;
      } else if (event.kind === "pay") {
        // As the provider does it: a lease whose time is over has lapsed first.
        if (lease.state === "ready" && nowMs >= lease.expiresMs!) {
          lease = transition(lease, { type: "lapse" }, nowMs)!;
        }
        lease = transition(lease, { type: "topped-up", amountMsat: event.msat }, nowMs)!;
      } else if (event.kind === "lapse") {
        lease = transition(lease, { type: "lapse" }, nowMs) ?? lease;
      } else {
        nowMs += event.ms;
        lease = transition(lease, { type: "shift", deltaMs: event.ms }, nowMs)!;
      }
      const used = usedMsat(lease, nowMs);
      assert.equal(used + leftMsat(lease, nowMs), lease.creditMsat);
      assert.ok(leftMsat(lease, nowMs) >= 0);
      assert.ok(used >= Math.floor(deliveredMs * rateMsatPerS / 1000), "time was given away");
      assert.ok(used <= deliveredMs * rateMsatPerS / 1000 + events.length + 1, "time was taken");
    }
  }));
});

Deno.test("pickPorts() gives different free ports, the longest unused first, or none at all", () => {
  const range = { first: 30_000, last: 30_009 };
  const none = () => false;
  assert.deepEqual(pickPorts(range, { count: 2, isTaken: none, lastGiven: 0 }), [30_000, 30_001]);
  assert.deepEqual(pickPorts(range, { count: 2, isTaken: none, lastGiven: 30_008 }), [
    30_009,
    30_000,
  ]);
  assert.deepEqual(pickPorts(range, { count: 2, isTaken: none, lastGiven: 30_009 }), [
    30_000,
    30_001,
  ]);
  const odd = (port: number) => port % 2 === 1;
  assert.deepEqual(pickPorts(range, { count: 1, isTaken: odd, lastGiven: 30_000 }), [30_002]);
  assert.equal(pickPorts(range, { count: 6, isTaken: odd, lastGiven: 0 }), undefined);
});
