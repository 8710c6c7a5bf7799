/** Scenes from a seed, and what must hold of each when it ended. */
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf } from "../../swarm/bao/geometry.ts";
import { type FetchResult, type FetchScene, FetchSim } from "./fetch_sim.ts";
import type { SourceModel } from "./swarm_model.ts";
import { SeededRandom, VirtualClock } from "./virtual_clock.ts";

const MIB = 1024 * 1024;

/** Times that never come in a scene. */
const NEVER_MS = 1e9;

/** A scene: everything about it follows from its seed. */
export function sceneOf(seed: number): FetchScene {
  const random = new SeededRandom(seed);
  const size = sizeOf(random);
  const groupCount = groupCountOf(size);
  const peers: (SourceModel & { foundMs: number })[] = [];
  const count = random.chance(0.1) ? 0 : 1 + random.below(random.chance(0.2) ? 20 : 6);
  for (let index = 0; index < count; index++) {
    peers.push({
      ...peerOf(random, { id: `peer${index}`, size, groupCount }),
      foundMs: random.chance(0.7) ? random.between(0, 200) : random.between(0, 5000),
    });
  }
  const held = random.chance(0.3)
    ? RangeSet.from([{ start: groupCount - 1, end: groupCount }, span(random, groupCount)])
    : RangeSet.EMPTY;
  const origin = random.chance(0.5) ? originOf(random) : undefined;
  return {
    size,
    peers,
    seed,
    discoveryEndsMs: Math.max(random.between(0, 6000), ...peers.map((peer) => peer.foundMs + 1)),
    policy: random.pick(["swarm-first", "swarm-first", "race", "origin-first", "swarm-only"]),
    ...(held.isEmpty ? {} : { held }),
    ...(origin === undefined ? {} : { origin }),
  };
}

function sizeOf(random: SeededRandom): number {
  const kind = random.below(4);
  if (kind === 0) return random.below(3 * GROUP_BYTES);
  if (kind === 1) return random.below(8 * MIB);
  if (kind === 2) return random.below(64 * MIB);
  return random.below(512 * MIB);
}

function span(random: SeededRandom, groupCount: number): { start: number; end: number } {
  const start = random.below(groupCount);
  return { start, end: start + 1 + random.below(groupCount - start) };
}

/** One peer; two in five are good, the others each have a fault or several. */
function peerOf(
  random: SeededRandom,
  blob: { readonly id: string; readonly size: number; readonly groupCount: number },
): SourceModel {
  const { groupCount } = blob;
  const all = RangeSet.of(0, groupCount);
  const isGood = random.chance(0.4);
  const has = (probability: number) => !isGood && random.chance(probability);
  const spans = (): [number, number][] => {
    const from = random.between(0, 4000);
    return [[from, random.chance(0.5) ? NEVER_MS : from + random.between(100, 8000)]];
  };
  const holds = has(0.25)
    ? RangeSet.from([span(random, groupCount), span(random, groupCount)])
    : all;
  return {
    id: blob.id,
    kind: "peer",
    latencyMs: random.chance(0.8) ? random.between(0.1, 60) : random.between(60, 700),
    bandwidth: has(0.2) ? random.between(64 * 1024, 512 * 1024) : random.between(1, 120) * MIB,
    holds,
    tellsHoldings: random.chance(0.9),
    ...(has(0.2) ? { liesAfterGroups: random.below(groupCount) } : {}),
    ...(has(0.08) ? { claimsSize: random.below(2 * blob.size + 2 * GROUP_BYTES) } : {}),
    ...(has(0.1) ? { boasts: true, holds: RangeSet.EMPTY } : {}),
    ...(has(0.3) ? { resetChance: random.between(0, 0.004) } : {}),
    ...(has(0.25) ? { hangs: spans() } : {}),
    ...(has(0.25) ? { gone: spans() } : {}),
  };
}

function originOf(random: SeededRandom): SourceModel {
  return {
    id: "origin",
    kind: "origin",
    latencyMs: random.between(1, 300),
    bandwidth: random.between(1, 100) * MIB,
    holds: RangeSet.ALL,
    tellsHoldings: false,
    ...(random.chance(0.15) ? { liesAfterGroups: 0 } : {}),
    ...(random.chance(0.1) ? { gone: [[0, NEVER_MS]] as const } : {}),
  };
}

/** Whether a source always serves what it says it holds. */
export function isSteady(model: SourceModel): boolean {
  return model.liesAfterGroups === undefined && model.claimsSize === undefined &&
    model.resetChance === undefined && model.hangs === undefined && model.gone === undefined &&
    model.boasts !== true;
}

/** Runs a scene to its end. */
export function runScene(scene: FetchScene): FetchResult {
  const clock = new VirtualClock();
  const random = new SeededRandom(scene.seed ^ 0x5eed);
  const sim = new FetchSim(scene, { clock, random: () => random.float() });
  sim.start();
  while (sim.outcome === "running" && sim.result().faults.length === 0 && clock.step());
  // What was under way crosses the end; it must be harmless.
  for (let count = 0; count < 1000 && clock.step(); count++);
  return sim.result();
}

/** What must hold and does not, in words; empty when all is well. */
export function faultsOf(scene: FetchScene, result: FetchResult): string[] {
  const faults = [...result.faults];
  const all = RangeSet.of(0, groupCountOf(scene.size));
  const origin = scene.policy === "swarm-only" ? undefined : scene.origin;
  let steady = origin !== undefined && isSteady(origin) ? all : scene.held ?? RangeSet.EMPTY;
  for (const peer of scene.peers) if (isSteady(peer)) steady = steady.union(peer.holds);
  if (result.outcome === "running") faults.push("it did not end");
  if (result.outcome === "failed" && steady.includes(all)) {
    faults.push(`it failed (${result.reason}) although steady sources hold the blob`);
  }
  const waste = wasteMax(scene, result);
  if (result.wastedBytes > waste) {
    faults.push(`${result.wastedBytes} bytes wasted, at most ${Math.ceil(waste)} are fair`);
  }
  return faults;
}

/**
 * What may be wasted: two in a hundred; for each thing that went wrong the part of a range that
 * crossed it; the opener, when whoever was asked first could not prove the size; and what an origin
 * sent that was not verified in the end.
 */
function wasteMax(scene: FetchScene, result: FetchResult): number {
  const incidents = result.failures.length + result.cancelCount;
  const originBytes = result.originAskedMs === undefined ? 0 : scene.size + MIB;
  const unsteadyOrigin = scene.origin !== undefined && !isSteady(scene.origin) ? 4 : 1;
  const last = groupCountOf(scene.size) - 1;
  const canFailToProve = scene.peers.some((peer) => !isSteady(peer) || !peer.holds.has(last));
  const openerBytes = canFailToProve ? Math.min(scene.size, 4 * MIB) : 0;
  return 0.02 * scene.size + MIB + incidents * MIB + openerBytes + originBytes * unsteadyOrigin;
}
