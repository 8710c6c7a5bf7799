/** Figures about failover and sharing, from the simulator: exact, and the same on any machine. */
import { RangeSet } from "../../src/core/range_set.ts";
import type { FetchResult, FetchScene } from "./fetch_sim.ts";
import { runScene } from "./scenes.ts";
import type { SourceModel } from "./swarm_model.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Times that never come in a scene. */
const NEVER_MS = 1e9;

/** A peer that is there from the start and holds all. */
export function goodPeer(id: string, model: Partial<SourceModel> = {}) {
  return {
    id,
    kind: "peer",
    latencyMs: 1,
    bandwidth: 50 * MIB,
    holds: RangeSet.ALL,
    tellsHoldings: true,
    foundMs: 0,
    ...model,
  } as const;
}

/** An origin that works. */
export const ORIGIN: SourceModel = {
  id: "origin",
  kind: "origin",
  latencyMs: 10,
  bandwidth: 100 * MIB,
  holds: RangeSet.ALL,
  tellsHoldings: false,
};

/** Runs a scene of peers that are found at once. */
export function fetch(scene: Partial<FetchScene> & Pick<FetchScene, "peers">): FetchResult {
  return runScene({ size: GIB, seed: 1, discoveryEndsMs: 100, ...scene });
}

/** What several sources of equal speed give together, and what they send in vain. */
export function sharing(options: { readonly count: number; readonly latencyMs: number }) {
  const peers = Array.from(
    { length: options.count },
    (_, index) => goodPeer(`peer${index}`, { latencyMs: options.latencyMs }),
  );
  const result = fetch({ peers });
  const idealMs = (GIB * 1000) / (50 * MIB * options.count);
  return { share: idealMs / result.endMs, waste: result.wastedBytes / GIB, result };
}

/** How much longer a fetch takes when one of `count` providers resets in the middle. */
export function resetCost(options: { readonly count: number }) {
  const peers = Array.from({ length: options.count }, (_, index) => goodPeer(`peer${index}`));
  const plain = fetch({ peers });
  const at = plain.endMs / 2;
  const broken = peers.map((peer, index) =>
    index === 0 ? { ...peer, gone: [[at, at + 20]] as const } : peer
  );
  const result = fetch({ peers: broken });
  return { extraMs: result.endMs - plain.endMs, result };
}

/** When the first origin byte comes if all peers hang from `hangMs` on. */
export function hangAll(options: { readonly hangMs: number }) {
  const peers = ["a", "b", "c"].map((id) => goodPeer(id, { hangs: [[options.hangMs, NEVER_MS]] }));
  const result = fetch({ peers, origin: ORIGIN });
  return { firstOriginByteMs: result.firstOriginByteMs! - options.hangMs, result };
}

/** The lines that are printed. */
export function figures(): string[] {
  const lines: string[] = [];
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  for (const [count, latencyMs] of [[1, 0.1], [1, 25], [4, 1], [4, 25], [16, 10]] as const) {
    const { share, waste } = sharing({ count, latencyMs });
    lines.push(
      `${count} equal sources, ${2 * latencyMs} ms round trip: ${percent(share)} of their sum, ` +
        `${percent(waste)} fetched in vain`,
    );
  }
  for (const count of [1, 3]) {
    const { extraMs } = resetCost({ count });
    lines.push(`a reset in the middle with ${count} sources costs ${Math.round(extraMs)} ms`);
  }
  const start = hangAll({ hangMs: 0 });
  lines.push(
    `all hang at the start: first origin byte after ${Math.round(start.firstOriginByteMs)} ms`,
  );
  const middle = hangAll({ hangMs: 2000 });
  lines.push(
    `all hang in the middle: first origin byte ${Math.round(middle.firstOriginByteMs)} ms later`,
  );
  return lines;
}
