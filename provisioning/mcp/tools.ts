/** The tools: what agents can do, with the names of earlier systems beside ours. */
import { LEASE_TOOLS } from "./lease_tools.ts";
import { MARKET_TOOLS } from "./market_tools.ts";
import { OLD_TOOLS } from "./old_tools.ts";
import type { AgentTool } from "./tool.ts";

/** All tools, ours first. */
export const AGENT_TOOLS: readonly AgentTool[] = [
  ...MARKET_TOOLS,
  ...LEASE_TOOLS,
  ...OLD_TOOLS,
];

/** The tool of a name, listed or not. */
export function toolOf(name: string): AgentTool | undefined {
  return AGENT_TOOLS.find((tool) => tool.name === name || tool.otherNames.includes(name));
}
