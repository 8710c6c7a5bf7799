/**
 * A fleet that wants one thing at one moment, three ways: ten real nodes and one cold layer over lines
 * with a speed, twenty real nodes and an image, and the cascade's own decisions for fleets of up to
 * ten thousand nodes in a simulation.
 *
 *     deno run -A bench/fleet.ts [--only herd,image,sim] [--mb 100] [--image-mb 100] [--nodes 10,100,1000,10000]
 */
import { parseArgs } from "node:util";
import { ADVERT_LIMITS } from "../swarm/discovery/limits.ts";
import { type FleetResult, runFleet } from "../tests/sim/fleet/fleet_sim.ts";
import { type Layer, layerOf, timed, World } from "../tests/swarm/cascade/world.ts";

const MB = 1_000_000;
const GB = 1000 * MB;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "herd,image,sim" },
    mb: { type: "string", default: "100" },
    "image-mb": { type: "string", default: "100" },
    nodes: { type: "string", default: "10,100,1000,10000" },
  },
});
const only = values.only.split(",");

function say(what: string, figures: string): void {
  console.log(`${what.padEnd(52)} ${figures}`);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** One node alone, then ten at once: upstream 5 MB/s in all, each node 20 MB/s. */
async function herd(): Promise<void> {
  const layer = layerOf(Number(values.mb) * MB);
  const shape = { upstreamRate: 5 * MB, nodeRate: 20 * MB, onDisk: true };
  const [alone] = await bringTo(1, [layer], shape);
  const [together, times] = await bringTo(10, [layer], shape);
  say(
    `ten cold nodes, one layer of ${values.mb} MB`,
    `${seconds(together!)}, one alone ${seconds(alone!)}: ${(together! / alone!).toFixed(2)} x; ` +
      `upstream sent ${times!.toFixed(2)} times the layer`,
  );
}

/** Twenty nodes, an image of five layers, all lines equally fast. */
async function image(): Promise<void> {
  const size = Number(values["image-mb"]) * MB;
  const rate = 10 * MB;
  const layers = [0.55, 0.25, 0.15, 0.04, 0.01].map((share, index) =>
    layerOf(Math.round(size * share), index + 1)
  );
  const [together, times] = await bringTo(20, layers, { upstreamRate: rate, nodeRate: rate });
  const direct = (20 * size * 1000) / rate;
  say(
    `twenty nodes, an image of ${values["image-mb"]} MB in five layers`,
    `${seconds(together!)}, from upstream directly at least ${seconds(direct)}; ` +
      `upstream sent ${times!.toFixed(2)} times the image`,
  );
}

async function bringTo(
  nodeCount: number,
  layers: readonly Layer[],
  shape: { readonly upstreamRate: number; readonly nodeRate: number; readonly onDisk?: boolean },
): Promise<readonly [number, number]> {
  await using world = await World.open({ nodeCount, ...shape });
  await world.warmUp();
  const ms = await timed(() =>
    Promise.all(world.nodes.flatMap((node) => layers.map((layer) => node.bring(layer))))
  );
  const bytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  return [ms, world.upstream.bytes / bytes];
}

/** 1 GB, upstream 100 MB/s in all. */
function simulate(): void {
  for (const nodeCount of values.nodes.split(",").map(Number)) {
    for (const nodeRate of [400 * MB, 100 * MB]) {
      tell(runFleet({ size: GB, upstreamRate: 100 * MB, nodeRate, nodeCount, stepMs: 20 }));
    }
  }
}

function tell(result: FleetResult): void {
  const { scene } = result;
  const { nodeCount, nodeRate, size } = scene;
  // Each node advertises the image and itself, and renews both at a third of their lifetime.
  const adverts = (2 * nodeCount) / (ADVERT_LIMITS.lifetimeS / 3);
  say(
    `${nodeCount} nodes of ${nodeRate / MB} MB/s, 1 GB, upstream 100 MB/s`,
    `last after ${seconds(result.lastMs)} (${
      (result.lastMs / result.aloneMs).toFixed(2)
    } x alone, ` +
      `directly ${seconds(result.directMs)}); upstream ${
        (result.upstreamBytes / size).toFixed(2)
      } x; ` +
      `${(result.askCount / nodeCount).toFixed(0)} questions a node, at most ` +
      `${result.asksAnsweredMax} answered by one, which sent at most ${
        result.sentMax.toFixed(2)
      } x; ` +
      `then ${adverts.toFixed(2)} adverts/s`,
  );
}

if (only.includes("herd")) await herd();
if (only.includes("image")) await image();
if (only.includes("sim")) simulate();
