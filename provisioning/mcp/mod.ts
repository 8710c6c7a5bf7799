/**
 * Renting by agents: a server of the Model Context Protocol over stdio, and over Nostr as ContextVM
 * speaks it. Vocabulary: an agent is a program that calls tools; the desk is the node's side of
 * renting; the ledger counts what agents spend, and knows which leases are whose.
 *
 * May import: `src/core`, `src/sqlite`, `src/nostr`, `@modelcontextprotocol/sdk` in `sdk.ts` only.
 */
export type {
  AgentDesk,
  AgentLease,
  AgentQuote,
  AgentWork,
  Json,
  LeasePayment,
  LeaseWish,
  OfferWish,
  SpawnOrder,
  TopUpOrder,
} from "./agent_desk.ts";
export type { Agent } from "./call.ts";
export { AgentLedger, type AgentLimits } from "./ledger.ts";
export { CONTEXT_VM_LIMITS, MCP_LIMITS } from "./limits.ts";
export { agentServer, type AgentServerOptions } from "./server.ts";
export { serveStdio } from "./stdio.ts";
export { AGENT_TOOLS, toolOf } from "./tools.ts";
export { ContextVm, type ContextVmOptions } from "./nostr/mod.ts";
