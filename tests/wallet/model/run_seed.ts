/** One run of the model: a world, a schedule, then peace, and what must hold. */
import fc from "fast-check";
import { brokenAtRest, brokenNow, isGiven } from "./invariants.ts";
import { play, settleHeld, turn } from "./play.ts";
import { type Schedule, schedules } from "./schedule.ts";
import { ModelWorld } from "./world.ts";

/** Steps of a schedule at most. */
export const STEPS = 12;

/** Rounds of resuming after which everything must be at its end. */
const ROUNDS_MAX = 120;

/** Rounds in which nothing is open and something may still be on its way: eight minutes. */
const LATE_ROUNDS = 9;

/** Options of {@link runSeed}. */
export interface RunOptions {
  /** Hears of each event and what came of it. */
  readonly tell?: (line: string) => void;
}

/** The schedule of a seed. */
export function scheduleOf(seed: number): Schedule {
  return fc.sample(schedules(STEPS), { seed, numRuns: 1 })[0]!;
}

/** Runs the schedule of a seed. Returns what did not hold; empty when all is well. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<string[]> {
  return await runSchedule(seed, scheduleOf(seed), options);
}

/** Runs a schedule in the world of a seed. */
export async function runSchedule(
  seed: number,
  schedule: Schedule,
  { tell }: RunOptions = {},
): Promise<string[]> {
  await using world = await ModelWorld.start(seed);
  const start = [0, 1].map((mint) =>
    ({ do: "fund", who: "alice", mint, sat: 1_000, isPaid: true }) as const
  );
  for (const step of [...start.map((event) => [event]), ...schedule]) {
    const startMs = performance.now();
    const notes = await world.hurry(Promise.all(step.map((event) => play(world, event))));
    world.told.push(...notes);
    if (tell !== undefined) {
      for (const [index, event] of step.entries()) {
        tell(
          `${Math.round(performance.now() - startMs)} ms ${JSON.stringify(event)}: ${notes[index]}`,
        );
      }
    }
    const broken = [...brokenNow(world)];
    if (broken.length > 0) return broken;
  }
  const startMs = performance.now();
  await world.hurry(peace(world, tell));
  tell?.(`${Math.round(performance.now() - startMs)} ms to peace`);
  return await brokenAtRest(world);
}

/** Ends all trouble and drives everything to its end. */
export async function peace(world: ModelWorld, tell?: RunOptions["tell"]): Promise<void> {
  const { kit, proxies } = world;
  for (const proxy of proxies) {
    proxy.clear();
    proxy.offline(false);
  }
  kit.lightning.offline(false);
  kit.lightning.clearScripts();
  for (const mint of kit.mints) await mint.admin.clearFaults();
  // Neither armed crashes nor what died are left.
  for (const who of ["alice", "bob"] as const) await world.reopen(who);
  settleHeld(world, kit.clock.nowMs() % 2 === 0);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    let openCount = 0;
    for (const [who, { wallet }] of world.actors) {
      const open = wallet.store.operations({ status: "open" }).filter((one) => !isGiven(one));
      openCount += open.length;
      if (round % 20 === 19) {
        for (const { kind, state, reason } of open) tell?.(`${who}: ${kind} ${state}: ${reason}`);
      }
    }
    if (openCount === 0 && round > LATE_ROUNDS) return;
    kit.clock.jump(Math.min(1_000 * 2 ** Math.min(round, 10), 300_000));
    // What was late is there now.
    await turn();
    await turn();
    for (const [, { wallet }] of world.actors) await wallet.engine.driveDue();
  }
}
