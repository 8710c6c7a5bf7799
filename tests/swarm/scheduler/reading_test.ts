import assert from "node:assert/strict";
import { RangeSet } from "../../../src/core/range_set.ts";
import {
  Scheduler,
  SCHEDULER_LIMITS,
  type SchedulerEffect,
  type SchedulerEvent,
} from "../../../swarm/scheduler/mod.ts";

const GROUP = 16384;
const COUNT = 64 * 1024;

/** A blob of 1 GiB, all missing, and two peers that hold parts, so that starting points are random. */
function scene(reading: number | undefined) {
  const scheduler = new Scheduler({ hasOrigin: false, seed: 7 });
  const tell = (event: SchedulerEvent) => scheduler.step(event, 0);
  tell({ type: "start", missing: RangeSet.of(0, COUNT), size: COUNT * GROUP });
  tell({ type: "reading", group: reading });
  const effects: SchedulerEffect[] = [];
  for (const sourceId of ["a", "b"]) {
    const size = COUNT * GROUP;
    const groups = RangeSet.of(0, COUNT - 1);
    effects.push(...tell({
      type: "source-added",
      sourceId,
      kind: "peer",
      tellsHoldings: true,
      holdings: { state: "some", size, groups },
    }));
  }
  // Peers show with one group that they have what they say; then they are given work.
  for (const probe of requestsIn(effects)) {
    const [groups] = [...probe.groups];
    effects.push(
      ...tell({ type: "verified", requestId: probe.requestId, groups: groups! }),
      ...tell({ type: "finished", requestId: probe.requestId }),
    );
  }
  return requestsIn(effects).filter((request) => request.purpose === "work");
}

function requestsIn(effects: readonly SchedulerEffect[]) {
  return effects.filter((effect) => effect.type === "request");
}

Deno.test("What somebody reads next is asked for first and in order, by every peer, where ranges begin anywhere otherwise", () => {
  const reading = 40_000;
  const work = scene(reading);
  assert.ok(work.length >= 2, `${work.length} requests`);
  assert.equal(work[0]!.groups.first, reading);
  for (const request of work) {
    const first = request.groups.first!;
    assert.ok(first >= reading, `${first} lies before what is read`);
    assert.ok(first < reading + SCHEDULER_LIMITS.readAheadGroups, `${first} is too far ahead`);
  }
  const anywhere = scene(undefined);
  assert.ok(
    anywhere.some((request) =>
      Math.abs(request.groups.first! - reading) > SCHEDULER_LIMITS.readAheadGroups
    ),
    "without a reader the same peers are asked for other parts",
  );
});

Deno.test("When the rest after a reader is held, what lies before it is fetched", () => {
  const scheduler = new Scheduler({ hasOrigin: false, seed: 7 });
  scheduler.step({ type: "start", missing: RangeSet.of(0, 512), size: 1024 * GROUP }, 0);
  scheduler.step({ type: "reading", group: 600 }, 0);
  const effects = scheduler.step({
    type: "source-added",
    sourceId: "a",
    kind: "peer",
    tellsHoldings: false,
  }, 0);
  const [request] = requestsIn(effects);
  assert.ok(request !== undefined && request.groups.boundaries.at(-1)! <= 512);
});
