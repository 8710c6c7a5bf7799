import assert from "node:assert/strict";
import { keepUp } from "../../../swarm/net/keep_up.ts";

/** Runs keepUp on a clock that only notes how long it was asked to sleep. */
async function run(
  options: { readonly isUp: () => boolean; readonly bringUp: () => Promise<void> },
  pauseCount: number,
): Promise<number[]> {
  const stop = new AbortController();
  const pauses: number[] = [];
  await keepUp({
    name: "Relay",
    ...options,
    clock: {
      sleep: (ms) => {
        pauses.push(ms);
        if (pauses.length === pauseCount) stop.abort(new Error("done"));
        return Promise.resolve();
      },
    },
    onChange: () => () => {},
    jitter: 0,
    signal: stop.signal,
  });
  return pauses;
}

Deno.test("keepUp doubles its pauses up to five minutes", async () => {
  const pauses = await run({
    isUp: () => false,
    bringUp: () => Promise.reject(new Error("refused")),
  }, 12);
  assert.deepEqual(pauses.slice(0, 4), [1_000, 2_000, 4_000, 8_000]);
  assert.equal(pauses.at(-1), 300_000);
});

Deno.test("keepUp begins with a short pause again once it was up", async () => {
  let tryCount = 0;
  let isUp = false;
  const pauses = await run({
    isUp: () => {
      const wasUp = isUp;
      isUp = false;
      return wasUp;
    },
    bringUp: () => {
      tryCount++;
      isUp = tryCount === 3;
      return tryCount === 3 ? Promise.resolve() : Promise.reject(new Error("refused"));
    },
  }, 5);
  assert.deepEqual(pauses.slice(0, 3), [1_000, 2_000, 4_000]);
  assert.equal(tryCount >= 4, true);
});

Deno.test("keepUp looks again when something changed, long before its pause is over", async () => {
  const stop = new AbortController();
  let isUp = true;
  let tryCount = 0;
  let change = () => {};
  const running = keepUp({
    name: "Relay",
    isUp: () => isUp,
    bringUp: () => {
      tryCount++;
      isUp = true;
      stop.abort(new Error("done"));
      return Promise.resolve();
    },
    clock: {
      sleep: (_ms, { signal } = {}) =>
        new Promise((_, reject) => {
          if (signal!.aborted) return reject(signal!.reason);
          signal!.addEventListener("abort", () => reject(signal!.reason), { once: true });
        }),
    },
    onChange: (listener) => {
      change = listener;
      return () => {};
    },
    jitter: 0,
    signal: stop.signal,
  });
  await Promise.resolve();
  isUp = false;
  change();
  await running;
  assert.equal(tryCount, 1);
});
