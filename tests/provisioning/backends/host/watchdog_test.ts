import assert from "node:assert/strict";
import { join } from "node:path";
import { runWatchdog } from "../../../../provisioning/backends/host/mod.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

const HOUR_MS = 3_600_000;

/** A watchdog over one lease that has a minute left. */
async function watch(
  test: (parts: {
    readonly clock: ManualClock;
    readonly lease: { leaseId: string; expiresMs: number };
    /** What was ended. */
    readonly ended: string[];
  }) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  const lease = { leaseId: "container-1000", expiresMs: clock.nowMs() + 60_000 };
  const ended: string[] = [];
  const closing = new AbortController();
  const directory = await Deno.makeTempDir();
  const watching = runWatchdog({
    backend: {
      list: () => Promise.resolve([{ ...lease, state: "running", owner: "" }]),
      destroyExpired: (leaseId, graceMs) => {
        const isOver = clock.nowMs() >= lease.expiresMs + graceMs;
        if (isOver) ended.push(leaseId);
        return Promise.resolve(isOver);
      },
    },
    clock,
    pidFile: join(directory, "watchdog.pid"),
    signal: closing.signal,
  });
  try {
    while (clock.timerCount === 0) await clock.settle();
    await test({ clock, lease, ended });
  } finally {
    closing.abort();
    await watching;
    await Deno.remove(directory, { recursive: true });
  }
}

for (const [direction, stepMs] of [["ahead", HOUR_MS], ["back", -HOUR_MS]] as const) {
  Deno.test(`the watchdog leaves a lease its time when the wall clock is set ${direction}`, () =>
    watch(async ({ clock, ended }) => {
      await clock.advance(10_000);
      clock.jump(stepMs);
      await clock.advance(45_000);
      assert.deepEqual(ended, []);
      await clock.advance(10_000);
      assert.ok(ended.length > 0, "its minute is over");
    }));
}

Deno.test("the watchdog goes by the end that a provider moved with the wall clock", () =>
  watch(async ({ clock, lease, ended }) => {
    clock.jump(HOUR_MS);
    await clock.advance(5_000);
    lease.expiresMs += HOUR_MS + 30_000;
    await clock.advance(80_000);
    assert.deepEqual(ended, []);
    await clock.advance(15_000);
    assert.ok(ended.length > 0);
  }));

Deno.test("the watchdog takes an end that changed with the wall clock in one second for the later one", () =>
  watch(async ({ clock, lease, ended }) => {
    lease.expiresMs += 5_000;
    clock.jump(HOUR_MS);
    await clock.advance(60_000);
    assert.deepEqual(ended, []);
    await clock.advance(10_000);
    assert.ok(ended.length > 0);
  }));
