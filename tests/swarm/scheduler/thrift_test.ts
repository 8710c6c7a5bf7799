import assert from "node:assert/strict";
import { RangeSet } from "../../../src/core/range_set.ts";
import {
  Scheduler,
  type SchedulerEffect,
  type SchedulerEvent,
  type SchedulerOptions,
} from "../../../swarm/scheduler/mod.ts";

const GROUP = 16384;
const MIB = 1024 * 1024;
/** Groups of a blob that is too small for probes and long ranges. */
const SMALL = 512;
const ALL = { state: "all", size: SMALL * GROUP } as const;

/** A scheduler with its clock in hand, and what it asked for so far. */
class Desk {
  nowMs = 0;
  readonly scheduler: Scheduler;
  readonly effects: SchedulerEffect[] = [];

  constructor(options: Partial<SchedulerOptions> = {}) {
    this.scheduler = new Scheduler({ hasOrigin: false, seed: 1, ...options });
  }

  tell(event: SchedulerEvent): readonly SchedulerEffect[] {
    const effects = this.scheduler.step(event, this.nowMs);
    this.effects.push(...effects);
    return effects;
  }

  start(missing: RangeSet = RangeSet.of(0, SMALL), groupCount = SMALL): void {
    this.tell({ type: "start", missing, size: groupCount * GROUP });
  }

  add(
    sourceId: string,
    priceMsatPerMiB = 0,
    fields: Partial<Extract<SchedulerEvent, { type: "source-added" }>> = {},
  ): readonly SchedulerEffect[] {
    return this.tell({
      type: "source-added",
      sourceId,
      kind: "peer",
      tellsHoldings: false,
      priceMsatPerMiB,
      ...fields,
    });
  }

  wait(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs += 50;
      this.tell({ type: "tick" });
    }
  }

  asked(sourceId?: string) {
    return this.effects.filter((effect) => effect.type === "request")
      .filter((request) => sourceId === undefined || request.sourceId === sourceId);
  }

  /** Brings the first `count` groups of the newest request of a source. */
  bring(sourceId: string, count = Infinity): void {
    const request = this.asked(sourceId).at(-1)!;
    const groups = request.groups.take(Math.min(count, request.groups.count));
    for (const { start, end } of groups) {
      this.tell({ type: "verified", requestId: request.requestId, groups: { start, end } });
    }
    if (groups.equals(request.groups)) {
      this.tell({ type: "finished", requestId: request.requestId });
    }
  }

  fail(sourceId: string, code: "payment-required" | "reset", message: string): void {
    const { requestId } = this.asked(sourceId).at(-1)!;
    this.tell({ type: "failed", requestId, code, message });
  }
}

Deno.test("balanced asks a free peer first, and no paid one while the free ones are fast enough", () => {
  const desk = new Desk();
  desk.start();
  desk.add("free");
  desk.add("paid", 1000);
  desk.wait(400);
  assert.equal(desk.asked("free").length, 1);
  assert.equal(desk.asked("paid").length, 0);
});

Deno.test("balanced buys what no free peer has, and nothing else", () => {
  const desk = new Desk();
  desk.start();
  const groups = RangeSet.of(0, 200);
  desk.add("free", 0, { holdings: { state: "some", size: SMALL * GROUP, groups } });
  desk.add("paid", 1000, { holdings: ALL });
  for (const { groups: bought } of desk.asked("paid")) {
    assert.ok(!bought.intersects(groups), `${bought}`);
  }
  assert.ok(desk.asked("paid").length > 0);
});

/** Whether a paid peer is asked at once, beside a free one of this rate, when nothing is waited for. */
function buysBeside(rate: number, groupCount: number): boolean {
  const limits = { probeBytesMin: Infinity, holdingsBytesMin: Infinity, paidPatienceMs: 0 };
  const desk = new Desk({ limits });
  desk.start(RangeSet.of(0, groupCount), groupCount);
  desk.add("free", 0, { prior: { throughput: rate } });
  desk.add("paid", 1000);
  return desk.asked("paid").length > 0;
}

Deno.test("balanced buys when the free peers are slower than the floor, and waiting is worth it", () => {
  assert.equal(buysBeside(3 * MIB, 9 * 64), true, "3 s at less than 4 MiB/s");
  assert.equal(buysBeside(5 * MIB, 9 * 64), false);
  assert.equal(buysBeside(3 * MIB, 5 * 64), false, "less than 2 s");
});

Deno.test("balanced buys when the rest would take too long, however fast the free peers are", () => {
  assert.equal(buysBeside(10 * MIB, 99 * 64), false, "9.9 s");
  assert.equal(buysBeside(10 * MIB, 101 * 64), true, "10.1 s");
});

