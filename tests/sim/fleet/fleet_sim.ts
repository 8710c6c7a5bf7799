/**
 * A fleet that wants one content at one moment, to ten thousand nodes: bytes flow as a fluid over
 * links with a speed, in steps; who asks whom, who gets a seat and who is left is decided by the
 * cascade's own code. Equal scenes give equal results.
 *
 * Assumed: every node has one line up and one down, shared evenly by its streams; the network between
 * them is limited by nothing else; upstream has one line for all; a hop passes bytes on one step after
 * it got them; hashing and disks are faster than the lines; who dies goes silent without a word.
 */
import type { Sha256 } from "../../../src/core/hash.ts";
import { Order, partsOf } from "../../../swarm/cascade/order.ts";
import { SeededRandom, VirtualClock } from "../virtual_clock.ts";
import { FleetNode } from "./fleet_node.ts";

/** A fleet to be simulated. */
export interface FleetScene {
  readonly nodeCount: number;
  /** Bytes. */
  readonly size: number;
  /** Bytes a second of each node, up and down each. */
  readonly nodeRate: number;
  /** Bytes a second of upstream in all. */
  readonly upstreamRate: number;
  /** From asking upstream to its first byte. @default {50} */
  readonly upstreamFirstMs?: number;
  /** One way between two nodes. @default {0.5} */
  readonly latencyMs?: number;
  /** Nodes begin within this time, evenly spread by chance. @default {500} */
  readonly startSpreadMs?: number;
  /** Share of the members that want it; the others only answer. @default {1} */
  readonly wantShare?: number;
  /** Share of those that want it that dies, and when. */
  readonly deaths?: { readonly share: number; readonly atMs: number };
  /** Length of a step. @default {10} */
  readonly stepMs?: number;
  readonly seed?: number;
}

/** How it went. */
export interface FleetResult {
  readonly scene: FleetScene;
  readonly wantingCount: number;
  readonly completeCount: number;
  /** Those that did not die before they were complete. */
  readonly survivorCount: number;
  readonly upstreamBytes: number;
  /** What one node needs, with nobody else there. */
  readonly aloneMs: number;
  /** From the start of the first node. */
  readonly lastMs: number;
  /** The same if each had read from upstream by itself, all at once. */
  readonly directMs: number;
  /** Questions that all nodes asked for parents, and the most that one had to answer. */
  readonly askCount: number;
  readonly asksAnsweredMax: number;
  /** Of one node, in contents' sizes. */
  readonly sentMax: number;
  /** Members between a node and upstream. */
  readonly depthMax: number;
}

/** What the nodes of one simulation share. */
export class FleetSim {
  readonly scene: FleetScene;
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly sha256: Sha256;
  readonly order: Order;
  readonly nodes = new Map<string, FleetNode>();
  readonly latencyMs: number;
  /** Parts that are read from upstream now. */
  readonly readers = new Set<{ readonly node: FleetNode; readonly part: number }>();
  upstreamBytes = 0;
  askCount = 0;
  depthMax = 0;

  constructor(scene: FleetScene) {
    this.scene = scene;
    this.latencyMs = scene.latencyMs ?? 0.5;
    this.random = new SeededRandom(scene.seed ?? 1);
    this.sha256 = (scene.seed ?? 1).toString(16).padStart(64, "0") as Sha256;
    const ids = Array.from({ length: scene.nodeCount }, (_, index) => `node${index}`);
    this.order = new Order({
      digest: this.sha256,
      members: ids,
      partCount: partsOf(scene.size).length,
    });
    for (const id of ids) this.nodes.set(id, new FleetNode(id, this));
  }

  run(): FleetResult {
    const { scene, clock, random } = this;
    const wanting = [...this.nodes.values()].filter(() => random.float() < (scene.wantShare ?? 1));
    for (const node of wanting) {
      clock.at(random.float() * (scene.startSpreadMs ?? 500), () => node.begin());
    }
    const { deaths } = scene;
    if (deaths !== undefined) {
      for (const node of wanting) {
        if (random.float() < deaths.share) clock.at(deaths.atMs, () => node.die());
      }
    }
    const stepMs = scene.stepMs ?? 10;
    const tick = () => {
      this.#step(wanting, stepMs);
      if (wanting.some((node) => !node.isOver) && clock.nowMs < 3_600_000) {
        clock.after(stepMs, tick);
      }
    };
    clock.after(stepMs, tick);
    while (clock.step());
    return this.#result(wanting);
  }

  #step(wanting: readonly FleetNode[], stepMs: number): void {
    const { scene, clock } = this;
    const perNode = (scene.nodeRate * stepMs) / 1000;
    for (const node of wanting) node.beginStep(perNode);
    // Whoever is served first takes what it can: the turn goes round.
    const turn = this.random.below(wanting.length);
    let left = (scene.upstreamRate * stepMs) / 1000;
    let waiting = this.readers.size;
    for (const { node, part } of this.readers) {
      const taken = node.take(part, left / waiting--, "upstream");
      left -= taken;
      this.upstreamBytes += taken;
    }
    for (let index = 0; index < wanting.length; index++) {
      wanting[(index + turn) % wanting.length]!.send(perNode);
    }
    for (const node of wanting) node.endStep(clock.nowMs);
  }

  #result(wanting: readonly FleetNode[]): FleetResult {
    const { scene } = this;
    const done = wanting.filter((node) => node.doneMs !== undefined);
    const aloneMs = (scene.size * 1000) / Math.min(scene.upstreamRate, scene.nodeRate) +
      (scene.upstreamFirstMs ?? 50);
    return {
      scene,
      wantingCount: wanting.length,
      completeCount: done.length,
      survivorCount: wanting.filter((node) => !node.isDead).length,
      upstreamBytes: this.upstreamBytes,
      aloneMs,
      lastMs: Math.max(...done.map((node) => node.doneMs!)),
      directMs: Math.max(
        aloneMs,
        (scene.size * 1000 * wanting.length) / scene.upstreamRate,
      ),
      askCount: this.askCount,
      asksAnsweredMax: Math.max(...[...this.nodes.values()].map((node) => node.answeredCount)),
      sentMax: Math.max(...wanting.map((node) => node.sentBytes)) / scene.size,
      depthMax: this.depthMax,
    };
  }
}

/** Runs one scene. */
export function runFleet(scene: FleetScene): FleetResult {
  return new FleetSim(scene).run();
}
