/**
 * Spending conditions in secrets (NUT-10, NUT-11), read strictly: what is accepted without asking the
 * mint must mean to every mint what it means to us. Malformed or unusual tags are refused here, where
 * a lenient reader would take them for absent.
 */
import { SECRET_CHARS_MAX } from "../limits.ts";

/** What it takes to spend a proof. */
export type SpendingCondition =
  /** Nothing but the secret. */
  | { readonly kind: "none" }
  /** One signature of one key; after the locktime, one of a refund key (or, with none, nothing). */
  | {
    readonly kind: "P2PK";
    /** 33 bytes in hex. */
    readonly data: string;
    /** Seconds since 1970. */
    readonly locktimeS?: number;
    /** 33 bytes in hex each. */
    readonly refundKeys: readonly string[];
  };

/** Keys that one refund tag may list: nutshell and cdk take more, nobody needs them. */
const REFUND_KEY_COUNT_MAX = 10;

/**
 * Reads the condition of `secret`. Undefined for every condition that is not exactly one of
 * {@link SpendingCondition}: several keys, SIG_ALL, hash locks, unknown or repeated tags.
 */
export function parseSpendingCondition(secret: string): SpendingCondition | undefined {
  if (secret.length === 0 || secret.length > SECRET_CHARS_MAX) return undefined;
  // Whatever a lenient reader might see as a condition must be one.
  if (!/^[\s\ufeff]*[[{"]/.test(secret)) return { kind: "none" };
  let value: unknown;
  try {
    value = JSON.parse(secret);
  } catch {
    return undefined;
  }
  // The same key twice, escapes and odd numbers all show when it is written again.
  if (secret.replace(/[ \t\r\n]/g, "") !== JSON.stringify(value)) return undefined;
  if (!Array.isArray(value) || value.length !== 2 || value[0] !== "P2PK") return undefined;
  const body: unknown = value[1];
  if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined;
  const { nonce, data, tags = [], ...rest } = body as Record<string, unknown>;
  if (Object.keys(rest).length > 0 || !isKey(data) || !Array.isArray(tags)) return undefined;
  if (typeof nonce !== "string" || nonce.length < 16) return undefined;
  const found = readTags(tags);
  return found && { kind: "P2PK", data, ...found };
}

function readTags(
  tags: readonly unknown[],
): { readonly locktimeS?: number; readonly refundKeys: readonly string[] } | undefined {
  const byName = new Map<string, string[]>();
  for (const tag of tags) {
    if (!Array.isArray(tag) || tag.length < 2) return undefined;
    if (!tag.every((part) => typeof part === "string")) return undefined;
    const [name, ...values] = tag as [string, ...string[]];
    if (byName.has(name)) return undefined;
    byName.set(name, values);
  }
  const allowed: Readonly<Record<string, (values: readonly string[]) => boolean>> = {
    locktime: (values) => values.length === 1 && locktimeOf(values[0]!) !== undefined,
    refund: (values) => values.length <= REFUND_KEY_COUNT_MAX && values.every(isKey),
    n_sigs: (values) => values.join() === "1",
    n_sigs_refund: (values) => values.join() === "1",
    sigflag: (values) => values.join() === "SIG_INPUTS",
  };
  for (const [name, values] of byName) {
    if (!Object.hasOwn(allowed, name) || !allowed[name]!(values)) return undefined;
  }
  const refundKeys = byName.get("refund") ?? [];
  const locktime = byName.get("locktime")?.[0];
  if (refundKeys.length > 0 && locktime === undefined) return undefined;
  return locktime === undefined ? { refundKeys } : { locktimeS: locktimeOf(locktime)!, refundKeys };
}

function locktimeOf(text: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}

function isKey(value: unknown): value is string {
  return typeof value === "string" && /^0[23][0-9a-f]{64}$/.test(value);
}
