/**
 * Reading members of JSON objects strictly, as Paygress' own parser does: what is not known is ignored,
 * what is known and of another type makes the whole unreadable. Every reader gives undefined for that.
 */
import { WIRE_LIMITS } from "./limits.ts";

/** A JSON object. */
export type Members = Readonly<Record<string, unknown>>;

/** Parses text as a JSON object, if it is short enough to be looked at. Never throws. */
export function parseMembers(text: string, charsMax: number): Members | undefined {
  if (text.length > charsMax) return undefined;
  try {
    return asMembers(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** A JSON object, or undefined for anything else. */
export function asMembers(value: unknown): Members | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Members
    : undefined;
}

/** A string of at most `charsMax` characters, as it is. */
export function asRaw(value: unknown, charsMax: number): string | undefined {
  return typeof value === "string" && value.length <= charsMax ? value : undefined;
}

/** Control characters but tab and line feed, and those that turn the direction of what follows. */
// deno-lint-ignore no-control-regex
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * A string of at most `charsMax` characters that people may be shown: a terminal takes commands from
 * control characters, so they are replaced.
 */
export function asText(
  value: unknown,
  charsMax: number = WIRE_LIMITS.textCharsMax,
): string | undefined {
  return asRaw(value, charsMax)?.replace(UNSEEN, "\uFFFD");
}

/** A whole number from 0 to `max`. */
export function asCount(value: unknown, max: number = Number.MAX_SAFE_INTEGER): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max
    ? value
    : undefined;
}

/** A finite number. */
export function asNumber(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** A boolean. */
export function asFlag(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

/** A list of at most `countMax` items, all of which `read` takes. */
export function asList<T>(
  value: unknown,
  countMax: number,
  read: (item: unknown) => T | undefined,
): readonly T[] | undefined {
  if (!Array.isArray(value) || value.length > countMax) return undefined;
  const items: T[] = [];
  for (const item of value) {
    const taken = read(item);
    if (taken === undefined) return undefined;
    items.push(taken);
  }
  return items;
}

/**
 * A member that may be absent or null: then it is undefined. What is there and is not taken by `read` is
 * null, since undefined already means that nothing is there.
 */
export function optional<T>(
  value: unknown,
  read: (value: unknown) => T | undefined,
): T | undefined | null {
  return value === undefined || value === null ? undefined : read(value) ?? null;
}

/**
 * An object of those values that are there, or undefined if one of them is null, that is wrong.
 *
 * @example `present({ a: optional(members.a, asName) })` is `{}`, `{ a: "…" }` or undefined.
 */
export function present<T extends Record<string, unknown>>(
  values: T,
): { [K in keyof T]?: Exclude<T[K], undefined | null> } | undefined {
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === null) return undefined;
    if (value !== undefined) found[name] = value;
  }
  return found as { [K in keyof T]?: Exclude<T[K], undefined | null> };
}

/** An object of values all of which are there, or undefined if one is not. */
export function complete<T extends Record<string, unknown>>(
  values: T,
): { [K in keyof T]: Exclude<T[K], undefined> } | undefined {
  for (const value of Object.values(values)) if (value === undefined) return undefined;
  return values as { [K in keyof T]: Exclude<T[K], undefined> };
}
