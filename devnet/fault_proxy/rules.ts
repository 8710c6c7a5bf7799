/** What the fault proxy may be told to do to requests and answers. */

/** Whether the mint gets the request at all; what the client sees is the same either way. */
interface Forwarding {
  /** @default {true} where the answer is spoilt, `false` where an error is answered. */
  readonly forward?: boolean;
}

/** One kind of trouble. */
export type Fault =
  /** None: for the requests before the one that is meant. */
  | { readonly action: "pass" }
  /** The mint gets nothing; the connection ends without an answer. */
  | { readonly action: "drop-request" }
  /** The mint does its work; the connection ends without an answer. */
  | { readonly action: "drop-response" }
  /** The mint gets nothing; the client waits in vain. */
  | { readonly action: "hang-request" }
  /** The mint does its work; the client waits in vain. */
  | { readonly action: "hang-response" }
  /** The mint gets it `ms` later, even when the client has given up. */
  | { readonly action: "delay-request"; readonly ms: number }
  | { readonly action: "delay-response"; readonly ms: number }
  /** The mint gets it twice: at once, or the second time `ms` later, when the first is answered. */
  | {
    readonly action: "duplicate";
    /** Which answer the client gets. @default {"first"} */
    readonly answer?: "first" | "last";
    readonly ms?: number;
  }
  /** The connection is reset (RST). */
  | ({ readonly action: "reset" } & Forwarding)
  /** The answer ends after half of its bytes, or after `bytes`. */
  | { readonly action: "truncate"; readonly bytes?: number }
  /** This answer comes after that of the next request with the same path, or after `ms` (2000). */
  | { readonly action: "reorder"; readonly ms?: number }
  /** Lists of signatures in the answer come in reverse order. */
  | { readonly action: "permute" }
  /** An HTTP status, 500 to 599 or 429 as a rule, with a JSON error or `body`. */
  | (
    & {
      readonly action: "status";
      readonly status: number;
      readonly retryAfterS?: number;
      readonly body?: string;
    }
    & Forwarding
  )
  /** Status 200 with a page for people. */
  | ({ readonly action: "html" } & Forwarding)
  /** Status 200 without a byte. */
  | ({ readonly action: "empty" } & Forwarding)
  /** The oldest answer to the same method and path is given again; the mint gets nothing. */
  | { readonly action: "stale" }
  /** Fields are put over those of the answer's JSON object: a man in the middle. */
  | { readonly action: "merge"; readonly fields: Readonly<Record<string, unknown>> };

/** A fault for the next requests that match. */
export type FaultRule = Fault & {
  /** Nothing given fits every request. */
  readonly match?: {
    readonly method?: string;
    /** Path without the query; a `*` at its end stands for anything. */
    readonly path?: string;
  };
  /** For how many requests; `always` until the rules are cleared. @default {1} */
  readonly count?: number | "always";
  /** How many that match go through before. @default {0} */
  readonly skip?: number;
};

const ACTIONS = [
  ...["pass", "drop-request", "drop-response", "hang-request", "hang-response"],
  ...["delay-request", "delay-response", "duplicate", "reset", "truncate", "reorder", "permute"],
  ...["status", "html", "empty", "stale", "merge"],
];

/**
 * A rule from JSON.
 *
 * @throws {TypeError} If it makes no sense.
 */
export function parseRule(json: unknown): FaultRule {
  const rule = (typeof json === "object" && json !== null ? json : {}) as FaultRule;
  if (!ACTIONS.includes(rule.action)) {
    throw new TypeError(`Cannot use this rule: its action is one of ${ACTIONS.join(", ")}`);
  }
  const { count = 1, skip = 0, match = {} } = rule;
  const ms = "ms" in rule ? rule.ms ?? 0 : rule.action.startsWith("delay-") ? -1 : 0;
  const isCount = (value: unknown, min: number) =>
    Number.isSafeInteger(value) && value as number >= min;
  if (!(count === "always" || isCount(count, 1)) || !isCount(skip, 0) || !isCount(ms, 0)) {
    throw new TypeError("Cannot use this rule: count, skip and ms are whole numbers");
  }
  if (rule.action === "status" && !(isCount(rule.status, 200) && rule.status <= 599)) {
    throw new TypeError("Cannot use this rule: status is a number from 200 to 599");
  }
  if (rule.action === "merge" && (typeof rule.fields !== "object" || rule.fields === null)) {
    throw new TypeError("Cannot use this rule: fields is an object");
  }
  const isKnown = Object.entries(match).every(([key, value]) =>
    (key === "method" || key === "path") && typeof value === "string"
  );
  if (!isKnown) throw new TypeError("Cannot use this rule: it may match method and path");
  return rule;
}

interface Entry {
  readonly rule: FaultRule;
  skip: number;
  left: number;
}

/** The rules that are still to be used, oldest first. */
export class RuleBook {
  readonly #entries = new Set<Entry>();

  add(rule: FaultRule): void {
    const { count = 1, skip = 0 } = parseRule(rule);
    this.#entries.add({ rule, skip, left: count === "always" ? Infinity : count });
  }

  clear(): void {
    this.#entries.clear();
  }

  /** How many rules wait for their request. */
  get size(): number {
    return this.#entries.size;
  }

  /** Takes one use of the oldest rule that matches. */
  take(method: string, path: string): FaultRule | undefined {
    for (const entry of this.#entries) {
      if (!isMatch(entry.rule, method, path)) continue;
      if (entry.skip > 0) {
        entry.skip--;
        continue;
      }
      entry.left--;
      if (entry.left <= 0) this.#entries.delete(entry);
      return entry.rule;
    }
    return undefined;
  }
}

function isMatch({ match = {} }: FaultRule, method: string, path: string): boolean {
  if (match.method !== undefined && match.method.toUpperCase() !== method) return false;
  if (match.path === undefined) return true;
  return match.path.endsWith("*") ? path.startsWith(match.path.slice(0, -1)) : path === match.path;
}
