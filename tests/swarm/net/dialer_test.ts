import assert from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { DialAddress } from "../../../swarm/net/addresses.ts";
import { Dialer } from "../../../swarm/net/dialer.ts";
import { ManualClock } from "../../support/manual_clock.ts";

class FakeConnection {
  readonly name: string;
  isAborted = false;
  constructor(name: string) {
    this.name = name;
  }
  abort(): void {
    this.isAborted = true;
  }
}

function addressesOf(...names: string[]): DialAddress[] {
  return names.map((text) => ({ text, scope: "public", transport: "tcp", relayed: false }));
}

/** Resolves or fails after `ms`, or when the signal says so. */
function after(ms: number, address: DialAddress, signal: AbortSignal): Promise<FakeConnection> {
  return systemClock.sleep(ms, { signal }).then(() => new FakeConnection(address.text));
}

Deno.test("Dialer starts the next address beside one that does not answer", async () => {
  const signals: AbortSignal[] = [];
  const dialer = new Dialer<FakeConnection>({
    clock: systemClock,
    dial: (_peer, address, signal) => {
      signals.push(signal);
      return after(address.text === "slow" ? 60_000 : 1, address, signal);
    },
  });
  const beganMs = performance.now();
  const connection = await dialer.dial("peer", addressesOf("slow", "fast"));
  assert.equal(connection.name, "fast");
  assert.ok(performance.now() - beganMs < 30_000);
  assert.equal(signals[0]!.aborted, true);
  // A socket stays bound to the signal it was dialled with.
  assert.equal(signals[1]!.aborted, false);
});

Deno.test("Dialer goes on at once after a refusal, and tells of every failure at the end", async () => {
  const dialer = new Dialer<FakeConnection>({
    // It stands still: whoever waits for it waits for ever.
    clock: new ManualClock(),
    dial: (_peer, address) => Promise.reject(new Error(`refused ${address.text}`)),
  });
  await assert.rejects(dialer.dial("peer", addressesOf("a", "b", "c")), (error) => {
    assert.ok(isSeedmintError(error, "unavailable"));
    assert.match(error.message, /a: refused a; b: refused b; c: refused c/);
    return true;
  });
});

Deno.test("Dialer joins callers of one peer, and a joined failure tries one's own hints", async () => {
  let dialCount = 0;
  const dialer = new Dialer<FakeConnection>({
    clock: systemClock,
    dial: (_peer, address, signal) => {
      dialCount++;
      return address.text === "bad" ? Promise.reject(new Error("bad")) : after(20, address, signal);
    },
  });
  const [first, second] = await Promise.all([
    dialer.dial("peer", addressesOf("good")),
    dialer.dial("peer", addressesOf("good")),
  ]);
  assert.equal(first, second);
  assert.equal(dialCount, 1);
  const [bad, good] = await Promise.allSettled([
    dialer.dial("peer", addressesOf("bad")),
    dialer.dial("peer", addressesOf("good")),
  ]);
  assert.equal(bad.status, "rejected");
  assert.equal(good.status, "fulfilled");
});

Deno.test("Dialer stops dialling once nobody waits", async () => {
  let signal: AbortSignal | undefined;
  const dialer = new Dialer<FakeConnection>({
    clock: systemClock,
    dial: (_peer, address, given) => {
      signal = given;
      return after(60_000, address, given);
    },
  });
  const caller = new AbortController();
  const dial = dialer.dial("peer", addressesOf("slow"), caller.signal);
  caller.abort(new Error("changed my mind"));
  await assert.rejects(dial, /changed my mind/);
  assert.equal(signal!.aborted, true);
});

Deno.test("Dialer drops a second connection that came too late", async () => {
  const made: FakeConnection[] = [];
  const dialer = new Dialer<FakeConnection>({
    clock: systemClock,
    // Deaf to its signal, as a handshake that is nearly over may be.
    dial: async (_peer, address) => {
      await systemClock.sleep(address.text === "a" ? 300 : 80);
      const connection = new FakeConnection(address.text);
      made.push(connection);
      return connection;
    },
  });
  const connection = await dialer.dial("peer", addressesOf("a", "b"));
  await systemClock.sleep(400);
  assert.equal(made.length, 2);
  assert.deepEqual(made.map((other) => other.isAborted), made.map((other) => other !== connection));
});