Deno.test("balanced pays for no glance: the free peers are slow for a moment before it does", () => {
  const desk = new Desk();
  desk.start();
  desk.add("free", 0, { prior: { throughput: MIB } });
  desk.add("paid", 1000);
  const { requestId } = desk.asked("free")[0]!;
  for (let group = 0; group < 4; group++) {
    desk.wait(100);
    desk.tell({ type: "verified", requestId, groups: { start: group, end: group + 1 } });
    assert.equal(desk.asked("paid").length, 0);
  }
  desk.wait(150);
  assert.ok(desk.asked("paid").length > 0);
});

Deno.test("balanced lets a paid peer go when the free ones are twice as fast as they need be", () => {
  const desk = new Desk({ limits: { paidPatienceMs: 0, rangeBytesMax: 16 * GROUP } });
  desk.start();
  desk.add("free", 0, { prior: { throughput: 3 * MIB } });
  desk.add("paid", 1000, { prior: { throughput: 3 * MIB } });
  const first = desk.asked("paid").length;
  desk.add("second", 0, { prior: { throughput: 3 * MIB } });
  desk.bring("paid");
  const second = desk.asked("paid").length;
  assert.ok(first > 0 && second > first, "6 MiB/s is not enough to let it go");
  desk.add("third", 0, { prior: { throughput: 3 * MIB } });
  desk.bring("paid");
  assert.equal(desk.asked("paid").length, second, "9 MiB/s is");
});

Deno.test("balanced counts on no free peer that is silent", () => {
  const desk = new Desk();
  desk.start();
  desk.add("free");
  desk.add("paid", 1000);
  desk.wait(400);
  assert.equal(desk.asked("paid").length, 0);
  desk.wait(200);
  assert.ok(desk.asked("paid").length > 0);
});

Deno.test("balanced takes the cheaper paid peer, unless a dearer one is twice as fast", () => {
  const asked = (dearRate: number) => {
    const desk = new Desk();
    desk.add("dear", 2000, { prior: { throughput: dearRate } });
    desk.add("cheap", 1000, { prior: { throughput: 10 * MIB } });
    desk.start();
    return [...new Set(desk.asked().map(({ sourceId }) => sourceId))];
  };
  assert.deepEqual(asked(19 * MIB), ["cheap"]);
  assert.deepEqual(asked(20 * MIB), ["dear"]);
});

Deno.test("cheapest buys only what neither a free peer nor a cheaper one has", () => {
  const desk = new Desk({ thrift: "cheapest" });
  const some = (start: number, end: number) => ({
    holdings: { state: "some", size: SMALL * GROUP, groups: RangeSet.of(start, end) },
  } as const);
  desk.start();
  desk.add("dear", 3000, { holdings: ALL });
  desk.add("cheap", 1000, some(0, 300));
  desk.add("free", 0, some(0, 200));
  assert.deepEqual(desk.asked("cheap"), [], "somebody may still be found");
  assert.deepEqual(desk.asked("dear"), []);
  desk.tell({ type: "discovery-ended" });
  const cheap = desk.asked("cheap")[0]!.groups;
  const dear = desk.asked("dear")[0]!.groups;
  assert.ok(RangeSet.of(200, 300).includes(cheap), `${cheap}`);
  assert.ok(RangeSet.of(300, SMALL).includes(dear), `${dear}`);
});

Deno.test("cheapest waits no longer than a moment for free peers to be found", () => {
  const desk = new Desk({ thrift: "cheapest" });
  desk.start();
  desk.add("paid", 1000);
  desk.wait(1400);
  assert.equal(desk.asked("paid").length, 0);
  desk.wait(150);
  assert.equal(desk.asked("paid").length, 1);
});

Deno.test("cheapest prefers the origin, and asks for it at once when peers ask a price", () => {
  const desk = new Desk({ thrift: "cheapest", hasOrigin: true });
  desk.start();
  desk.add("paid", 1000);
  assert.equal(desk.effects.length, 0);
  desk.tell({ type: "discovery-ended" });
  const start = desk.effects.find((effect) => effect.type === "start-origin");
  assert.match(start!.reason, /ask a price/);
  desk.add("origin", 0, { kind: "origin" });
  desk.wait(1000);
  assert.equal(desk.asked("paid").length, 0);
  desk.fail("origin", "reset", "broken");
  desk.wait(300);
  desk.fail("origin", "reset", "broken");
  assert.equal(desk.asked("paid").length, 1, "an origin that fails again and again is no origin");
});

