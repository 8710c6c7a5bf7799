/** `provider stop --evict`: lending ends, whatever state leases are in. */
import assert from "node:assert/strict";
import { evictAll } from "../../src/app/lifecycle/provider/evict_all.ts";
import { isSeedmintError } from "../../src/core/errors.ts";
import type { SpawnRequest } from "../../provisioning/wire/mod.ts";
import { ALICE, BOB, type Generation, LeaseWorld } from "../support/provisioning/lease_world.ts";
import { bareToken, safeToken } from "../support/provisioning/memory_till.ts";

const never = new AbortController().signal;

function spawn(token: string, image = "ubuntu:22.04"): SpawnRequest {
  return {
    type: "spawn",
    token,
    specId: "basic",
    image,
    sshUsername: "user",
    sshPassword: "short",
  };
}

/** Ends all while `ms` pass; @returns what was said. */
async function evict(world: LeaseWorld, one: Generation, ms: number) {
  const notes: string[] = [];
  let isDone = false;
  let error: unknown;
  const ending = evictAll(one, {
    clock: world.clock,
    signal: never,
    onNote: (note) => notes.push(note),
  }).then(() => isDone = true, (cause) => error = cause);
  assert.equal(one.provider.status().isDraining, true);
  await world.clock.advance(ms);
  if (error !== undefined || isDone) await ending;
  return { notes, isDone, error };
}

Deno.test("evictAll() ends leases and waits for their refunds, and drains as before", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await world.ask(one, ALICE, spawn(safeToken("s1", 180)));
  const { notes, isDone } = await evict(world, one, 1_000);
  assert.ok(isDone);
  assert.deepEqual(notes, ["ending 1 lease"]);
  assert.equal(world.backend.instances.size, 0);
  assert.equal(one.provider.status().openCount, 0);
  assert.equal(one.provider.status().isDraining, false);
});

Deno.test("evictAll() does not wait for images on their way, nor for refunds that cannot be paid", async () => {
  await using world = new LeaseWorld();
  {
    await using one = await world.start();
    await world.ask(one, ALICE, spawn(bareToken("b1", 180)));
    world.till.canRefund = false;
    world.images.endless.add("slow:1");
    const pulling = one.provider.ask(BOB, spawn(safeToken("s1", 180), "slow:1"));
    pulling.catch(() => {});
    await world.clock.settle();
    const { notes, isDone } = await evict(world, one, 10_000);
    assert.ok(isDone, "it waits still");
    assert.match(notes[1]!, /^not paid back yet: what is left of container-1000/);
    assert.equal(world.backend.instances.size, 0);
    assert.equal(one.provider.status().isDraining, false);
    assert.equal(world.till.redeemed.size, 1, "nothing is taken for what is not begun");
  }
  world.till.canRefund = true;
  await using two = await world.start();
  await world.clock.advance(60_000);
  assert.equal(two.provider.status().openCount, 0);
  assert.equal(world.till.balanceSat, 0);
});

Deno.test("evictAll() gives up on an engine that removes nothing, and says what to do", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await world.ask(one, ALICE, spawn(safeToken("s1", 180)));
  world.backend.broken.add("destroy");
  const { isDone, error } = await evict(world, one, 200_000);
  assert.equal(isDone, false);
  assert.ok(
    isSeedmintError(error, "timeout") && /container-1000 may still run/.test(error.message),
  );
  assert.equal(one.provider.status().isDraining, false);
});
