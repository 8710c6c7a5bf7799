/**
 * The scheduler through many simulated networks, a market, and the figures that docs/testing quotes.
 *
 *     deno run tests/sim/run.ts --seeds 10000          # the nightly task
 *     SIM_SEED=17 deno run --allow-env=SIM_SEED tests/sim/run.ts   # one seed again, told in full
 */
import { parseArgs } from "node:util";
import type { FetchScene } from "./fetch_sim.ts";
import { figures } from "./figures.ts";
import { pricedFigures } from "./priced_figures.ts";
import { pricedFaultsOf, pricedSceneOf } from "./priced_scenes.ts";
import { herd } from "./herd_sim.ts";
import { faultsOfMarket, Market, marketLines, type MarketOptions } from "./market/mod.ts";
import { faultsOf, runScene, sceneOf } from "./scenes.ts";

if (import.meta.main) await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      seeds: { type: "string", default: "10000" },
      first: { type: "string", default: "1" },
      days: { type: "string", default: "20" },
    },
  });
  const replayed = seedOfEnvironment();
  if (replayed !== undefined) return await replay(replayed);
  const count = Number(values.seeds);
  const first = Number(values.first);
  const startMs = performance.now();
  let doneCount = 0;
  let boughtCount = 0;
  const bad: number[] = [];
  for (let seed = first; seed < first + count; seed++) {
    const scene = sceneOf(seed);
    const result = runScene(scene);
    const priced = pricedSceneOf(seed);
    const bought = runScene(priced);
    const faults = [...faultsOf(scene, result), ...pricedFaultsOf(priced, bought)];
    if (result.outcome === "done") doneCount++;
    if (bought.paidMsat > 0) boughtCount++;
    if (faults.length === 0) continue;
    bad.push(seed);
    console.log(`seed ${seed}: ${faults.join("; ")}; replay with SIM_SEED=${seed}`);
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(
    `${count} networks in ${seconds} s: ${doneCount} blobs complete, ` +
      `${count - doneCount - bad.length} could not be, ${bad.length} broke an invariant; ` +
      `with prices ${boughtCount} bought`,
  );
  for (const line of [...figures(), ...pricedFigures()]) console.log(line);
  for (const nodeCount of [1, 4, 8, 16]) {
    console.log(herd({ nodeCount, size: 256 * 1024 * 1024 }).line);
  }
  const isSound = await tellMarket({ seed: first, days: Number(values.days) });
  if (bad.length > 0 || !isSound) Deno.exit(1);
}

/** Runs a market and tells how it went; true when all held. */
async function tellMarket(options: MarketOptions): Promise<boolean> {
  await using market = new Market(options).run();
  for (const line of marketLines(market)) console.log(line);
  const faults = faultsOfMarket(market);
  for (const fault of faults.slice(0, 20)) console.log(`market ${options.seed}: ${fault}`);
  return faults.length === 0;
}

/** The seed to replay, if there is one; without the right to read it there is none. */
export function seedOfEnvironment(): number | undefined {
  const permission = Deno.permissions.querySync({ name: "env", variable: "SIM_SEED" });
  const text = permission.state === "granted" ? Deno.env.get("SIM_SEED") : undefined;
  return text === undefined ? undefined : Number(text);
}

async function replay(seed: number): Promise<void> {
  const isSound = [sceneOf(seed), pricedSceneOf(seed)].map((scene) => replayScene(seed, scene));
  isSound.push(await tellMarket({ seed, days: 5 }));
  if (isSound.includes(false)) Deno.exit(1);
}

function replayScene(seed: number, scene: FetchScene): boolean {
  const show = (_key: string, value: unknown) =>
    value instanceof Map ? Object.fromEntries(value) : value === Infinity ? "endless" : value;
  console.log(JSON.stringify(scene, show, 1));
  const result = runScene(scene);
  console.log(JSON.stringify(result, show, 1));
  const faults = pricedFaultsOf(scene, result);
  console.log(
    faults.length === 0 ? `seed ${seed}: all holds` : `seed ${seed}: ${faults.join("; ")}`,
  );
  return faults.length === 0;
}
