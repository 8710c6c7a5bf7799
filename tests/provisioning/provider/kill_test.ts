/**
 * A provider is killed at every commit, and before and after every call to the engine, the till, the
 * images and SSH; then another takes up its journal. Whatever the point: lease or refund, never both,
 * never nothing, and the books balance to the sat.
 */
import assert from "node:assert/strict";
import type { Answer, Request } from "../../../provisioning/wire/mod.ts";
import { assertBooksBalance } from "../../support/provisioning/lease_books.ts";
import {
  ALICE,
  type Generation,
  Killed,
  LeaseWorld,
} from "../../support/provisioning/lease_world.ts";
import { bareToken, safeToken } from "../../support/provisioning/memory_till.ts";

/** One conversation, its requests asked one after the other, each until it has an answer. */
interface Scenario {
  readonly name: string;
  readonly prepare?: (world: LeaseWorld) => void;
  readonly steps: readonly (Request | { readonly waitMs: number })[];
  readonly check: (world: LeaseWorld, one: Generation, answers: readonly Answer[]) => void;
}

/** Fewer than a provider passes before it serves. */
const START_POINTS = 8;

const REQUEST = {
  type: "spawn",
  specId: "basic",
  image: "ubuntu:22.04",
  sshUsername: "user",
  sshPassword: "W9ZG2GIUOWiPkYID",
} as const;

/** Runs a scenario, killed once at `killAt`. @returns Whether it came to that. */
async function run(scenario: Scenario, killAt: number): Promise<boolean> {
  await using world = new LeaseWorld();
  scenario.prepare?.(world);
  let one: Generation | undefined;
  let place: string | undefined;
  let isKilled = false;
  /** Does something with a provider, and once more with the next one if that dies. */
  const survive = async <T>(work: (one: Generation) => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        one ??= await world.start(isKilled ? Infinity : killAt);
        const result = await work(one);
        if (!one.kill.isDead) return result;
      } catch (error) {
        if (!(error instanceof Killed) && one?.kill.isDead !== true) throw error;
      }
      assert.ok(!isKilled, "a second death");
      isKilled = true;
      place = one?.kill.place ?? "start";
      await one?.[Symbol.asyncDispose]();
      one = undefined;
      await world.clock.advance(1000);
    }
  };
  const answers: Answer[] = [];
  for (const step of scenario.steps) {
    if ("waitMs" in step) {
      await survive(async () => {
        await world.clock.advance(step.waitMs);
      });
    } else answers.push(await survive((one) => world.ask(one, ALICE, step)));
  }
  try {
    await survive(async (one) => {
      // What may still be under way comes to its end.
      await world.clock.advance(2000);
      await one.provider.reconcile();
      scenario.check(world, one, answers);
      assertBooksBalance(world, one);
    });
  } catch (error) {
    throw new Error(`Killed at point ${killAt} (${place}): ${JSON.stringify(answers)}`, {
      cause: error,
    });
  }
  return isKilled;
}

function assertReady(answers: readonly Answer[]): void {
  assert.equal(answers[0]?.type, "access");
}

const scenarios: readonly Scenario[] = [
  {
    name: "a safe token becomes a lease",
    steps: [{ ...REQUEST, token: safeToken("s1", 180), requestId: "r1" }],
    check: (world, _one, answers) => {
      assertReady(answers);
      assert.equal(world.till.balanceSat, 180);
      assert.equal(world.backend.instances.size, 1);
    },
  },
  {
    name: "a bare token of an old client becomes a lease",
    steps: [{ ...REQUEST, token: bareToken("b1", 180) }],
    check: (world, _one, answers) => {
      assertReady(answers);
      assert.equal(world.till.balanceSat, 180);
      assert.equal(world.backend.instances.size, 1);
    },
  },
  {
    name: "a lease whose engine fails is paid back",
    prepare: (world) => world.backend.broken.add("start"),
    steps: [{ ...REQUEST, token: bareToken("b1", 180), requestId: "r1" }],
    check: (world, _one, [answer]) => {
      assert.equal(answer?.type, "error");
      assert.equal(answer?.type === "error" && answer.refund?.amountSat, 180);
      assert.equal(world.till.balanceSat, 0);
    },
  },
  {
    name: "a lease is topped up and stopped early",
    steps: [
      { ...REQUEST, token: safeToken("s1", 180), requestId: "r1" },
      { type: "topup", lease: "container-1000", token: bareToken("t1", 60), requestId: "r2" },
      { waitMs: 20_000 },
      { type: "stop", lease: "container-1000", requestId: "r3" },
    ],
    check: (world, _one, [access, topUp, stop]) => {
      assert.equal(access?.type, "access");
      assert.equal(topUp?.type === "topup" && topUp.extendedS, 1200);
      assert.equal(stop?.type, "stop");
      const refund = stop?.type === "stop" ? stop.refund?.amountSat ?? 0 : 0;
      assert.equal(world.till.balanceSat, 240 - refund);
      // 20 s and what the deaths took, at 50 msat a second.
      assert.ok(refund >= 234 && refund <= 239, `${refund} sat came back`);
      assert.equal(world.backend.instances.size, 0);
    },
  },
  {
    name: "a lease ends on time",
    steps: [
      { ...REQUEST, token: safeToken("s1", 3), requestId: "r1" },
      { waitMs: 30_000 },
      { waitMs: 32_000 },
    ],
    check: (world, one, answers) => {
      assertReady(answers);
      assert.equal(one.provider.leases()[0]?.state, "destroyed");
      assert.equal(one.provider.leases()[0]?.ending?.reason, "expired");
      assert.equal(world.till.balanceSat, 3);
      assert.equal(world.backend.instances.size, 0);
    },
  },
  {
    name: "a lease in its grace is woken by a top-up",
    prepare: (world) => world.settings = { ...world.settings, graceMs: 600_000 },
    steps: [
      { ...REQUEST, token: safeToken("s1", 3), requestId: "r1" },
      { waitMs: 30_000 },
      { waitMs: 40_000 },
      { type: "topup", lease: "container-1000", token: bareToken("t1", 60), requestId: "r2" },
    ],
    check: (world, one, answers) => {
      assertReady(answers);
      const [lease] = one.provider.leases();
      assert.equal(lease?.state, "ready");
      assert.equal(world.backend.instances.get("container-1000")?.state, "running");
      assert.equal(world.till.balanceSat, 63);
      // What it paid first is used up, and its sleep cost nothing of the 1200 s that it paid then.
      const leftS = (lease!.expiresMs! - world.clock.nowMs()) / 1000;
      assert.ok(leftS > 1_190 && leftS <= 1_200, `${leftS} s are left`);
    },
  },
  {
    name: "a lease that nobody wakes in its grace ends",
    prepare: (world) => world.settings = { ...world.settings, graceMs: 60_000 },
    steps: [
      { ...REQUEST, token: safeToken("s1", 3), requestId: "r1" },
      { waitMs: 70_000 },
      { waitMs: 65_000 },
    ],
    check: (world, one, answers) => {
      assertReady(answers);
      assert.equal(one.provider.leases()[0]?.state, "destroyed");
      assert.equal(world.till.balanceSat, 3);
      assert.equal(world.backend.instances.size, 0);
    },
  },
];

for (const scenario of scenarios) {
  Deno.test(`${scenario.name}, wherever the provider dies`, async () => {
    // How a provider comes up is the same for all; one goes through that, too.
    let killAt = scenario === scenarios[0] ? 0 : START_POINTS;
    while (await run(scenario, ++killAt)) assert.ok(killAt < 400, "there is no end of points");
    assert.ok(killAt > 20, `only ${killAt} points`);
  });
}
