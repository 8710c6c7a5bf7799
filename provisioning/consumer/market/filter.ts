/** Which offers somebody wants to see, and in which order. */
import type { OfferedIsolation } from "../../wire/mod.ts";

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
