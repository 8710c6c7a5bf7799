/**
 * A whole fleet that wants the same blob at the same moment, when only the origin has it: the real
 * scheduler in every node, one origin with a limited line, and links between the nodes. Bytes at the
 * origin must not grow with the fleet.
 */
import { RangeSet } from "../../src/core/range_set.ts";
import { groupCountOf } from "../../swarm/bao/geometry.ts";
import { FetchSim } from "./fetch_sim.ts";
import { SimulatedSource, type SourceModel } from "./swarm_model.ts";
import { SeededRandom, VirtualClock } from "./virtual_clock.ts";

const MIB = 1024 * 1024;

/** How a herd went. */
export interface HerdResult {
  readonly nodeCount: number;
  readonly originBytes: number;
  readonly lastMs: number;
  readonly completeCount: number;
  readonly faults: readonly string[];
  readonly line: string;
}

/** Runs a herd of `nodeCount`. `coordinated: false` shows what happens without turns. */
export function herd(
  options: {
    readonly nodeCount: number;
    readonly size?: number;
    readonly seed?: number;
    readonly coordinated?: boolean;
  },
): HerdResult {
  const { nodeCount } = options;
  const size = options.size ?? 1000 * MIB;
  const clock = new VirtualClock();
  const random = new SeededRandom(options.seed ?? 1);
  const chance = () => random.float();
  const originModel: SourceModel = {
    id: "origin",
    kind: "origin",
    latencyMs: 10,
    bandwidth: 100 * MIB,
    holds: RangeSet.ALL,
    tellsHoldings: false,
  };
  const origin = new SimulatedSource(originModel, { clock, size, random: chance });
  const nodes: FetchSim[] = [];
  // Each node serves to all others over one upload link what it holds at the moment.
  const uploads = Array.from({ length: nodeCount }, (_, index) => {
    const model = {
      id: `node${index}`,
      kind: "peer",
      latencyMs: 0.5,
      bandwidth: 125 * MIB,
      get holds() {
        return nodes[index]!.held;
      },
      tellsHoldings: true,
    } as const;
    return new SimulatedSource(model, { clock, size, random: chance });
  });
  for (let index = 0; index < nodeCount; index++) {
    nodes.push(
      new FetchSim({
        size,
        peers: [],
        origin: originModel,
        sharedOrigin: origin,
        discoveryEndsMs: 500,
        seed: index + 1,
      }, { clock, random: chance }),
    );
  }
  for (const [index, node] of nodes.entries()) {
    node.start();
    for (const [other, source] of uploads.entries()) {
      if (other === index) continue;
      const fetchesBeforeUs = other < index;
      const fleet = options.coordinated === false ? {} : { fetchesBeforeUs };
      clock.at(random.between(5, 200), () => node.add(source, fleet));
    }
  }
  while (nodes.some((node) => node.outcome === "running") && clock.step());
  const results = nodes.map((node) => node.result());
  const originBytes = origin.sentGroups * (size / groupCountOf(size));
  const lastMs = Math.max(...results.map((result) => result.endMs));
  return {
    nodeCount,
    originBytes,
    lastMs,
    completeCount: results.filter((result) => result.outcome === "done").length,
    faults: results.flatMap((result) => result.faults),
    line:
      `a herd of ${nodeCount}: ${(originBytes / size).toFixed(2)} times the blob at the origin, ` +
      `the last node after ${(lastMs / 1000).toFixed(1)} s`,
  };
}
