import assert from "node:assert/strict";
import { LEASE_LIMITS } from "../../../provisioning/leases/limits.ts";
import type { Answer, SpawnRequest } from "../../../provisioning/wire/mod.ts";
import { ALICE, type Generation, LeaseWorld } from "../../support/provisioning/lease_world.ts";
import { bareToken, playToken, safeToken } from "../../support/provisioning/memory_till.ts";

const NAME = "container-1000";

function spawn(token: string, more: Partial<SpawnRequest> = {}): SpawnRequest {
  return {
    type: "spawn",
    token,
    specId: "basic",
    image: "ubuntu:22.04",
    sshUsername: "user",
    sshPassword: "short",
    ...more,
  };
}

async function leased(world: LeaseWorld, one: Generation, token: string) {
  const answer = await world.ask(one, ALICE, spawn(token));
  assert.equal(answer.type, "access", JSON.stringify(answer));
  return answer as Extract<Answer, { type: "access" }>;
}

function errorOf(answer: Answer): string | undefined {
  return answer.type === "error" ? answer.error : undefined;
}

Deno.test("a token that waits for its image cannot top another lease up, nor the other way round", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await leased(world, one, safeToken("s1", 180));
  const gate = Promise.withResolvers<void>();
  world.images.gate = gate.promise;
  const both = safeToken("both", 180);
  const spawning = one.provider.ask(ALICE, spawn(both, { image: "slow:1" }));
  await world.clock.settle();
  assert.equal(one.provider.leases()[0]?.state, "pulling");
  const topUp = await world.ask(one, ALICE, { type: "topup", lease: NAME, token: both });
  gate.resolve();
  await world.clock.advance(1_000);
  assert.equal((await spawning).type, "access");
  for (const lease of [NAME, "container-1001"]) {
    await world.ask(one, ALICE, { type: "stop", lease });
  }
  const back = [...world.till.refunds.values()].reduce((sum, { amountSat }) => sum + amountSat, 0);
  assert.ok(back <= 360, `${back} sat came back of 360`);
  assert.equal(errorOf(topUp), "token_already_spent");
});

Deno.test("a token whose lease is long forgotten pays for no other", async () => {
  await using world = new LeaseWorld();
  const token = safeToken("s1", 180);
  {
    await using one = await world.start();
    await leased(world, one, token);
  }
  world.clock.jump(LEASE_LIMITS.keepLeasesMs * 2);
  {
    await using _two = await world.start();
    await world.clock.settle();
  }
  world.clock.jump(LEASE_LIMITS.keepLeasesMs * 2);
  await using three = await world.start();
  assert.deepEqual(three.provider.leases(), []);
  assert.equal(errorOf(await world.ask(three, ALICE, spawn(token))), "token_already_spent");
  const { lease } = await leased(world, three, safeToken("s2", 180));
  const topUp = await world.ask(three, ALICE, { type: "topup", lease, token });
  assert.equal(errorOf(topUp), "token_already_spent");
});

Deno.test("a lessee whose container ends itself pays for the time that it ran", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await leased(world, one, safeToken("s1", 180));
  // Each minute is looked at; just before, the container ends.
  for (let round = 0; round < 6; round++) {
    await world.clock.advance(58_000);
    world.backend.instances.get(NAME)!.state = "stopped";
    await one.provider.reconcile();
  }
  await world.clock.settle();
  assert.equal(one.provider.leases()[0]?.state, "destroyed");
  const ranSat = 6 * 58 * 50 / 1000;
  assert.ok(world.till.balanceSat >= Math.floor(ranSat * 0.9), `${world.till.balanceSat} sat kept`);
});

Deno.test("a lessee cannot keep the mint busy with top-ups that are worth nothing", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await leased(world, one, safeToken("s1", 180));
  const before = world.till.redeemCount;
  world.till.isReachable = false;
  const asking: Promise<Answer>[] = [];
  for (let count = 0; count < 120; count++) {
    const token = playToken({
      secret: `junk ${count}`,
      amountSat: 9,
      hasValidDleq: count % 2 === 0,
    });
    const answer = one.provider.ask(ALICE, { type: "topup", lease: NAME, token });
    answer.catch(() => {});
    asking.push(answer);
    await world.clock.advance(1_000);
  }
  assert.ok(one.journal.payments.openTopUps().length <= 10);
  assert.ok(world.till.redeemCount - before < 200, `${world.till.redeemCount - before} questions`);
  world.till.isReachable = true;
  await world.clock.advance(120_000);
  await Promise.all(asking);
});

Deno.test("top-ups that come at once pay no further ahead than one could", async () => {
  await using world = new LeaseWorld();
  world.settings = { ...world.settings, maxDurationMs: 7_200_000 };
  await using one = await world.start();
  await leased(world, one, safeToken("s1", 180));
  world.till.isReachable = false;
  const asking = [1, 2, 3].map((count) =>
    one.provider.ask(ALICE, { type: "topup", lease: NAME, token: bareToken(`t${count}`, 170) })
  );
  await world.clock.advance(2_000);
  world.till.isReachable = true;
  await world.clock.advance(60_000);
  const answers = await Promise.all(asking);
  assert.equal(answers.filter(({ type }) => type === "topup").length, 1);
  assert.equal(world.till.balanceSat, 350);
});
