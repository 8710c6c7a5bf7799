import assert from "node:assert/strict";
import type { Answer, SpawnRequest } from "../../../provisioning/wire/mod.ts";
import { ALICE, BOB, type Generation, LeaseWorld } from "../../support/provisioning/lease_world.ts";
import { bareToken, safeToken } from "../../support/provisioning/memory_till.ts";

const NAME = "container-1000";

/** A lease of 180 sat: one hour. */
async function leased(world: LeaseWorld, one: Generation, more: Partial<SpawnRequest> = {}) {
  const answer = await world.ask(one, ALICE, {
    type: "spawn",
    token: safeToken("s1", 180),
    specId: "basic",
    image: "ubuntu:22.04",
    sshUsername: "user",
    sshPassword: "short",
    ...more,
  });
  assert.equal(answer.type, "access", JSON.stringify(answer));
  return answer as Extract<Answer, { type: "access" }>;
}

function errorOf(answer: Answer): string | undefined {
  return answer.type === "error" ? answer.error : undefined;
}

Deno.test("a lease ends on time, and its capacity and ports are free then", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const { expiresMs } = await leased(world, one);
  await world.clock.advance(expiresMs - world.clock.nowMs() - 1000);
  assert.equal(world.backend.instances.size, 1);
  await world.clock.advance(2000);
  assert.equal(world.backend.instances.size, 0);
  assert.equal(one.provider.leases()[0]?.ending?.reason, "expired");
  assert.equal(one.provider.status().free.cpuMillicores, 10_000);
  assert.equal(world.till.balanceSat, 180);
  assert.equal(
    errorOf(await world.ask(one, ALICE, { type: "topup", lease: NAME, token: bareToken("t", 9) })),
    "lease_expired",
  );
  assert.equal(world.till.redeemed.size, 1);
});

Deno.test("an instance that cannot be removed holds its capacity until it is absent", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const { expiresMs } = await leased(world, one);
  world.backend.broken.add("destroy");
  await world.clock.advance(expiresMs - world.clock.nowMs() + 30_000);
  assert.equal(one.provider.status().free.cpuMillicores, 9000);
  world.backend.broken.clear();
  await world.clock.advance(61_000);
  assert.equal(one.provider.status().free.cpuMillicores, 10_000);
  assert.equal(world.backend.instances.size, 0);
});

Deno.test("a top-up prolongs the lease by what it pays for, once, also when it is asked twice", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const { expiresMs } = await leased(world, one);
  const request = { type: "topup", lease: NAME, token: bareToken("t1", 60) } as const;
  const first = await world.ask(one, ALICE, request);
  assert.deepEqual(first, await world.ask(one, ALICE, request));
  assert.equal(first.type === "topup" && first.extendedS, 1200);
  assert.equal(first.type === "topup" && first.expiresMs, expiresMs + 1_200_000);
  assert.equal(world.backend.instances.get(NAME)?.expiresMs, expiresMs + 1_200_000);
  const foreign = await world.ask(one, BOB, { ...request, token: bareToken("t2", 60) });
  const none = await world.ask(one, BOB, { ...request, lease: "container-77" });
  assert.equal(errorOf(foreign), "not_found");
  assert.deepEqual(foreign, none, "whether a lease is there is told to nobody else");
  assert.equal(
    errorOf(await world.ask(one, ALICE, { ...request, lease: "pod" })),
    "invalid_pod_id",
  );
  assert.equal(
    errorOf(await world.ask(one, ALICE, { ...request, token: safeToken("s1", 180) })),
    "token_already_spent",
  );
  assert.equal(world.till.balanceSat, 240);
});

Deno.test("a top-up whose lease ended before the mint answered comes back", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const { expiresMs } = await leased(world, one);
  await world.clock.advance(expiresMs - world.clock.nowMs() - 10_000);
  world.till.isReachable = false;
  const asking = one.provider.ask(ALICE, {
    type: "topup",
    lease: NAME,
    token: bareToken("t1", 60),
  });
  await world.clock.advance(20_000);
  world.till.isReachable = true;
  await world.clock.advance(25_000);
  const answer = await asking;
  assert.equal(errorOf(answer), "race_lost");
  assert.equal(answer.type === "error" && answer.refund?.amountSat, 60);
  assert.equal(world.till.balanceSat, 180);
});

Deno.test("a stop removes the lease and pays the unused whole sats back, once", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const { readyMs } = await leased(world, one);
  await world.clock.advance(readyMs! + 600_000 - world.clock.nowMs());
  const refundKey = `03${"12".repeat(32)}`;
  const stop = { type: "stop", lease: NAME, refundKey } as const;
  const answer = await world.ask(one, ALICE, stop);
  assert.equal(answer.type === "stop" && answer.refund?.amountSat, 150);
  assert.deepEqual(await world.ask(one, ALICE, stop), answer);
  assert.equal(world.till.balanceSat, 30);
  assert.equal([...world.till.refunds.values()][0]?.lockTo, refundKey);
  assert.equal(errorOf(await world.ask(one, BOB, stop)), "not_found");
});

