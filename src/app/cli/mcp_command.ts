/** The row of `mcp` in the table of verbs. */
import type { VerbSpec } from "./verb.ts";

/** Serves agents. */
export const MCP_VERB: VerbSpec = {
  name: "mcp",
  summary: "Let an agent rent compute: an MCP server over stdio, or over Nostr",
  operands: "",
  operandCountMin: 0,
  operandCountMax: 0,
  details:
    "Speaks the Model Context Protocol on stdin and stdout, for a program on this machine that starts " +
    "it: tools to list offers, quote, rent, run commands, top up and end leases. With --nostr it is " +
    "reached through the relays instead, as ContextVM speaks, by the keys of --mcp-agent and nobody " +
    "else; those see only leases that they began. An agent spends at most --mcp-budget in one call and " +
    "--mcp-budget-day in a day, and nothing above the wallet's own budgets: it can never say yes for you. " +
    "Works through the running node, or by itself.",
  flags: { nostr: { description: "Serve over Nostr until interrupted, not over stdio" } },
  settings: [
    "mcpBudget",
    "mcpBudgetDay",
    "mcpAgent",
    "mcpClear",
    "relay",
    "findTimeout",
    "lesseeTimeout",
    "lesseeHttp",
    "lesseePolicy",
  ],
  examples: [
    ["mcp --mcp-budget 100sat", "as the command of an MCP server in an agent's settings"],
    ["mcp --nostr --mcp-agent npub1…", "for an agent on another machine"],
  ],
  load: () => import("./verbs/mcp.ts"),
};
