/** Filters of NIP-01: reading one strictly, and matching events against it. */
import { FILTER_LIMITS, type FilterLimits } from "./limits.ts";
import type { NostrEvent } from "./nostr.ts";

/** What a query or a subscription asks for; all conditions must hold. */
export interface Filter {
  readonly ids?: readonly string[];
  readonly authors?: readonly string[];
  readonly kinds?: readonly number[];
  /** Seconds since 1970, inclusive. */
  readonly since?: number;
  /** Seconds since 1970, inclusive. */
  readonly until?: number;
  /** The most stored events wanted, newest first. */
  readonly limit?: number;
  readonly [tag: `#${string}`]: readonly string[];
}

const HEX_64 = /^[0-9a-f]{64}$/;
const TAG_KEY = /^#[A-Za-z]$/;

/** The `#x` conditions of `filter` as (tag name, values). */
export function tagConditions(filter: Filter): (readonly [string, readonly string[]])[] {
  const conditions: (readonly [string, readonly string[]])[] = [];
  for (const key of Object.keys(filter)) {
    if (key.startsWith("#")) conditions.push([key.slice(1), filter[key as `#${string}`]!]);
  }
  return conditions;
}

/** Whether `event` satisfies every condition of `filter`; `limit` is none. */
export function matchesFilter(filter: Filter, event: NostrEvent): boolean {
  if (filter.kinds !== undefined && !filter.kinds.includes(event.kind)) return false;
  if (filter.ids !== undefined && !filter.ids.includes(event.id)) return false;
  if (filter.authors !== undefined && !filter.authors.includes(event.pubkey)) return false;
  if (filter.since !== undefined && event.created_at < filter.since) return false;
  if (filter.until !== undefined && event.created_at > filter.until) return false;
  for (const [name, values] of tagConditions(filter)) {
    if (!event.tags.some((tag) => tag[0] === name && values.includes(tag[1] ?? ""))) return false;
  }
  return true;
}

/**
 * The same decision for many events: lists become sets, so that a long filter costs no more than a
 * short one.
 */
export function compileFilter(filter: Filter): (event: NostrEvent) => boolean {
  const kinds = filter.kinds && new Set(filter.kinds);
  const ids = filter.ids && new Set(filter.ids);
  const authors = filter.authors && new Set(filter.authors);
  const { since = -Infinity, until = Infinity } = filter;
  const tags = tagConditions(filter).map(([name, values]) => [name, new Set(values)] as const);
  return (event) =>
    kinds?.has(event.kind) !== false && ids?.has(event.id) !== false &&
    authors?.has(event.pubkey) !== false &&
    event.created_at >= since && event.created_at <= until &&
    tags.every(([name, values]) =>
      event.tags.some((tag) => tag[0] === name && values.has(tag[1] ?? ""))
    );
}

/** How many values a filter holds in all its lists. */
export function valueCountOf(filter: Filter): number {
  return Object.values(filter).reduce<number>(
    (sum, value) => sum + (Array.isArray(value) ? value.length : 0),
    0,
  );
}

/** Whether `event` satisfies one of `filters`. */
export function matchesAny(filters: readonly Filter[], event: NostrEvent): boolean {
  return filters.some((filter) => matchesFilter(filter, event));
}

/**
 * Reads a filter that a stranger sent.
 *
 * @returns The filter as a fresh object, or a sentence that says what is wrong. Never throws.
 */
export function readFilter(raw: unknown, limits: FilterLimits = FILTER_LIMITS): Filter | string {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    return "a filter must be an object";
  }
  const filter: Record<string, unknown> = {};
  let valueCount = 0;
  let tagNameCount = 0;
  for (const key of Object.keys(raw)) {
    const value = (raw as Record<string, unknown>)[key];
    const list = LISTS.get(key) ?? (TAG_KEY.test(key) ? isTagValue : undefined);
    if (list !== undefined) {
      if (key.startsWith("#") && ++tagNameCount > limits.tagNameCountMax) {
        return `more than ${limits.tagNameCountMax} tag conditions in one filter`;
      }
      if (!Array.isArray(value)) return `${key} must be a list`;
      valueCount += value.length;
      if (valueCount > limits.valueCountMax) {
        return `more than ${limits.valueCountMax} values in one filter`;
      }
      if (!value.every((item) => list(item, limits))) return `${key} has an unreadable value`;
      filter[key] = [...value];
    } else if (key === "since" || key === "until" || key === "limit") {
      if (!isCount(value)) return `${key} must be a whole number`;
      filter[key] = value;
    } else {
      // Ignoring a condition that we do not know would answer with more than was asked for.
      return `condition ${JSON.stringify(key.slice(0, 32))} is not supported`;
    }
  }
  return filter as Filter;
}

const LISTS: ReadonlyMap<string, (item: unknown, limits: FilterLimits) => boolean> = new Map([
  ["ids", isHex64],
  ["authors", isHex64],
  ["kinds", (item: unknown) => isCount(item) && item <= 65535],
]);

function isHex64(item: unknown): boolean {
  return typeof item === "string" && HEX_64.test(item);
}

function isTagValue(item: unknown, limits: FilterLimits): boolean {
  return typeof item === "string" && item.length <= limits.valueCharsMax;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
