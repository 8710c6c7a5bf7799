/** The settings that a host gets. */
import { SeedmintError } from "../../core/errors.ts";
import { editToml, type SettingValue } from "../config/edit_toml.ts";
import type { LoadedConfig } from "../config/load.ts";
import { tierMembers } from "../config/provider_values.ts";
import { keyOf, SETTING_NAMES, type SettingName, settingOf } from "../config/settings.ts";
import { tiersThatFit } from "../provider_tiers.ts";
import type { HostFacts } from "./facts.ts";
import { LEASES } from "./places.ts";

/** Settings that are this machine's own, whatever is set up. */
const LOCAL: readonly SettingName[] = ["data", "config", "logLevel", "logFormat", "seed"];

/** Where peers connect, unless somebody says otherwise: one port, for firewalls. */
const LISTEN = "/ip4/0.0.0.0/tcp/4001";

/** Memory that a machine keeps for itself, in MiB, as the engines reckon. */
const MEMORY_RESERVE_MB = 512;

/** The settings that were given as flags, as a settings file has them. */
export function settingsOfFlags(config: LoadedConfig): Readonly<Record<string, SettingValue>> {
  const found: Record<string, SettingValue> = {};
  for (const name of SETTING_NAMES) {
    if (LOCAL.includes(name) || !config.sources[name].startsWith("--")) continue;
    found[keyOf(name)] = valueOf(config, name);
  }
  return found;
}

/**
 * The settings file of a host that lends compute: what was given, and what else it needs.
 *
 * @param base The text of a file to begin with, or undefined.
 * @throws {SeedmintError} `usage` if a mint or a relay is missing, for which nothing can be chosen.
 */
export function hostSettings(
  base: string | undefined,
  given: Readonly<Record<string, SettingValue>>,
  options: {
    readonly known: ReadonlySet<string>;
    readonly publicHost: string;
    readonly machine: Pick<HostFacts, "cpuCount" | "memoryMb">;
  },
): string {
  const defaults: Record<string, SettingValue> = {
    listen: [LISTEN],
    provider: true,
    "provider-backend": "runc",
    "provider-public-host": options.publicHost,
    "provider-state": LEASES,
    "provider-tier": tiersFor(options.machine).map(tierMembers),
  };
  const isSaid = (key: string) => options.known.has(key) || given[key] !== undefined;
  if (!isSaid("mint") && !isSaid("mint-accepted")) {
    throw new SeedmintError(
      "usage",
      "Cannot set up a provider without a mint, whose ecash pays for leases: name one with --mint, " +
        "or a file of settings with --settings",
    );
  }
  if (!isSaid("relay") && !isSaid("relay-listen")) {
    throw new SeedmintError(
      "usage",
      "Cannot set up a provider without a relay, by which lessees find it: name one with --relay",
    );
  }
  const missing = Object.entries(defaults).filter(([key]) => !isSaid(key));
  return editToml(base ?? "", { ...Object.fromEntries(missing), ...given }, {
    path: "the settings for the host",
    heading: "Written by bootstrap",
  });
}

/** By what a machine always has: free disk changes, and the next run must find the same. */
function tiersFor({ cpuCount, memoryMb }: Pick<HostFacts, "cpuCount" | "memoryMb">) {
  return tiersThatFit({
    cpuMillicores: cpuCount * 1000,
    memoryMb: memoryMb - MEMORY_RESERVE_MB,
    diskMb: Infinity,
  });
}

function valueOf(config: LoadedConfig, name: SettingName): SettingValue {
  if (name === "providerTier") return config.values.providerTier.map(tierMembers);
  const setting = settingOf(name);
  const text = config.texts[name] ?? "";
  if (setting.isSwitch) return config.values[name] === true;
  return setting.isList ? text.split(/[\s,]+/).filter((word) => word !== "") : text;
}