Deno.test("nobody learns anything of another's lease", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await leased(world, one);
  for (
    const request of [
      { type: "status", lease: NAME },
      { type: "logs", lease: NAME, lineCount: 5 },
      { type: "exec", lease: NAME, command: ["id"], timeoutMs: 1000 },
      { type: "restart", lease: NAME },
      { type: "stop", lease: NAME },
    ] as const
  ) assert.equal(errorOf(await world.ask(one, BOB, request)), "not_found", request.type);
  const leases = await world.ask(one, BOB, { type: "leases" });
  assert.deepEqual(leases.type === "leases" && leases.leases, []);
  assert.equal(world.backend.instances.size, 1);
});

Deno.test("an owner sees status, logs and leases, runs a command and starts the lease anew", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await leased(world, one);
  const status = await world.ask(one, ALICE, { type: "status", lease: NAME });
  assert.equal(status.type === "status" && status.status, "Running");
  const logs = await world.ask(one, ALICE, { type: "logs", lease: NAME, lineCount: 5 });
  assert.equal(logs.type === "logs" && logs.text, `5 lines of ${NAME}\n`);
  const exec = {
    type: "exec",
    lease: NAME,
    command: ["echo", "a b"],
    timeoutMs: 1000,
    requestId: "x",
  } as const;
  const run = await world.ask(one, ALICE, exec);
  assert.equal(run.type === "exec" && run.stdout, "echo a b");
  assert.deepEqual(await world.ask(one, ALICE, exec), run);
  assert.equal(world.backend.calls.filter((call) => call === "exec").length, 1);
  assert.equal((await world.ask(one, ALICE, { type: "restart", lease: NAME })).type, "restart");
  const leases = await world.ask(one, ALICE, { type: "leases" });
  assert.equal(leases.type === "leases" && leases.leases[0]?.lease, NAME);
});

Deno.test("an engine that does not answer is not taken for one without instances", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await leased(world, one);
  world.backend.isReachable = false;
  await world.clock.advance(300_000);
  assert.equal((await one.provider.reconcile()).isKnown, false);
  assert.equal(one.provider.leases()[0]?.state, "ready");
  world.backend.isReachable = true;
  assert.equal((await one.provider.reconcile()).lostCount, 0);
  assert.equal(world.backend.instances.size, 1);
});

Deno.test("a lease whose instance is gone is paid back from when it was last seen", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await leased(world, one);
  await world.clock.advance(600_000);
  world.backend.instances.clear();
  await world.clock.advance(61_000);
  const [lease] = one.provider.leases();
  assert.equal(lease?.ending?.reason, "lost");
  const stop = await world.ask(one, ALICE, { type: "stop", lease: NAME });
  assert.equal(stop.type === "stop" && stop.refund?.amountSat, 150);
});

Deno.test("an instance that ended by itself is started again, but not for ever", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await leased(world, one);
  for (let round = 0; round < 5; round++) {
    world.backend.instances.get(NAME)!.state = "stopped";
    assert.equal((await one.provider.reconcile()).revivedCount, 1);
    assert.equal(world.backend.instances.get(NAME)!.state, "running");
  }
  world.backend.instances.get(NAME)!.state = "stopped";
  assert.equal((await one.provider.reconcile()).lostCount, 1);
  await world.clock.settle();
  assert.equal(world.backend.instances.size, 0);
});

Deno.test("what has our label and no lease is removed", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  await leased(world, one);
  const { spec } = world.backend.instances.get(NAME)!;
  for (const leaseId of ["container-5", "container-999999", "something else"]) {
    world.backend.instances.set(leaseId, {
      spec: { ...spec, leaseId },
      state: "running",
      expiresMs: Infinity,
    });
  }
  assert.equal((await one.provider.reconcile()).sweptCount, 3);
  assert.deepEqual([...world.backend.instances.keys()], [NAME]);
});

Deno.test("when the wall clock is set, the lease keeps the time that was paid", async () => {
  for (const jumpMs of [3 * 3_600_000, -3 * 3_600_000]) {
    await using world = new LeaseWorld();
    await using one = await world.start();
    const { expiresMs } = await leased(world, one);
    const leftMs = expiresMs - world.clock.nowMs();
    world.clock.jump(jumpMs);
    await world.clock.advance(16_000);
    assert.equal(one.provider.leases()[0]?.expiresMs, expiresMs + jumpMs);
    assert.equal(world.backend.instances.get(NAME)?.expiresMs, expiresMs + jumpMs);
    await world.clock.advance(leftMs - 18_000);
    assert.equal(world.backend.instances.size, 1);
    await world.clock.advance(4000);
    assert.equal(world.backend.instances.size, 0);
  }
});

