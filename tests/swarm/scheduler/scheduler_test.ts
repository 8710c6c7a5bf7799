import assert from "node:assert/strict";
import { RangeSet } from "../../../src/core/range_set.ts";
import {
  Scheduler,
  type SchedulerEffect,
  type SchedulerEvent,
  type SchedulerOptions,
} from "../../../swarm/scheduler/mod.ts";

const GROUP = 16384;
const LAST = 2 ** 34;

/** A scheduler with its clock in hand. */
class Desk {
  nowMs = 0;
  readonly scheduler: Scheduler;

  constructor(options: Partial<SchedulerOptions> = {}) {
    this.scheduler = new Scheduler({ hasOrigin: false, seed: 1, ...options });
  }

  tell(event: SchedulerEvent): readonly SchedulerEffect[] {
    return this.scheduler.step(event, this.nowMs);
  }

  start(groupCount?: number): void {
    this.tell(
      groupCount === undefined ? { type: "start", missing: RangeSet.ALL } : {
        type: "start",
        missing: RangeSet.of(0, groupCount),
        size: groupCount * GROUP,
      },
    );
  }

  add(sourceId: string, options: { kind?: "peer" | "origin"; tellsHoldings?: boolean } = {}) {
    return this.tell({
      type: "source-added",
      sourceId,
      kind: options.kind ?? "peer",
      tellsHoldings: options.tellsHoldings ?? false,
    });
  }

  /** Lets the time pass in ticks; gives all effects. */
  wait(ms: number): SchedulerEffect[] {
    const effects: SchedulerEffect[] = [];
    for (const end = this.nowMs + ms; this.nowMs < end;) {
      this.nowMs += 50;
      effects.push(...this.tell({ type: "tick" }));
    }
    return effects;
  }
}

function requestsIn(effects: readonly SchedulerEffect[]) {
  return effects.filter((effect) => effect.type === "request");
}

Deno.test("The first request asks for the beginning and for the last group, which proves the size", () => {
  const desk = new Desk();
  desk.start();
  const [request] = requestsIn(desk.add("a"));
  assert.equal(request!.purpose, "opener");
  assert.equal(request!.size, undefined);
  assert.ok(request!.groups.has(0) && request!.groups.has(LAST));
});

Deno.test("Nothing big is asked for before the size is proven", () => {
  const desk = new Desk();
  desk.start();
  const [opener] = requestsIn(desk.add("a"));
  const later = [
    ...desk.add("b"),
    ...desk.tell({ type: "granted", requestId: opener!.requestId, size: 1e12 }),
    ...desk.wait(900),
  ];
  for (const request of requestsIn(later)) {
    const isProof = request.groups.equals(RangeSet.of(LAST));
    assert.ok(isProof || request.purpose === "probe", `${request.purpose} ${request.groups}`);
    assert.equal(request.size, undefined);
  }
});

Deno.test("A peer gets work on a large blob only after it brought a random group", () => {
  const desk = new Desk();
  desk.start(4096);
  const [probe] = requestsIn(desk.add("a"));
  assert.equal(probe!.purpose, "probe");
  assert.equal(probe!.groups.count, 1);
  const group = probe!.groups.first!;
  const effects = desk.tell({
    type: "verified",
    requestId: probe!.requestId,
    groups: { start: group, end: group + 1 },
  });
  const [work] = requestsIn(effects);
  assert.equal(work!.purpose, "work");
  assert.ok(!work!.groups.has(group));
  const others = [2, 3, 4].map((seed) => {
    const other = new Desk({ seed });
    other.start(4096);
    return requestsIn(other.add("a"))[0]!.groups.first;
  });
  assert.ok(new Set([group, ...others]).size > 1, "the group is always the same");
});

Deno.test("A peer that does not answer its probe gets no work", () => {
  const desk = new Desk();
  desk.start(4096);
  desk.add("a");
  desk.add("b");
  const requests = requestsIn(desk.wait(20_000));
  assert.ok(requests.every((request) => request.purpose === "probe"), JSON.stringify(requests));
});

Deno.test("A liar loses its ranges at once, stays out when announced again, and is named", () => {
  const desk = new Desk();
  desk.start(300);
  const first = requestsIn(desk.add("liar"));
  assert.ok(first.length >= 1);
  const effects = desk.tell({
    type: "failed",
    requestId: first[0]!.requestId,
    code: "corrupt",
    message: "group 7 does not match",
  });
  for (const request of first.slice(1)) {
    assert.ok(effects.some((one) => one.type === "cancel" && one.requestId === request.requestId));
  }
  assert.deepEqual(requestsIn(desk.add("liar")), []);
  const [taken] = requestsIn(desk.add("honest"));
  assert.equal(taken!.groups.first, 0);
  assert.deepEqual(desk.scheduler.failures, [
    { id: "liar", code: "corrupt", message: "group 7 does not match" },
  ]);
});

Deno.test("A source that was removed may return", () => {
  const desk = new Desk();
  desk.start(300);
  desk.add("a");
  const effects = desk.tell({ type: "source-removed", sourceId: "a", reason: "gone" });
  assert.ok(effects.some((effect) => effect.type === "cancel"));
  assert.ok(requestsIn(desk.add("a")).length > 0);
});