for (const thrift of ["balanced", "fastest"] as const) {
  Deno.test(`${thrift} prefers paid peers to the origin`, () => {
    const desk = new Desk({ thrift, hasOrigin: true });
    desk.start();
    desk.add("paid", 1000);
    desk.tell({ type: "discovery-ended" });
    assert.equal(desk.asked("paid").length, 1);
    assert.ok(!desk.effects.some((effect) => effect.type === "start-origin"));
  });
}

Deno.test("fastest plans as if there were no prices", () => {
  const run = (price: number) => {
    const desk = new Desk({ thrift: "fastest" });
    desk.start();
    desk.add("a", price);
    desk.add("b", 0, { prior: { throughput: 30 * MIB } });
    desk.add("c", 3 * price);
    desk.bring("a", 10);
    desk.wait(300);
    desk.bring("b");
    desk.wait(300);
    return desk.effects;
  };
  assert.deepEqual(run(1000), run(0));
});

Deno.test("A range is raced by a second paid peer only where that is allowed", () => {
  const races = (options: Partial<SchedulerOptions>) => {
    const desk = new Desk({ limits: { raceBytesMin: 64 * MIB }, ...options });
    desk.start(RangeSet.of(0, 64));
    desk.add("a", 1000, { prior: { throughput: 256 * 1024 } });
    desk.add("b", 1000, { prior: { throughput: 30 * MIB } });
    desk.wait(1500);
    return desk.asked().some(({ purpose }) => purpose === "race");
  };
  assert.equal(races({ thrift: "fastest" }), true);
  assert.equal(races({ thrift: "fastest", racesPaid: false }), false);
  assert.equal(races({ thrift: "balanced" }), false);
  assert.equal(races({ thrift: "balanced", racesPaid: true }), true);
});

Deno.test("A paid peer is raced against no free one that makes progress", () => {
  for (const thrift of ["balanced", "fastest"] as const) {
    const desk = new Desk({ thrift, racesPaid: true, limits: { raceBytesMin: 64 * MIB } });
    desk.start(RangeSet.of(0, 64));
    desk.add("free", 0, { prior: { throughput: 64 * 1024 } });
    desk.add("paid", 1000, { prior: { throughput: 30 * MIB } });
    for (let round = 0; round < 5; round++) {
      desk.wait(300);
      const request = desk.asked("free")[0]!;
      const groups = { start: round, end: round + 1 };
      desk.tell({ type: "verified", requestId: request.requestId, groups });
    }
    assert.deepEqual(desk.asked("paid").map(({ purpose }) => purpose), [], thrift);
    // Four times its latency of 300 ms.
    desk.wait(1200);
    assert.equal(desk.asked("paid").length, 1, `${thrift}: it is silent`);
  }
});

Deno.test("A free peer takes over what a paid one has still to bring", () => {
  const desk = new Desk();
  desk.start();
  desk.add("paid", 1000, { prior: { throughput: MIB } });
  assert.equal(desk.asked("paid").length, 1);
  desk.wait(200);
  desk.add("free", 0, { prior: { throughput: 20 * MIB } });
  assert.ok(desk.asked("free").length > 0);
});

Deno.test("Of two paid peers one opens; the other proves the size only when that one is slow", () => {
  const desk = new Desk({ hasOrigin: false });
  desk.tell({ type: "start", missing: RangeSet.ALL });
  desk.add("a", 1000);
  desk.add("b", 1000);
  desk.wait(450);
  assert.deepEqual(desk.asked().map(({ sourceId }) => sourceId), ["a"]);
  assert.ok(desk.asked("a")[0]!.groups.below(2 ** 33).count <= 16, "it may be lost");
  desk.wait(100);
  assert.deepEqual(desk.asked().map(({ sourceId }) => sourceId), ["a", "b"]);
  assert.ok(desk.asked("b")[0]!.groups.equals(RangeSet.of(2 ** 34)), "one group, no more");
});

Deno.test("A paid peer that passed over all that is wanted of it is stopped", () => {
  const desk = new Desk();
  desk.start(RangeSet.of(0, 200));
  desk.add("partial", 100, { prior: { throughput: 128 * 1024 } });
  desk.add("whole", 1000, { prior: { throughput: 40 * MIB } });
  desk.wait(600);
  const stolen = desk.asked("whole")[0]!.groups;
  const { requestId } = desk.asked("partial")[0]!;
  assert.ok(stolen.boundaries.at(-1) === 200 && !stolen.has(0));
  desk.tell({ type: "verified", requestId, groups: { start: 190, end: 191 } });
  assert.ok(
    desk.effects.some((effect) => effect.type === "cancel" && effect.requestId === requestId),
  );
});