Deno.test("in its grace a lease is paused and not charged, and a top-up wakes it", async () => {
  await using world = new LeaseWorld();
  world.settings = { ...world.settings, graceMs: 600_000 };
  await using one = await world.start();
  const { expiresMs } = await leased(world, one);
  await world.clock.advance(expiresMs - world.clock.nowMs() + 60_000);
  assert.equal(world.backend.instances.get(NAME)?.state, "paused");
  assert.equal(one.provider.leases()[0]?.state, "grace");
  const answer = await world.ask(one, ALICE, {
    type: "topup",
    lease: NAME,
    token: bareToken("t", 60),
  });
  assert.equal(answer.type === "topup" && answer.extendedS, 1200);
  await world.clock.settle();
  assert.equal(world.backend.instances.get(NAME)?.state, "running");
  const left = one.provider.leases()[0]!.expiresMs! - world.clock.nowMs();
  assert.ok(left > 1_199_000 && left <= 1_200_000, String(left));
  await world.clock.advance(1_200_000 + 601_000);
  assert.equal(world.backend.instances.size, 0);
});

Deno.test("an evicted lease is paid back, and the next provider knows all that was", async () => {
  await using world = new LeaseWorld();
  {
    await using one = await world.start();
    await leased(world, one);
    one.provider.drain(true);
    one.provider.deny({ kind: "key", name: BOB, reason: "abuse" });
  }
  await using two = await world.start();
  assert.equal(two.provider.status().isDraining, true);
  assert.equal(two.provider.denied().length, 1);
  assert.equal(two.provider.evict(1000, "The machine is taken down"), true);
  await world.clock.settle();
  assert.equal(world.till.balanceSat, 0);
  assert.equal(world.backend.instances.size, 0);
  assert.equal(two.provider.evict(1000, "again"), false);
});

Deno.test("a quote says the price, and whether there is room", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const quote = await world.ask(one, ALICE, {
    type: "quote",
    specId: "basic",
    durationS: 3600,
    image: "ubuntu:22.04",
  });
  assert.equal(quote.type === "quote" && quote.amountSat, 180);
  assert.equal(quote.type === "quote" && quote.isAvailable, true);
  assert.equal(quote.type === "quote" && quote.isImageHere, false);
  world.backend.total = { ...world.backend.total, memoryMb: 100 };
  await world.clock.advance(61_000);
  const later = await world.ask(one, ALICE, { type: "quote", specId: "basic" });
  assert.equal(later.type === "quote" && later.isAvailable, false);
});

Deno.test("a key that asks too often is told so, and others are not", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const answers = [];
  for (let count = 0; count < 40; count++) {
    answers.push(await one.provider.ask(ALICE, { type: "leases" }));
  }
  assert.equal(answers.filter((answer) => errorOf(answer) === "rate_limited").length, 10);
  assert.equal((await one.provider.ask(BOB, { type: "leases" })).type, "leases");
});

Deno.test("the time in which a machine was down is not charged for, also when it was longer than the lease", async () => {
  for (const downMs of [1_200_000, 36_000_000]) {
    await using world = new LeaseWorld();
    let expiresMs: number;
    {
      await using one = await world.start();
      ({ expiresMs } = await leased(world, one));
      await world.clock.advance(120_000);
    }
    world.backend.instances.get(NAME)!.state = "stopped";
    world.clock.jump(downMs);
    await using two = await world.start();
    await world.clock.settle();
    const [lease] = two.provider.leases();
    assert.equal(lease?.state, "ready");
    assert.ok(lease!.expiresMs! >= expiresMs + downMs, String(lease!.expiresMs! - expiresMs));
    assert.ok(lease!.expiresMs! <= expiresMs + downMs + 61_000);
    assert.equal(world.backend.instances.get(NAME)?.state, "running");
    assert.equal(world.backend.instances.get(NAME)?.expiresMs, lease!.expiresMs);
  }
});

Deno.test("a lease that the watchdog ended at its time, while the provider was away, was delivered", async () => {
  await using world = new LeaseWorld();
  {
    await using one = await world.start();
    await leased(world, one);
  }
  world.backend.instances.clear();
  world.clock.jump(36_000_000);
  await using two = await world.start();
  await world.clock.settle();
  assert.equal(two.provider.leases()[0]?.state, "destroyed");
  assert.equal(two.provider.leases()[0]?.ending?.reason, "expired");
  assert.equal(world.till.balanceSat, 180);
});

Deno.test("a lease is not ended by a clock that was set forward just before it is looked at", async () => {
  await using world = new LeaseWorld();
  await using one = await world.start();
  const { expiresMs } = await leased(world, one);
  const jumpMs = 7_200_000;
  world.clock.jump(jumpMs);
  const answer = await world.ask(one, ALICE, {
    type: "topup",
    lease: NAME,
    token: bareToken("t", 60),
  });
  assert.equal(answer.type === "topup" && answer.expiresMs, expiresMs + jumpMs + 1_200_000);
  assert.equal(one.provider.leases()[0]?.state, "ready");
});
