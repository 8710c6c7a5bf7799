import assert from "node:assert/strict";
import type { Digest } from "../../../../swarm/registry/names.ts";
import type { Target } from "../../../../swarm/registry/mirror/access.ts";
import { Flight } from "../../../../swarm/registry/mirror/flight.ts";
import { MemoryBlobStore } from "../../../../swarm/store/memory_store.ts";
import { ManualClock } from "../../../support/manual_clock.ts";

function scene() {
  const clock = new ManualClock();
  const store = new MemoryBlobStore({ clock });
  const request = {
    target: {} as Target,
    digest: `sha256:${"a".repeat(64)}` as Digest,
    size: 1,
  };
  return { clock, flight: new Flight(request, { store, clock, pollMs: 10 }) };
}

/** Notes whether a promise is over, without waiting for it. */
function watched(promise: Promise<void>): { isOver: boolean } {
  const state = { isOver: false };
  void promise.then(() => state.isOver = true);
  return state;
}

const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

Deno.test("A blob is checked once the last of its readers has all of it", async () => {
  const { flight } = scene();
  const { signal } = new AbortController();
  await flight.unread({ ms: 2000, signal });
  const first = flight.read();
  const second = flight.read();
  const unread = watched(flight.unread({ ms: 2000, signal }));
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await turns();
  assert.equal(unread.isOver, false);
  second[Symbol.dispose]();
  await turns();
  assert.equal(unread.isOver, true);
});

Deno.test("A reader that is slow puts the check of a blob off for a while only", async () => {
  const { clock, flight } = scene();
  using _reader = flight.read();
  const unread = watched(flight.unread({ ms: 2000, signal: new AbortController().signal }));
  await clock.advance(1900);
  await turns();
  assert.equal(unread.isOver, false);
  await clock.advance(200);
  await turns();
  assert.equal(unread.isOver, true);
});

Deno.test("Nobody waits for the readers of a flight that is over", async () => {
  const { flight } = scene();
  using _reader = flight.read();
  const abort = new AbortController();
  const unread = flight.unread({ ms: 2000, signal: abort.signal });
  abort.abort(new Error("over"));
  await assert.rejects(unread, /over/);
});
