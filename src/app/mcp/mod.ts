/**
 * Agents of the Model Context Protocol, served by this node. Vocabulary: `provisioning/mcp/mod.ts`.
 *
 * May import: anything.
 */
export { NodeAgentDesk, type UseNode } from "./agent_desk.ts";
export { NodeUse } from "./node_use.ts";
