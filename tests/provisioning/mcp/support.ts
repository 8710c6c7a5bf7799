/** An agent and its server, joined in memory. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { ManualClock } from "../../support/manual_clock.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { MemoryAgentDesk } from "../../support/provisioning/memory_agent_desk.ts";
import {
  type Agent,
  AgentLedger,
  type AgentLimits,
  agentServer,
} from "../../../provisioning/mcp/mod.ts";

/** What a tool answered. */
export interface Told {
  readonly isError: boolean;
  readonly text: string;
  // deno-lint-ignore no-explicit-any -- the tests know what each tool gives
  readonly members: any;
}

/** A node with agents. */
export class AgentWorld implements AsyncDisposable {
  readonly desk = new MemoryAgentDesk();
  readonly ledger = AgentLedger.open(":memory:");
  readonly clock = new ManualClock();
  readonly random = seededRandom(3);
  readonly problems: string[] = [];
  limits: AgentLimits = { perCallSat: 100, perDaySat: 250 };
  readonly #stack = new AsyncDisposableStack();

  constructor() {
    this.#stack.use(this.ledger);
  }

  serve(agent: Agent) {
    return agentServer(agent, {
      desk: this.desk,
      ledger: this.ledger,
      limits: this.limits,
      version: "1",
      clock: this.clock,
      random: this.random,
      onProblem: (problem) => this.problems.push(problem),
    });
  }

  /** Connects an agent. */
  async connect(agent: Agent = { name: "local", isRemote: false }) {
    const [ours, theirs] = InMemoryTransport.createLinkedPair();
    const server = this.serve(agent);
    await server.connect(ours);
    const client = new Client({ name: "agent", version: "1" });
    await client.connect(theirs);
    this.#stack.defer(() => client.close());
    const call = async (name: string, args: Record<string, unknown> = {}): Promise<Told> => {
      const result = await client.callTool({ name, arguments: args }) as {
        isError?: boolean;
        content: { text: string }[];
      };
      const { text } = result.content[0]!;
      const isError = result.isError === true;
      return { isError, text, members: isError ? undefined : JSON.parse(text) };
    };
    return { client, call, theirs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
