/** What `provider status` tells. */
import type { Config } from "../../config/settings.ts";
import type { ProviderReport, ResourcesView } from "../../api/provider_methods.ts";
import { providerName } from "./provider_settings_of.ts";
import type { LendingParts } from "./session.ts";

/** The report of a node that lends (`lending`), or does not. */
export function reportOf(options: {
  readonly config: Config;
  readonly publicKey: string;
  readonly npub: string;
  readonly lending: LendingParts | undefined;
  readonly problems: readonly string[];
}): ProviderReport {
  const { config, publicKey, npub, lending, problems } = options;
  const status = lending?.provider.status();
  const probe = status?.probe;
  return {
    state: status === undefined ? "off" : status.isDraining ? "draining" : "lending",
    problems: probe?.problem === undefined ? problems : [...problems, probe.problem],
    name: providerName(config, publicKey),
    npub,
    publicKey,
    tiers: config.providerTier.map(({ id, name, rateMsatPerS, ...tier }) => ({
      id,
      name,
      cpuMillicores: tier.cpuMillicores,
      memoryMb: tier.memoryMb,
      diskMb: tier.diskMb,
      rateMsatPerS,
      slotCount: status === undefined ? null : slotsOf(tier, status.free),
    })),
    mints: lending?.till.mints ?? config.providerMints,
    paymentKey: lending?.till.paymentKey ?? null,
    backend: {
      name: config.providerBackend,
      description: probe?.description ?? null,
      ok: probe?.ok ?? null,
      problem: probe?.problem ?? null,
      isolation: probe?.isolation ?? null,
    },
    publicHost: config.providerPublicHost ?? null,
    httpUrl: config.providerHttp === undefined ? null : config.providerHttpUrl ?? null,
    total: status?.total ?? null,
    free: status?.free ?? null,
    activeCount: status?.activeCount ?? 0,
    openCount: status?.openCount ?? 0,
    completedCount: status?.completedCount ?? 0,
    earnedSat: status?.earnedSat ?? 0,
    uptimePercent: status?.uptimePercent ?? null,
    watchdogPid: lending?.watchdogPid() ?? null,
    denied: lending?.provider.denied() ?? [],
  };
}

/** How many leases of a tier there is room for. */
export function slotsOf(tier: ResourcesView, free: ResourcesView): number {
  return Math.floor(Math.min(
    free.cpuMillicores / tier.cpuMillicores,
    free.memoryMb / tier.memoryMb,
    free.diskMb / tier.diskMb,
  ));
}
