/**
 * The one file that imports LogTape: structured logs on stderr, for people or as JSON lines, with a
 * level for each category. What looks like a secret never reaches a line.
 *
 * Categories: `node`, `net`, `relay`, `control`, `transfer`, `store`, `wallet`.
 */
import { configureSync, getLogger, type LogRecord } from "@logtape/logtape";
import { styleText } from "node:util";
import type { LogLevel, LogLevels } from "./config/values.ts";

/** What a line belongs to. */
export type LogCategory =
  | "node"
  | "net"
  | "relay"
  | "control"
  | "transfer"
  | "store"
  | "wallet"
  | "gateway"
  | "registry"
  | "catalog"
  | "lease";

/** One category's voice. `fields` are kept apart from the text in JSON. */
export type Log = (
  level: LogLevel,
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

/** Where lines go. */
export interface LogOptions {
  readonly levels: LogLevels;
  readonly format: "pretty" | "json";
  readonly write: (line: string) => void;
  readonly isColored: boolean;
}

/** Names of fields that are secrets whatever they hold. */
const SECRET_NAME =
  /seed|secret|token|password|authorization|proof|mnemonic|private|bearer|cookie|invoice|preimage|quote/i;

/** Secrets inside of texts: bearer tokens, Cashu tokens, invoices, Nostr secret keys, users in URLs. */
const SECRET_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\bBearer\s+[\w.~+/=-]+/gi, "Bearer [redacted]"],
  [/\bcashu[AB][\w-]{8,}=*/g, "[redacted]"],
  [/\b(?:ln(?:bcrt|bc|tbs|tb)\d*[munp]?|lnurl)1[02-9ac-hj-np-z]{20,}/gi, "[redacted]"],
  [/\bnsec1[02-9ac-hj-np-z]{20,}/g, "[redacted]"],
  [/:\/\/[^\s/@]+@/g, "://[redacted]@"],
  [/([?&][\w-]*(?:token|secret|key|sig)[\w-]*=)[^&\s]+/gi, "$1[redacted]"],
];

/** Makes logs go where `options` say. The last call counts. */
export function configureLog(options: LogOptions): void {
  const sink = (record: LogRecord) => options.write(`${lineOf(record, options)}\n`);
  configureSync({
    reset: true,
    sinks: { line: sink },
    loggers: [
      { category: ["seedmint"], lowestLevel: options.levels.base, sinks: ["line"] },
      ...Object.entries(options.levels.byCategory).map(([category, lowestLevel]) => ({
        category: ["seedmint", category],
        lowestLevel,
        sinks: ["line"] as "line"[],
        parentSinks: "override" as const,
      })),
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["line"] },
    ],
  });
}

/** The voice of `category`; silent until {@link configureLog} was called. */
export function logOf(category: LogCategory): Log {
  const logger = getLogger(["seedmint", category]);
  return (level, message, fields = {}) => {
    // Braces would be read as a template; the text is never one here.
    logger[level === "warning" ? "warn" : level](message.replace(/[{}]/g, "$&$&"), { ...fields });
  };
}

/** Takes secrets out of a text. */
export function redactText(text: string): string {
  return SECRET_TEXT.reduce((left, [pattern, shown]) => left.replace(pattern, shown), text);
}

/** Takes secrets out of a value of a field, however deep. */
export function redact(value: unknown, name = "", depth = 0): unknown {
  if (SECRET_NAME.test(name)) return "[redacted]";
  if (typeof value === "string") return redactText(value);
  if (value instanceof Error) return redactText(`${value.name}: ${value.message}`);
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (typeof value !== "object" || value === null) return value;
  if (depth >= 4) return "[…]";
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => redact(item, "", depth + 1));
  return Object.fromEntries(
    Object.entries(value).slice(0, 100).map(([key, item]) => [key, redact(item, key, depth + 1)]),
  );
}

const COLORS = {
  trace: "gray",
  debug: "gray",
  info: "green",
  warning: "yellow",
  error: "red",
  fatal: "red",
} as const;

function lineOf(record: LogRecord, options: LogOptions): string {
  const category = record.category.slice(1).join(".");
  const message = redactText(record.message.map(String).join(""));
  const fields = redact(record.properties) as Record<string, unknown>;
  const time = new Date(record.timestamp).toISOString();
  if (options.format === "json") {
    return JSON.stringify({ time, level: record.level, category, message, ...fields });
  }
  const extra = Object.entries(fields).map(([key, value]) =>
    ` ${key}=${typeof value === "string" ? value : JSON.stringify(value)}`
  ).join("");
  const level = record.level.toUpperCase().padEnd(7);
  const shown = options.isColored
    ? styleText(COLORS[record.level], level, { validateStream: false })
    : level;
  // A text of a peer must not steer the terminal; only our own colours may.
  const text = `${category}: ${message}${extra}`.replace(/\p{Cc}/gu, " ");
  return `${time.slice(11, 23)} ${shown} ${text}`;
}
