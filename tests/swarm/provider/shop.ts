/** Two nodes on a memory network of which one sells. */
import { equal } from "node:assert/strict";
import type { Message } from "../../../swarm/protocol/mod.ts";
import { MemoryGate } from "./memory_gate.ts";
import { FETCHER, TwoNodes, type TwoNodesOptions } from "./support.ts";

/** Two nodes of which the seeding one sells. */
export class Shop implements AsyncDisposable {
  readonly gate: MemoryGate;
  readonly nodes: TwoNodes;

  private constructor(gate: MemoryGate, nodes: TwoNodes) {
    this.gate = gate;
    this.nodes = nodes;
  }

  static async start(options: TwoNodesOptions = {}): Promise<Shop> {
    const gate = new MemoryGate();
    const provider = { gate, ...options.provider };
    return new Shop(gate, await TwoNodes.start({ ...options, provider }));
  }

  /** What the fetching node has, in msat/2^20. */
  get units(): bigint {
    return this.gate.unitsOf(FETCHER);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.nodes[Symbol.asyncDispose]();
    equal(this.gate.openCount, 0, "every meter is closed");
  }
}

/** The types of `messages`, in order. */
export function kinds(messages: readonly Message[]): string[] {
  return messages.map(({ t }) => t);
}
