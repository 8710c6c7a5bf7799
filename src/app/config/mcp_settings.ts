/** Settings of serving agents over the Model Context Protocol. */
import { parsePublicKey } from "../../nostr/nostr.ts";
import { satSchema } from "./money_values.ts";
import { setting } from "./setting.ts";
import { booleanSchema, listSchema, reader, type Schema } from "./values.ts";

/** A Nostr key as people have it: `npub1…` or 64 hex digits. */
const agentKeySchema: Schema<string> = reader((input) => {
  const key = parsePublicKey(String(input).trim());
  if (key !== undefined) return key;
  throw new SyntaxError("a Nostr public key, npub1… or 64 hex digits, wanted");
});

/** The rows; `settings.ts` puts them among the others. */
export const MCP_SETTINGS = {
  mcpBudget: setting<number>({
    placeholder: "AMOUNT",
    default: "200sat",
    description: "Most sat that an agent may spend in one call, fees included",
    schema: satSchema,
  }),
  mcpBudgetDay: setting<number>({
    placeholder: "AMOUNT",
    default: "1000sat",
    description: "Most sat that all agents together may spend in a day, fees included",
    schema: satSchema,
  }),
  mcpAgent: setting<readonly string[]>({
    placeholder: "KEY",
    default: [],
    description: "Nostr keys of agents that mcp --nostr answers; nobody else gets a word",
    schema: listSchema(agentKeySchema),
    isList: true,
  }),
  mcpClear: setting<boolean>({
    default: "no",
    description: "Let mcp --nostr take messages in the clear, too, which relays can read",
    schema: booleanSchema,
    isSwitch: true,
  }),
} as const;
