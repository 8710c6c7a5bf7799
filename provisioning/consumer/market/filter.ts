/** Which offers somebody wants to see, and in which order. */
import { hasMint, type OfferedIsolation } from "../../wire/mod.ts";
import type { ListedSpec, Listing } from "./listing.ts";

/** What an offer must have. A provider is shown with those tiers that fit. */
export interface MarketFilter {
  /** Has a heartbeat younger than 120 s. */
  readonly isOnline?: boolean;
  /** All of these. */
  readonly capabilities?: readonly string[];
  /** At least this strong. */
  readonly isolation?: Exclude<OfferedIsolation, "unknown">;
  readonly cpuMillicores?: number;
  readonly memoryMb?: number;
  readonly diskMb?: number;
  /** At most this, in msat a second. */
  readonly rateMsatPerSMax?: number;
  /** Its beginning, in any case: `EU` finds `eu-west`. */
  readonly location?: string;
  /** It takes ecash of one of these. */
  readonly mints?: readonly string[];
  readonly scoreMin?: number;
  readonly uptimePercentMin?: number;
  /** Machine of its images, as `amd64`. */
  readonly arch?: string;
  /** It answers these of our verbs. */
  readonly verbs?: readonly string[];
  /** It says that there is room now. */
  readonly hasRoom?: boolean;
  readonly specId?: string;
  /** Keys, 64 hex digits, that are not wanted. */
  readonly without?: readonly string[];
}

/** Orders of a list: cheapest, best score, longest uptime, most room first. */
export type MarketSort = "price" | "score" | "uptime" | "capacity";

const ISOLATION_RANK: Readonly<Record<OfferedIsolation, number>> = {
  unknown: -1,
  "shared-kernel": 0,
  "dedicated-host": 1,
  "attested-research-tier": 2,
};

/** The listing with the tiers that fit, or undefined if none does. */
export function narrowed(listing: Listing, filter: MarketFilter): Listing | undefined {
  if (!isProviderFit(listing, filter)) return undefined;
  const specs = listing.specs.filter((spec) => isSpecFit(spec, listing, filter));
  if (specs.length === 0) return undefined;
  return specs.length === listing.specs.length ? listing : { ...listing, specs };
}

/** What of a filter a listing does not have, in words; empty if it has a tier that fits. */
export function misfits(listing: Listing, filter: MarketFilter): readonly string[] {
  if (narrowed(listing, filter) !== undefined) return [];
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  const names = given.filter(([name, value]) => narrowed(listing, { [name]: value }) === undefined)
    .map(([name, value]) =>
      WORDS[name as keyof MarketFilter].replace("#", [value].flat().join(", "))
    );
  return names.length > 0 ? names : ["all of what is wanted in one tier"];
}

/** How a want is told; `#` is what is wanted. */
const WORDS: Readonly<Record<keyof MarketFilter, string>> = {
  isOnline: "a heartbeat",
  capabilities: "capability #",
  isolation: "isolation #",
  cpuMillicores: "# millicores",
  memoryMb: "# MiB of memory",
  diskMb: "# MiB of disk",
  rateMsatPerSMax: "a price of # msat a second or less",
  location: "location #",
  mints: "mint #",
  scoreMin: "a score of #",
  uptimePercentMin: "an uptime of # %",
  arch: "machine #",
  verbs: "answers to #",
  hasRoom: "room",
  specId: "tier #",
  without: "another key than #",
};

function isProviderFit(listing: Listing, filter: MarketFilter): boolean {
  const { terms } = listing;
  const has = (wanted: readonly string[] | undefined, there: readonly string[]) =>
    wanted === undefined || wanted.every((one) => there.includes(one));
  const isLeast = (least: number | undefined, value: number | undefined) =>
    least === undefined || (value !== undefined && value >= least);
  const place = filter.location?.toLowerCase();
  return (filter.isOnline === undefined || filter.isOnline === listing.isOnline) &&
    has(filter.capabilities, listing.capabilities) &&
    has(filter.verbs, terms?.verbs ?? []) &&
    (filter.isolation === undefined ||
      ISOLATION_RANK[listing.isolation] >= ISOLATION_RANK[filter.isolation]) &&
    (place === undefined || listing.location?.toLowerCase().startsWith(place) === true) &&
    (filter.mints === undefined || filter.mints.some((mint) => hasMint(listing.mints, mint))) &&
    isLeast(filter.scoreMin, listing.score) &&
    isLeast(filter.uptimePercentMin, listing.uptimePercent) &&
    (filter.arch === undefined || terms?.arch === filter.arch) &&
    !(filter.hasRoom === true && listing.isDraining) &&
    filter.without?.includes(listing.provider) !== true;
}

function isSpecFit(spec: ListedSpec, listing: Listing, filter: MarketFilter): boolean {
  return (filter.specId === undefined || spec.id === filter.specId) &&
    spec.cpuMillicores >= (filter.cpuMillicores ?? 0) &&
    spec.memoryMb >= (filter.memoryMb ?? 0) &&
    (filter.diskMb === undefined || (spec.diskMb ?? 0) >= filter.diskMb) &&
    spec.rateMsatPerS <= (filter.rateMsatPerSMax ?? Infinity) &&
    (filter.hasRoom !== true || (spec.slotCount ?? (listing.isOnline ? 1 : 0)) > 0);
}

/** Puts listings into an order that is the same for the same listings. */
export function sorted(listings: readonly Listing[], sort: MarketSort): Listing[] {
  const orders = [sort, "price", "score", "uptime"] as const;
  return [...listings].sort((a, b) => {
    for (const order of orders) {
      const difference = ORDERS[order](a) - ORDERS[order](b);
      if (difference !== 0 && !Number.isNaN(difference)) return difference;
    }
    return a.provider < b.provider ? -1 : 1;
  });
}

/** The lowest first. */
const ORDERS: Readonly<Record<MarketSort, (listing: Listing) => number>> = {
  price: (listing) => Math.min(...listing.specs.map((spec) => spec.rateMsatPerS)),
  score: (listing) => -(listing.score ?? -1),
  uptime: (listing) => -(listing.uptimePercent ?? -1),
  capacity: (listing) => -Math.max(-1, ...listing.specs.map((spec) => spec.slotCount ?? -1)),
};
