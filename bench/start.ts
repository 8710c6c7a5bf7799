/**
 * How long the command line keeps people waiting: `--help`, and `start` until it is ready.
 *
 *     deno run -A bench/start.ts [--runs 10]
 */
import { parseArgs } from "node:util";
import { ChildProcess, NODE_FLAGS } from "../devnet/processes.ts";

const HELP_BAR_MS = 120;
const READY_BAR_MS = 1500;

const { values } = parseArgs({ options: { runs: { type: "string", default: "10" } } });
const runCount = Number(values.runs);
const script = new URL("../node.ts", import.meta.url).pathname;

/** Milliseconds of each run, ascending; one run before warms the caches. */
async function measure(run: () => Promise<(() => Promise<void>) | void>): Promise<number[]> {
  const times: number[] = [];
  for (let index = -1; index < runCount; index++) {
    const startMs = performance.now();
    const end = await run();
    if (index >= 0) times.push(performance.now() - startMs);
    await end?.();
  }
  return times.sort((a, b) => a - b);
}

async function command(...args: string[]): Promise<void> {
  await new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" }).output();
}

async function startUntilReady(): Promise<() => Promise<void>> {
  const data = await Deno.makeTempDir({ prefix: "seedmint-bench-" });
  const listen = ["--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"];
  const child = new ChildProcess({
    script: "node.ts",
    args: ["start", "--json", "--data", data, ...listen],
  });
  await child.waitFor((line) => line.event === "ready");
  return async () => {
    await child.kill();
    await Deno.remove(data, { recursive: true });
  };
}

const empty = await Deno.makeTempFile({ suffix: ".ts" });
const baseline = await measure(() => command("run", "--no-prompt", empty));
const help = await measure(() => command("run", "--no-prompt", script, "--help"));
const verb = await measure(() => command("run", ...NODE_FLAGS, script, "get", "--help"));
const ready = await measure(startUntilReady);
await Deno.remove(empty);

function row(name: string, times: readonly number[], barMs?: number): string {
  const medianMs = times[Math.floor(times.length / 2)]!;
  const bar = barMs === undefined
    ? ""
    : `  bar ${barMs} ms: ${medianMs <= barMs ? "met" : "MISSED"}`;
  return `${name.padEnd(24)}median ${medianMs.toFixed(0).padStart(5)} ms  best ${
    times[0]!.toFixed(0).padStart(5)
  } ms${bar}`;
}

console.log(`${runCount} runs each, warm caches`);
console.log(row("an empty program", baseline));
console.log(row("--help", help, HELP_BAR_MS));
console.log(row("get --help", verb, HELP_BAR_MS));
console.log(row("start until ready", ready, READY_BAR_MS));
