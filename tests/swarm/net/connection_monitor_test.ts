import assert from "node:assert/strict";
import { ConnectionMonitor } from "../../../swarm/net/connection_monitor.ts";

/** A clock that moves only when it is told to. */
class ManualClock {
  #nowMs = 0;
  #timers: { atMs: number; callback: () => void }[] = [];
  monotonicMs(): number {
    return this.#nowMs;
  }
  timer(ms: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, callback };
    this.#timers.push(timer);
    return () => this.#timers = this.#timers.filter((other) => other !== timer);
  }
  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    const due = this.#timers.filter((timer) => timer.atMs <= this.#nowMs);
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.#nowMs);
    for (const timer of due) timer.callback();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }
}

function setUp(ping: () => Promise<void>) {
  const clock = new ManualClock();
  const connection = { isAborted: false, abort: () => void (connection.isAborted = true) };
  let pingCount = 0;
  const monitor = new ConnectionMonitor({
    clock,
    connections: () => [connection],
    intervalMs: 10,
    ping: () => {
      pingCount++;
      return ping();
    },
  });
  monitor.touch(connection);
  return { clock, connection, monitor, pings: () => pingCount };
}

Deno.test("ConnectionMonitor drops a connection after two lost pings without a byte", async () => {
  const { clock, connection, monitor } = setUp(() => Promise.reject(new Error("late")));
  await clock.advance(10);
  assert.equal(connection.isAborted, false);
  await clock.advance(10);
  assert.equal(connection.isAborted, true);
  monitor.stop();
});

Deno.test("ConnectionMonitor keeps a busy connection however late its pings are", async () => {
  let failPing = (_error: Error) => {};
  const { clock, connection, monitor, pings } = setUp(() =>
    new Promise<void>((_, reject) => failPing = reject)
  );
  for (let round = 0; round < 5; round++) {
    await clock.advance(10);
    assert.equal(pings(), round + 1);
    await clock.advance(1);
    monitor.touch(connection);
    failPing(new Error("late"));
    await clock.advance(9);
  }
  assert.equal(connection.isAborted, false);
  monitor.stop();
});

Deno.test("ConnectionMonitor pings nothing that moved bytes within the interval", async () => {
  const { clock, connection, monitor, pings } = setUp(() => Promise.reject(new Error("late")));
  for (let round = 0; round < 20; round++) {
    await clock.advance(5);
    monitor.touch(connection);
  }
  assert.equal(pings(), 0);
  assert.equal(connection.isAborted, false);
  monitor.stop();
});

Deno.test("ConnectionMonitor forgets a lost ping once another is answered", async () => {
  let isLost = false;
  const { clock, connection, monitor } = setUp(() => {
    isLost = !isLost;
    return isLost ? Promise.reject(new Error("late")) : Promise.resolve();
  });
  for (let round = 0; round < 10; round++) await clock.advance(10);
  assert.equal(connection.isAborted, false);
  monitor.stop();
});
