/** What an image or a disk does that is fatal: it must not be so again and again. */
import assert from "node:assert/strict";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Request } from "../../../provisioning/wire/mod.ts";
import { ALICE, LeaseWorld } from "../../support/provisioning/lease_world.ts";
import { safeToken } from "../../support/provisioning/memory_till.ts";

const SPAWN: Request = {
  type: "spawn",
  token: safeToken("s1", 180),
  specId: "basic",
  image: "ubuntu:22.04",
  sshUsername: "user",
  sshPassword: "short",
};

Deno.test("an image in whose making ready the provider ended twice is not tried again, and costs nothing", async () => {
  await using world = new LeaseWorld();
  let tryCount = 0;
  Object.assign(world.backend, {
    prepare: () => {
      tryCount++;
      return new Promise<never>(() => {});
    },
  });
  for (const round of [1, 2]) {
    await using one = await world.start();
    if (round === 1) one.provider.ask(ALICE, SPAWN).catch(() => {});
    await world.clock.advance(100);
    assert.equal(tryCount, round);
    assert.equal(one.provider.leases()[0]?.state, "pulling");
  }
  await using last = await world.start();
  await world.clock.advance(100);
  assert.equal(tryCount, 2);
  const [lease] = last.provider.leases();
  assert.equal(lease?.state, "refunded");
  assert.match(lease.ending!.message, /The image cannot be used: .* 2 times/);
  assert.equal(lease.creditMsat, 0);
});

Deno.test("a lease whose disk is damaged beyond repair is lost at once, and what is left is paid back", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  assert.equal((await world.ask(one, ALICE, SPAWN)).type, "access");
  for (const instance of world.backend.instances.values()) instance.state = "stopped";
  Object.assign(world.backend, {
    start: () => Promise.reject(new SeedmintError("corrupt", "its blocks are gone")),
  });
  assert.equal((await one.provider.reconcile()).lostCount, 1);
  await world.clock.advance(1000);
  const [lease] = one.provider.leases();
  assert.equal(lease?.state, "destroyed");
  assert.match(lease.ending!.message, /disk was damaged/);
  assert.equal(lease.refund?.status, "refunded");
  assert.equal(world.backend.instances.size, 0);
});