Deno.test("Who is known to lie or to fail is dearer than it says, and a last resort in any thrift", () => {
  const asked = (thrift: "cheapest" | "balanced" | "fastest", score: number) => {
    const desk = new Desk({ thrift });
    desk.add("doubtful", 900, { prior: { score } });
    desk.add("good", 1000, { prior: { score: 0.9 } });
    desk.start();
    desk.tell({ type: "discovery-ended" });
    return new Set(desk.asked().map(({ sourceId }) => sourceId));
  };
  for (const thrift of ["cheapest", "balanced"] as const) {
    assert.deepEqual(asked(thrift, 0.5), new Set(["doubtful"]), thrift);
    assert.deepEqual(asked(thrift, 0.3), new Set(["good"]), thrift);
  }
  assert.deepEqual(asked("fastest", 0.3), new Set(["good", "doubtful"]));
  assert.deepEqual(asked("fastest", 0.1), new Set(["good"]));
  const desk = new Desk();
  desk.start();
  desk.add("liar", 1000, { prior: { score: 0.01 } });
  assert.equal(desk.asked("liar").length, 1, "nobody else has it");
});

Deno.test("A payment that is not agreed takes the peer out, and is told", () => {
  const desk = new Desk({ hasOrigin: true });
  desk.start();
  desk.add("paid", 5000);
  desk.tell({ type: "discovery-ended" });
  desk.fail("paid", "payment-required", "it asks 5000 msat per MiB, at most 2000 are paid");
  const start = desk.effects.find((effect) => effect.type === "start-origin");
  assert.equal(
    start!.reason,
    "no peer serves for what the policy pays: it asks 5000 msat per MiB, at most 2000 are paid",
  );
  assert.deepEqual(desk.scheduler.failures.map(({ code }) => code), ["payment-required"]);
  desk.add("paid", 5000);
  desk.add("paid", 6000);
  assert.equal(desk.asked("paid").length, 1, "announced again it asks no less");
  desk.add("paid", 1500);
  assert.equal(desk.asked("paid").length, 2, "it became cheaper");
});

Deno.test("A fetch that fails for want of payment alone says so", () => {
  const end = (codes: readonly ("payment-required" | "not-found" | "denied")[]) => {
    const desk = new Desk();
    desk.start();
    for (const index of codes.keys()) desk.add(`peer${index}`, 1000);
    desk.tell({ type: "discovery-ended" });
    for (const [index, code] of codes.entries()) {
      const { requestId } = desk.asked(`peer${index}`).at(-1)!;
      desk.tell({ type: "failed", requestId, code, message: code });
    }
    const fail = desk.effects.find((effect) => effect.type === "fail");
    return fail!.code;
  };
  assert.equal(end(["payment-required"]), "payment-required");
  assert.equal(end(["payment-required", "not-found"]), "payment-required");
  assert.equal(end(["not-found"]), "not-found");
  assert.equal(end(["payment-required", "denied"]), "unavailable");
});

Deno.test("A price told later counts from then on", () => {
  const desk = new Desk({ thrift: "cheapest" });
  desk.start();
  desk.add("a");
  desk.add("b");
  desk.tell({ type: "discovery-ended" });
  desk.tell({ type: "priced", sourceId: "a", priceMsatPerMiB: 700 });
  const before = desk.asked("a").length;
  desk.bring("a");
  desk.wait(300);
  desk.bring("b", 4);
  assert.equal(desk.asked("a").length, before, "b brings it for nothing");
});

Deno.test("Members of the fleet are free, whatever they ask of others", () => {
  const desk = new Desk({ thrift: "cheapest", hasOrigin: true });
  desk.start();
  desk.add("ours", 1000, { isFleet: true });
  assert.equal(desk.asked("ours").length, 1);
});

Deno.test("A fleet buys once: whoever comes first buys, the others wait for it", () => {
  for (const thrift of ["cheapest", "balanced"] as const) {
    const desk = new Desk({ thrift });
    desk.start();
    desk.add("ours", 0, {
      isFleet: true,
      fetchesBeforeUs: true,
      tellsHoldings: true,
      holdings: { state: "some", size: SMALL * GROUP, groups: RangeSet.EMPTY },
    });
    desk.add("paid", 1000);
    desk.tell({ type: "discovery-ended" });
    desk.wait(2000);
    assert.equal(desk.asked("paid").length, 0, thrift);
    desk.wait(5000);
    assert.ok(desk.asked("paid").length > 0, `${thrift}: it says nothing more of its fetch`);
  }
});

Deno.test("A paid peer gets the time that a payment takes before it counts as hanging", () => {
  const desk = new Desk();
  desk.start();
  desk.add("a", 1000);
  desk.add("b", 1000);
  desk.wait(3000);
  assert.ok(!desk.effects.some((effect) => effect.type === "cancel"));
  desk.wait(2500);
  assert.ok(desk.effects.some((effect) => effect.type === "cancel"));
});
