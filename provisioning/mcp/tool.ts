/** What a tool is, and the arguments that several have. */
import { type Argument, type Arguments, readArguments, type Values } from "./arguments.ts";
import type { ToolCall } from "./call.ts";

/** One tool. */
export interface AgentTool {
  readonly name: string;
  readonly description: string;
  readonly table: Arguments;
  /** Whether it changes nothing. */
  readonly isReading: boolean;
  /** Whether it ends something that cannot be had back. */
  readonly isDestructive: boolean;
  /** Names that are answered and not listed. */
  readonly otherNames: readonly string[];
  readonly run: (raw: unknown, call: ToolCall) => Promise<unknown>;
}

const DAYS_30_S = 30 * 24 * 3600;

/** Names a lease. */
export const LEASE = {
  type: "string",
  charsMax: 256,
  required: true,
  description: "The lease: its id as list_leases shows it, or container-<number>",
} as const satisfies Argument;

/** Makes asking twice harmless. */
export const REQUEST_ID = {
  type: "string",
  charsMax: 64,
  pattern: /^[0-9a-zA-Z_-]{8,64}$/,
  description:
    "8 to 64 letters and digits of your choice: the same id again is the same request, and " +
    "is paid once. Give one, and asking again after a lost answer is harmless",
} as const satisfies Argument;

/** How long. */
export const DURATION = {
  type: "integer",
  min: 1,
  max: DAYS_30_S,
  description: "How long, in seconds (3600 unless budget_sat is given)",
} as const satisfies Argument;

/** How much. */
export const BUDGET = {
  type: "integer",
  min: 1,
  max: 100_000_000,
  description: "How much to pay, in sat, instead of a duration; it lasts as long as that buys",
} as const satisfies Argument;

/** Whose money, if not the owner's. */
export const TOKEN = {
  type: "string",
  charsMax: 48 * 1024,
  description: "A Cashu token of yours that pays instead of the owner's wallet",
} as const satisfies Argument;

/** With whom. */
export const PROVIDER = {
  type: "string",
  charsMax: 256,
  description:
    "The provider's key (npub or hex), the beginning of it, or its name; by default the " +
    "owner's policy chooses",
} as const satisfies Argument;

/** Makes a tool of a table of arguments and of what it does with them. */
export function tool<const T extends Arguments>(spec: {
  readonly name: string;
  readonly description: string;
  readonly table: T;
  readonly isReading?: true;
  readonly isDestructive?: true;
  readonly otherNames?: readonly string[];
  readonly run: (values: Values<T>, call: ToolCall) => Promise<unknown>;
}): AgentTool {
  return {
    name: spec.name,
    description: spec.description,
    table: spec.table,
    isReading: spec.isReading ?? false,
    isDestructive: spec.isDestructive ?? false,
    otherNames: spec.otherNames ?? [],
    run: (raw, call) => spec.run(readArguments(spec.table, raw), call),
  };
}

/** The members that are there. */
export function given<T extends Record<string, unknown>>(
  members: T,
): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as { readonly [K in keyof T]?: Exclude<T[K], undefined> };
}
