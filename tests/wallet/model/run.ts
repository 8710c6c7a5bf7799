/**
 * The wallet through many random worlds of faults, crashes and rotations, against the books of its
 * mints and of Lightning.
 *
 *     deno run -A tests/wallet/model/run.ts --seeds 1000          # the nightly task
 *     MODEL_SEED=17 deno run -A tests/wallet/model/run.ts         # one seed again, told in full
 *     MODEL_SEED=17 deno run -A tests/wallet/model/run.ts --shrink
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { runSchedule, runSeed, STEPS } from "./run_seed.ts";
import { schedules } from "./schedule.ts";

/** A run that takes longer hangs, in milliseconds. */
const SEED_MS_MAX = 120_000;

/** How long to look for a smaller schedule that fails, too. */
const SHRINK_MS_MAX = 300_000;

/** Runs told of in one line of progress. */
const PROGRESS = 50;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      seeds: { type: "string", default: "1000" },
      first: { type: "string", default: "1" },
      jobs: { type: "string", default: String(navigator.hardwareConcurrency) },
      shrink: { type: "boolean", default: false },
    },
  });
  const one = Deno.env.get("MODEL_SEED");
  if (one !== undefined) Deno.exit(await replay(Number(one), values.shrink) ? 0 : 1);
  const [count, first, jobs] = [values.seeds, values.first, values.jobs].map(Number);
  const startMs = performance.now();
  const bad = jobs! > 1
    ? await inProcesses(first!, count!, jobs!)
    : await inThisProcess(first!, count!);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${count} worlds in ${seconds} s: ${bad.length} broke an invariant`);
  Deno.exit(bad.length === 0 ? 0 : 1);
}

async function inThisProcess(first: number, count: number): Promise<number[]> {
  const bad: number[] = [];
  for (let seed = first; seed < first + count; seed++) {
    const problems = await guarded(seed);
    if (problems.length > 0) {
      bad.push(seed);
      console.log(`seed ${seed}: ${problems.join("; ")}; replay with MODEL_SEED=${seed}`);
    }
    const done = seed - first + 1;
    if (done % PROGRESS === 0) console.log(`${done} of ${count} worlds, ${bad.length} bad`);
  }
  return bad;
}

/** What did not hold; what was thrown did not hold either. */
async function guarded(seed: number): Promise<string[]> {
  const late = Promise.withResolvers<string[]>();
  const id = setTimeout(() => late.resolve(["it hangs"]), SEED_MS_MAX);
  try {
    return await Promise.race([runSeed(seed), late.promise]);
  } catch (error) {
    return [error instanceof Error ? error.stack ?? error.message : String(error)];
  } finally {
    clearTimeout(id);
  }
}

/** Splits the seeds among processes; failing seeds are read from what they say. */
async function inProcesses(first: number, count: number, jobs: number): Promise<number[]> {
  const share = Math.ceil(count / jobs);
  const bad = await Promise.all(Array.from({ length: jobs }, async (_, job) => {
    const from = first + job * share;
    const seeds = Math.min(share, first + count - from);
    if (seeds <= 0) return [];
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", import.meta.filename!]
        .concat("--jobs", "1", "--first", String(from), "--seeds", String(seeds)),
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const found: number[] = [];
    let rest = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const [, seed] = /^seed (\d+): /.exec(line) ?? [];
        if (seed !== undefined) found.push(Number(seed));
        if (!/^\d+ worlds in/.test(line)) console.log(line);
      }
    }
    const { success } = await child.status;
    // A process that died before it could tell is a failure of the seed that it was at.
    return success || found.length > 0 ? found : [from];
  }));
  return bad.flat();
}

async function replay(seed: number, isShrinking: boolean): Promise<boolean> {
  if (isShrinking) return await shrink(seed);
  const problems = await runSeed(seed, { tell: (line) => console.log(line) });
  for (const problem of problems) console.log(`broken: ${problem}`);
  console.log(`seed ${seed}: ${problems.length === 0 ? "all holds" : "broke an invariant"}`);
  return problems.length === 0;
}

async function shrink(seed: number): Promise<boolean> {
  const holds = fc.asyncProperty(schedules(STEPS), async (schedule) => {
    const problems = await runSchedule(seed, schedule);
    if (problems.length > 0) throw new Error(problems.join("; "));
  });
  const details = await fc.check(holds, {
    seed,
    numRuns: 1,
    interruptAfterTimeLimit: SHRINK_MS_MAX,
  });
  console.log(fc.defaultReportMessage(details) ?? `seed ${seed}: all holds`);
  return !details.failed;
}
