/** The cases of `run.ts`, on the lessee's host: its first argument is a directory that goes away. */
import { join } from "node:path";
import { commandOutput, furnish } from "../registry/lab.ts";
import { exitCodeOf } from "../skip_suite.ts";
import { inHost, makeHosts } from "./net.ts";
import { clockCases } from "./clock_cases.ts";
import { crowdCases } from "./crowd_cases.ts";
import { engineCases } from "./engine_cases.ts";
import { killCases } from "./kill_cases.ts";
import { relayCases } from "./relay_cases.ts";
import { rentCases } from "./rent_cases.ts";
import { failureCases } from "./failure_cases.ts";
import { LeaseWorld } from "./world.ts";

const [directory, ...flags] = Deno.args as [string, ...string[]];
const only = flags.find((flag) => flag.startsWith("--only="))?.slice("--only=".length);

const isAll = flags.includes("--all");

let [passed, failed] = [0, 0];

/** Runs one case, and tells. */
async function check(name: string, fn: () => Promise<void>): Promise<void> {
  if (only !== undefined && !new RegExp(only).test(name)) return;
  const startMs = performance.now();
  try {
    await fn();
    passed++;
    console.log(`ok      ${name} (${Math.round(performance.now() - startMs)} ms)`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${error instanceof Error ? error.stack : error}`);
    console.log(world.lastWords());
  }
}

function skip(name: string, why: string): void {
  console.log(`skipped ${name}: ${why}`);
}

await furnish(directory);
// Whoever lends looks for networks in its own host's /sys.
await makeHosts();
await inHost("provider", "mount", "-t", "sysfs", "sysfs", "/sys");
await commandOutput("mount", ["--rbind", join(directory, "cgroup"), "/sys/fs/cgroup"]);
Deno.env.set("TMPDIR", directory);

const startMs = performance.now();
const world = await LeaseWorld.open();
console.log(`        the network stands (${Math.round(performance.now() - startMs)} ms)`);
await rentCases(world, check);
await failureCases(world, check);
await killCases(world, check);
await relayCases(world, check);
await crowdCases(world, check);
if (isAll) {
  await clockCases(world, check, skip);
  await engineCases(world, check, skip);
} else {
  skip("a wall clock that is set, and leases on docker, podman, LXD and Incus", "run with --all");
}
await world[Symbol.asyncDispose]();
console.log(`\n${passed} passed, ${failed} failed`);
Deno.exit(exitCodeOf({ passed, failed }));
