/** A lessee killed at every commit, and before and after every call of its purse and of its relays. */
import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { LenderRun } from "../../support/provisioning/lessee_world.ts";
import { Killed } from "../../support/provisioning/lease_world.ts";
import {
  FUNDED_SAT,
  type LesseeRun,
  LesseeWorld,
} from "../../support/provisioning/lessee_world.ts";

const SIGNAL = new AbortController().signal;
const WISH = { id: "web", image: "alpine:3.20", durationMs: 3_600_000 } as const;

/** One life, each step asked again until it has an outcome. */
interface Scenario {
  readonly name: string;
  readonly prepare?: (world: LesseeWorld) => void;
  /** Where to begin: up to there it is as in the first scenario. @default {1} */
  readonly firstKill?: number;
  /** What is asked, or how long is waited, in milliseconds, with the provider gone. */
  readonly steps: readonly (((run: LesseeRun) => Promise<unknown>) | number)[];
  readonly check: (world: LesseeWorld, run: LesseeRun, lender: LenderRun) => void;
}

/** Runs a scenario, killed once at `killAt`. @returns Whether it came to that. */
async function live(scenario: Scenario, killAt: number): Promise<boolean> {
  await using world = new LesseeWorld();
  scenario.prepare?.(world);
  const lender = await world.lender();
  await world.pass(3_000);
  let run: LesseeRun | undefined;
  let place: string | undefined;
  let isKilled = false;
  const survive = async (work: (run: LesseeRun) => Promise<unknown>): Promise<void> => {
    for (;;) {
      try {
        run ??= await world.lessee({ kind: "nip04", ...(isKilled ? {} : { killAt }) });
        await work(run);
        if (!run.kill.isDead) return;
      } catch (error) {
        const isDeath = error instanceof Killed || run?.kill.isDead === true;
        if (!isDeath) throw error;
      }
      assert.ok(!isKilled, "a second death");
      isKilled = true;
      place = run?.kill.place ?? "start";
      await run?.[Symbol.asyncDispose]();
      run = undefined;
      await world.pass(1_000);
    }
  };
  try {
    for (const step of scenario.steps) {
      if (typeof step === "number") {
        await lender[Symbol.asyncDispose]();
        await survive(() => world.clock.advance(step));
      } else await survive((run) => world.during(step(run), { run }));
    }
    await world.pass(3_000);
    scenario.check(world, run!, lender);
  } catch (error) {
    throw new Error(`Killed at point ${killAt} (${place})`, { cause: error });
  }
  return isKilled;
}

/** What a rejection with one of these codes is fine for. */
async function settled(work: Promise<unknown>, ...codes: string[]): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isSeedmintError(error) || !codes.includes(error.code)) throw error;
  }
}

const scenarios: readonly Scenario[] = [
  {
    name: "a lease is rented, topped up and stopped early",
    steps: [
      ({ lessee }) => lessee.spawn(WISH, { signal: SIGNAL }),
      ({ lessee }) =>
        lessee.topUp(lessee.leases({ all: true })[0]!.id, { id: "more", amountSat: 50 }, {
          signal: SIGNAL,
        }),
      async ({ lessee }) => {
        // Stopped before the death, it is over and has its refund all the same.
        await lessee.stop(lessee.leases({ all: true })[0]!.id, { signal: SIGNAL });
      },
    ],
    check: (world, { lessee, book }, { provider }) => {
      const leases = lessee.leases({ all: true });
      assert.equal(leases.length, 1);
      assert.equal(leases[0]?.stage, "ended");
      assert.deepEqual(leases[0]?.complaints, []);
      assert.equal(provider.leases().length, 1);
      assert.equal(book.payments.of(leases[0]!.id).length, 2);
      assert.equal(world.purse.made.size, 2);
      assert.equal(world.purse.inFlightSat + world.purse.unreceivedSat, 0);
      assert.equal(world.moneySat, FUNDED_SAT);
      assert.ok(world.purse.balanceSat > FUNDED_SAT - 10, `${world.purse.balanceSat}`);
      assert.equal(world.backend.instances.size, 0);
      assert.equal(book.payments.open().length + book.refunds.open().length, 0);
    },
  },
  {
    name: "a lease that the provider cannot start is paid back",
    firstKill: 7,
    prepare: (world) => world.backend.broken.add("start"),
    steps: [({ lessee }) => settled(lessee.spawn(WISH, { signal: SIGNAL }), "unavailable")],
    check: (world, { lessee, book }) => {
      const [lease] = lessee.leases({ all: true });
      assert.equal(lease?.stage, "failed");
      assert.equal(lease?.end?.reason, "refunded");
      assert.equal(world.purse.balanceSat, FUNDED_SAT);
      assert.equal(world.till.balanceSat, 0);
      assert.equal(book.payments.open().length + book.refunds.open().length, 0);
    },
  },
  {
    name: "a lease whose image cannot be had costs nothing once the lock of its token has ended",
    firstKill: 7,
    prepare: (world) => world.images.missing.add("alpine:3.20"),
    steps: [
      ({ lessee }) => settled(lessee.spawn(WISH, { signal: SIGNAL }), "unavailable"),
      1_800_000,
    ],
    check: (world, { book, lessee }) => {
      assert.equal(world.purse.made.size, 1);
      assert.equal(world.purse.balanceSat, FUNDED_SAT);
      assert.equal(world.till.balanceSat, 0);
      assert.equal(lessee.leases({ all: true })[0]?.end?.reason, "unserved");
      assert.equal(book.payments.open().length, 0);
    },
  },
];

for (const scenario of scenarios) {
  Deno.test(`a lessee killed at any point: ${scenario.name}`, async () => {
    let killAt = scenario.firstKill ?? 1;
    while (await live(scenario, killAt)) killAt++;
    assert.ok(killAt > 12, `it could be killed at ${killAt} points only`);
  });
}
