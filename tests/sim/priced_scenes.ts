/** Scenes in which some peers ask a price, and what must hold of them besides. */
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf } from "../../swarm/bao/geometry.ts";
import { SCHEDULER_LIMITS, type Thrift } from "../../swarm/scheduler/mod.ts";
import type { FetchResult, FetchScene } from "./fetch_sim.ts";
import { faultsOf, isSteady, sceneOf } from "./scenes.ts";
import { SeededRandom } from "./virtual_clock.ts";

const MIB = 1024 * 1024;

/** What a source sent past the point where another took over: a piece of the model, seldom two. */
const CROSSING_BYTES = 2 * 16 * GROUP_BYTES;

/** What is asked of a paid peer before the size is proven, without the last group. */
const OPENER_BYTES = SCHEDULER_LIMITS.paidOpenerGroups * GROUP_BYTES;

/** A scene of `sceneOf` in which about two peers in three ask a price. */
export function pricedSceneOf(seed: number): FetchScene {
  const scene = sceneOf(seed);
  const random = new SeededRandom(seed ^ 0x9e1ce);
  const thrift: Thrift = random.pick(["cheapest", "balanced", "fastest"]);
  const peers = scene.peers.map((peer) =>
    random.chance(0.65)
      ? { ...peer, priceMsatPerMiB: random.pick([100, 500, 1000, 1000, 2000, 5000]) }
      : peer
  );
  return {
    ...scene,
    peers,
    thrift,
    ...(random.chance(0.15) ? { racesPaid: random.chance(0.5) } : {}),
  };
}

/** What must hold and does not, in words; empty when all is well. */
export function pricedFaultsOf(scene: FetchScene, result: FetchResult): string[] {
  const faults = faultsOf(scene, result);
  const racesPaid = scene.racesPaid ?? scene.thrift === "fastest";
  const races = racesPaid
    ? Math.max(SCHEDULER_LIMITS.raceBytesMin, scene.size * SCHEDULER_LIMITS.raceShareMax)
    : 0;
  // Any paid peer may be asked for the last group until one of them proved the size.
  const proofs = scene.peers.length * GROUP_BYTES;
  const crossing = result.cancelCount > 0 ? CROSSING_BYTES : 0;
  const slack = unprovenBytes(scene, result) + proofs + crossing;
  if (result.paidTwiceBytes > races + slack) {
    faults.push(`${result.paidTwiceBytes} bytes bought of two, ${races + slack} are fair`);
  }
  let boughtBytes = 0;
  for (const bytes of result.boughtBySource.values()) boughtBytes += bytes;
  // A window of 1 MiB is under way when a request is cancelled, and each proof is a group asked twice.
  const boughtMax = scene.size + races + slack + (result.cancelCount + 1) * MIB;
  if (boughtBytes > boughtMax) {
    faults.push(`${boughtBytes} bytes bought of ${scene.size}, at most ${boughtMax} are fair`);
  }
  if (boughtBytes > 0 && isFreeToBeHad(scene)) {
    faults.push(
      `${boughtBytes} bytes bought with cheapest, although they could be had for nothing`,
    );
  }
  return faults;
}

/** Without a proven size a store lets go of what an opener brought: it is bought again. */
function unprovenBytes(scene: FetchScene, result: FetchResult): number {
  const last = groupCountOf(scene.size) - 1;
  const canFail = scene.peers.some((peer) => !isSteady(peer) || !peer.holds.has(last));
  if (!canFail) return 0;
  return (1 + result.failures.length + result.cancelCount) * OPENER_BYTES;
}

/** Whether a steady free source has it all, and is there before anything is bought. */
function isFreeToBeHad(scene: FetchScene): boolean {
  if (scene.thrift !== "cheapest") return false;
  const all = RangeSet.of(0, groupCountOf(scene.size));
  const hasOrigin = scene.origin !== undefined && scene.policy !== "swarm-only";
  if (hasOrigin && isSteady(scene.origin!)) return true;
  return scene.peers.some((peer) =>
    (peer.priceMsatPerMiB ?? 0) === 0 && isSteady(peer) && peer.holds.includes(all) &&
    peer.foundMs < SCHEDULER_LIMITS.freeFirstMs && peer.foundMs < scene.discoveryEndsMs
  );
}
