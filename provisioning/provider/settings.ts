/** What an operator decides. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { LeaseSpec, PortRange } from "../leases/mod.ts";
import type { Resources } from "../ports.ts";
import { WIRE_LIMITS } from "../wire/mod.ts";

/** Which images are taken. A rule is the start of a name, as `docker.io/library/`, or a digest in hex. */
export interface ImageRules {
  /** Only these, when there are any. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** Settings of a provider. */
export interface ProviderSettings {
  /** For people. */
  readonly name: string;
  /** Coarse, as `EU`. */
  readonly location?: string;
  readonly specs: readonly LeaseSpec[];
  readonly minDurationMs: number;
  readonly maxDurationMs: number;
  /** How long a lease stays, paused, after its time. 0: it ends on time. */
  readonly graceMs: number;
  /** What leases may take of the machine; the engine's own measure bounds it, too. */
  readonly capacity: Partial<Resources>;
  /** Host ports for SSH and published ports. */
  readonly ports: PortRange;
  /** Ports of one lease besides SSH. */
  readonly portCountMax: number;
  /** Leases of one key at a time. */
  readonly leasesPerKeyMax: number;
  readonly images: ImageRules;
  /** Base address of the HTTP mode, if there is one. */
  readonly apiEndpoint?: string;
  /** Where SSH is tried before a lease counts as ready; by default where lessees connect. */
  readonly probeHost?: string;
}

/** What holds where nothing is said. */
export const DEFAULT_SETTINGS: Omit<ProviderSettings, "name" | "specs"> = {
  minDurationMs: 60_000,
  maxDurationMs: 30 * 24 * 3_600_000,
  graceMs: 0,
  capacity: {},
  ports: { first: 30_000, last: 31_999 },
  portCountMax: 8,
  leasesPerKeyMax: 10,
  images: { allow: [], deny: [] },
};

/**
 * Refuses settings that could not work.
 *
 * @throws {SeedmintError} `usage`
 */
export function checkSettings(settings: ProviderSettings): void {
  const problem = problemOf(settings);
  if (problem === undefined) return;
  throw new SeedmintError("usage", `Cannot lend compute with these settings: ${problem}`);
}

function problemOf(settings: ProviderSettings): string | undefined {
  const { specs, ports } = settings;
  if (settings.name === "" || settings.name.length > WIRE_LIMITS.nameCharsMax) {
    return `the name has ${settings.name.length} characters, 1 to ${WIRE_LIMITS.nameCharsMax} wanted`;
  }
  if (specs.length === 0) return "there is no tier; add one";
  if (specs.length > WIRE_LIMITS.specCountMax) {
    return `${specs.length} tiers, at most ${WIRE_LIMITS.specCountMax}`;
  }
  if (new Set(specs.map((spec) => spec.id)).size !== specs.length) return "two tiers have one id";
  for (const spec of specs) {
    const counts = [spec.cpuMillicores, spec.memoryMb, spec.diskMb, spec.rateMsatPerS];
    if (!counts.every((count) => Number.isSafeInteger(count) && count > 0)) {
      return `tier ${spec.id} must have whole numbers above 0 for processor, memory, disk and price`;
    }
  }
  const isRange = Number.isInteger(ports.first) && Number.isInteger(ports.last) &&
    ports.first >= 1024 && ports.last <= 65535 && ports.first <= ports.last;
  if (!isRange) return `ports ${ports.first} to ${ports.last}: 1024 to 65535 wanted`;
  if (!(settings.minDurationMs > 0) || settings.maxDurationMs < settings.minDurationMs) {
    return "the shortest duration must be above 0 and not above the longest";
  }
  if (settings.portCountMax > WIRE_LIMITS.portCountMax || settings.portCountMax < 0) {
    return `${settings.portCountMax} ports for a lease, at most ${WIRE_LIMITS.portCountMax}`;
  }
  if (!(settings.graceMs >= 0)) return "the grace period is negative";
  return undefined;
}