Deno.test("A source that wants money or refuses is skipped for this fetch", () => {
  for (const code of ["payment-required", "denied", "protocol"] as const) {
    const desk = new Desk();
    desk.start(10);
    const [request] = requestsIn(desk.add("a"));
    desk.tell({ type: "failed", requestId: request!.requestId, code, message: code });
    assert.deepEqual(requestsIn(desk.wait(10_000)), [], code);
    assert.equal(requestsIn(desk.add("b")).length, 1, code);
  }
});

Deno.test("Our own disk failing ends the fetch with its reason", () => {
  const desk = new Desk();
  desk.start(10);
  const [request] = requestsIn(desk.add("a"));
  const effects = desk.tell({
    type: "failed",
    requestId: request!.requestId,
    code: "no-space",
    message: "the disk is full",
  });
  const end = effects.find((effect) => effect.type === "fail");
  assert.deepEqual(end, { type: "fail", code: "no-space", reason: "the disk is full" });
  assert.deepEqual(desk.add("b"), [], "nothing comes after the end");
});

Deno.test("A silent request is asked elsewhere after 1 s, and left alone while nobody else has it", () => {
  const alone = new Desk();
  alone.start(10);
  alone.add("a");
  const kept = alone.wait(3000).filter((effect) => effect.type === "cancel");
  assert.deepEqual(kept, []);

  const desk = new Desk();
  desk.start(10);
  const [request] = requestsIn(desk.add("a"));
  desk.add("b");
  const effects = desk.wait(1050);
  const taken = requestsIn(effects).find((one) => one.sourceId === "b");
  assert.ok(taken!.groups.equals(request!.groups));
});

Deno.test("Time that the machine slept is held against no source", () => {
  const desk = new Desk({ hasOrigin: true });
  desk.start(10);
  desk.add("a");
  desk.add("b");
  desk.wait(500);
  desk.nowMs += 3_600_000;
  assert.deepEqual(desk.tell({ type: "tick" }), []);
  const effects = desk.wait(1050);
  assert.ok(effects.some((effect) => effect.type === "cancel"), "it watches again afterwards");
});

Deno.test("The next range of a source is asked before the current one ends", () => {
  const desk = new Desk();
  desk.start(1000);
  const first = requestsIn(desk.add("a"));
  let done = 0;
  let second = first[1];
  const request = first[0]!;
  const count = request.groups.count;
  while (second === undefined && done < count) {
    desk.nowMs += 1;
    const effects = desk.tell({
      type: "verified",
      requestId: request.requestId,
      groups: { start: done, end: done + 1 },
    });
    done++;
    second = requestsIn(effects)[0];
  }
  assert.ok(second !== undefined && done < count, `${done} of ${count}`);
  assert.ok(!second.groups.intersects(request.groups));
});

Deno.test("The origin joins by policy", () => {
  const joins = (policy: SchedulerOptions["policy"], ms: number) => {
    const desk = new Desk({ hasOrigin: true, ...(policy === undefined ? {} : { policy }) });
    const effects = [...desk.tell({ type: "start", missing: RangeSet.ALL }), ...desk.wait(ms)];
    return effects.some((effect) => effect.type === "start-origin");
  };
  assert.equal(joins("race", 0), true);
  assert.equal(joins("origin-first", 0), true);
  assert.equal(joins("swarm-first", 1000), false);
  assert.equal(joins("swarm-first", 2000), true);
  assert.equal(joins(undefined, 2000), true);
  assert.equal(joins("swarm-only", 60_000), false);
});

Deno.test("The origin joins when the swarm is slower than the floor", () => {
  const run = (groupsPerTick: number) => {
    const desk = new Desk({ hasOrigin: true });
    desk.start(900);
    const [request] = requestsIn(desk.add("a"));
    let at = 0;
    const effects: SchedulerEffect[] = [];
    for (let tick = 0; tick < 100 && at < 40; tick++) {
      effects.push(...desk.wait(50));
      if (tick % 20 !== 0 && groupsPerTick < 1) continue;
      const end = at + Math.max(1, groupsPerTick);
      desk.tell({ type: "verified", requestId: request!.requestId, groups: { start: at, end } });
      at = end;
    }
    return effects.find((effect) => effect.type === "start-origin");
  };
  assert.match(run(0.05)?.reason ?? "", /KiB\/s/);
});

Deno.test("A fetch that nobody can complete ends when no more sources are to be expected", () => {
  const desk = new Desk();
  desk.start();
  assert.deepEqual(desk.wait(5000), []);
  const effects = desk.tell({ type: "discovery-ended" });
  assert.equal(effects[0]!.type, "fail");
});

Deno.test("Partial holders are asked for what they hold, and the rarest first", () => {
  const desk = new Desk();
  desk.start(400);
  const some = (sourceId: string, groups: RangeSet) =>
    desk.tell({
      type: "source-added",
      sourceId,
      kind: "peer",
      tellsHoldings: true,
      holdings: { state: "some", size: 400 * GROUP, groups },
    });
  const first = requestsIn(some("a", RangeSet.of(100, 300)));
  const second = requestsIn(some("b", RangeSet.of(0, 200)));
  const third = requestsIn(desk.add("whole"));
  assert.ok(first.every((request) => RangeSet.of(100, 300).includes(request.groups)));
  assert.ok(second.every((request) => RangeSet.of(0, 200).includes(request.groups)));
  assert.ok(third[0]!.groups.first! >= 300, `${third[0]!.groups}`);
});
