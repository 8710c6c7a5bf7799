/** What lessees keep while the engine, the provider or the clock is away. */
import assert from "node:assert/strict";
import type { Answer } from "../../../provisioning/wire/mod.ts";
import { ALICE, type Generation, LeaseWorld } from "../../support/provisioning/lease_world.ts";
import { safeToken } from "../../support/provisioning/memory_till.ts";

const NAME = "container-1000";
const HOUR = 3_600_000;

/** A lease of 180 sat: one hour. */
async function leased(world: LeaseWorld, one: Generation) {
  const answer = await world.ask(one, ALICE, {
    type: "spawn",
    token: safeToken("s1", 180),
    specId: "basic",
    image: "ubuntu:22.04",
    sshUsername: "user",
    sshPassword: "short",
  });
  assert.equal(answer.type, "access", JSON.stringify(answer));
  return answer as Extract<Answer, { type: "access" }>;
}

/** A lease whose instance ends `leftMs` before its time is over, and cannot be started. */
async function stopped(world: LeaseWorld, one: Generation, leftMs: number): Promise<void> {
  const { expiresMs } = await leased(world, one);
  await world.clock.advance(expiresMs - world.clock.nowMs() - leftMs);
  world.backend.instances.get(NAME)!.state = "stopped";
  world.backend.broken.add("start");
}

Deno.test("a lease keeps its grace when the engine cannot pause it, and when the provider is away", async () => {
  const graceMs = 600_000;
  await using world = new LeaseWorld();
  world.settings = { ...world.settings, graceMs };
  await using one = await world.start();
  const { expiresMs } = await leased(world, one);
  const label = () => world.backend.instances.get(NAME)!.expiresMs;
  assert.equal(label(), expiresMs + graceMs);
  world.backend.broken.add("pause");
  await world.clock.advance(expiresMs - world.clock.nowMs() + 10_000);
  const [lease] = one.provider.leases();
  assert.equal(lease?.state, "grace");
  assert.equal(label(), lease!.changedMs + graceMs);
  const before = world.backend.calls.lastIndexOf("extend");
  assert.ok(before > world.backend.calls.indexOf("create"));
  assert.equal(world.backend.calls[before + 1], "pause", "the label comes first");
});

Deno.test("a lease whose instance the engine does not start for minutes is neither charged nor lost", async () => {
  await using world = new LeaseWorld();
  let expiresMs: number;
  {
    await using one = await world.start();
    ({ expiresMs } = await leased(world, one));
    await world.clock.advance(60_000);
  }
  // The machine boots, and its engine is there before its network is.
  world.backend.instances.get(NAME)!.state = "stopped";
  world.backend.broken.add("start");
  await using two = await world.start();
  await world.clock.advance(360_000);
  assert.equal(two.provider.leases()[0]?.state, "ready");
  world.backend.broken.clear();
  await world.clock.advance(61_000);
  const [lease] = two.provider.leases();
  assert.equal(world.backend.instances.get(NAME)?.state, "running");
  assert.equal(lease?.revivalCount, 1);
  assert.equal(lease?.downSinceMs, undefined);
  const wonMs = lease!.expiresMs! - expiresMs;
  assert.ok(wonMs >= 360_000 && wonMs <= 421_000, `${wonMs} ms were not charged`);
  assert.equal(world.backend.instances.get(NAME)?.expiresMs, lease!.expiresMs);
});

Deno.test("a lease whose time would be over while it cannot be started is not ended by that, and not kept for ever", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await stopped(world, one, 90_000);
  await world.clock.advance(300_000);
  assert.equal(one.provider.leases()[0]?.state, "ready");
  await world.clock.advance(1_800_000);
  const [lease] = one.provider.leases();
  assert.equal(lease?.ending?.reason, "lost");
  // What lies between two looks is charged, the rest of the 90 s is not.
  const refunded = [...world.till.refunds.values()][0]?.amountSat ?? 0;
  assert.ok(refunded >= 1 && refunded <= 4, `${refunded} sat came back`);
});

Deno.test("a lease that cannot be started keeps its disk beyond its former end", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await stopped(world, one, 300_000);
  await world.clock.advance(600_000);
  const [lease] = one.provider.leases();
  assert.equal(lease?.state, "ready");
  const label = world.backend.instances.get(NAME)!.expiresMs;
  assert.ok(
    label > world.clock.nowMs(),
    `the watchdog wipes it ${world.clock.nowMs() - label} ms ago`,
  );
});

Deno.test("a lease that is down and gone at its end, or whose engine is silent, is lost and paid back", async () => {
  for (const isGone of [true, false]) {
    await using world = new LeaseWorld();
    await using one = await world.start();
    await stopped(world, one, 300_000);
    await world.clock.advance(120_000);
    assert.notEqual(one.provider.leases()[0]?.downSinceMs, undefined);
    // Destroyed by the watchdog while the provider was away, or its engine died with it.
    if (isGone) world.backend.instances.delete(NAME);
    else world.backend.isReachable = false;
    await world.clock.advance(isGone ? 600_000 : 2_400_000);
    const [lease] = one.provider.leases();
    assert.equal(lease?.ending?.reason, "lost", isGone ? "gone" : "silent");
    world.backend.isReachable = true;
    await world.clock.advance(120_000);
    const refunded = [...world.till.refunds.values()][0]?.amountSat ?? 0;
    assert.ok(refunded >= 1 && refunded <= 15, `${refunded} sat came back`);
    assert.equal(world.backend.instances.has(NAME), false);
  }
});

Deno.test("a provider that starts with a clock that is behind gives its leases no more than was paid", async () => {
  await using world = new LeaseWorld();
  {
    await using one = await world.start();
    await leased(world, one);
    await world.clock.advance(60_000);
  }
  world.clock.jump(-720 * HOUR);
  await using two = await world.start();
  const left = () => two.provider.leases()[0]!.expiresMs! - world.clock.nowMs();
  assert.ok(left() <= HOUR, `${left() / HOUR} h are left`);
  await world.clock.advance(5_000);
  world.clock.jump(720 * HOUR);
  await world.clock.advance(20_000);
  assert.ok(left() <= HOUR && left() > HOUR - 120_000, `${left() / HOUR} h are left`);
  assert.equal(world.backend.instances.get(NAME)?.expiresMs, two.provider.leases()[0]?.expiresMs);
  await world.clock.advance(HOUR);
  assert.equal(two.provider.leases()[0]?.ending?.reason, "expired");
});

Deno.test("an instance that ended while the clock was behind is not charged as if it had been watched", async () => {
  await using world = new LeaseWorld();
  {
    await using one = await world.start();
    await leased(world, one);
    await world.clock.advance(60_000);
  }
  world.backend.instances.get(NAME)!.state = "stopped";
  world.clock.jump(-24 * HOUR);
  await using two = await world.start();
  await world.clock.advance(1_000);
  const [lease] = two.provider.leases();
  assert.equal(lease?.state, "ready");
  const leftMs = lease!.expiresMs! - world.clock.nowMs();
  assert.ok(leftMs <= HOUR && leftMs > HOUR - 130_000, `${leftMs} ms are left`);
});
