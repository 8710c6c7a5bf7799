/** What a provider is told, out of the settings of the node. */
import { npub } from "../../../nostr/nostr.ts";
import type { ProviderSettings } from "../../../../provisioning/provider/mod.ts";
import type { Config } from "../../config/settings.ts";

const MIB = 1024 * 1024;

/** What lessees see a provider called. */
export function providerName(config: Pick<Config, "providerName">, publicKey: string): string {
  return config.providerName ?? `seedmint-${npub(publicKey).slice(5, 13)}`;
}

/** The settings of the provider with this key. */
export function providerSettings(config: Config, publicKey: string): ProviderSettings {
  const { providerLocation, providerProbeHost, providerHttpUrl } = config;
  const megabytes = (bytes: number | undefined) =>
    bytes === undefined ? undefined : Math.floor(bytes / MIB);
  const [cpuMillicores, memoryMb, diskMb] = [
    config.providerCpu,
    megabytes(config.providerMemory),
    megabytes(config.providerDisk),
  ];
  const matching = (allows: boolean) =>
    config.providerImages.filter((rule) => rule.allows === allows).map((rule) => rule.match);
  return {
    name: providerName(config, publicKey),
    specs: config.providerTier,
    minDurationMs: config.providerDurationMin,
    maxDurationMs: config.providerDurationMax,
    graceMs: config.providerGrace,
    capacity: {
      ...(cpuMillicores === undefined ? {} : { cpuMillicores }),
      ...(memoryMb === undefined ? {} : { memoryMb }),
      ...(diskMb === undefined ? {} : { diskMb }),
    },
    ports: config.providerPorts,
    portCountMax: config.providerPortsMax,
    leasesPerKeyMax: config.providerLeasesPerKey,
    images: { allow: matching(true), deny: matching(false) },
    ...(providerLocation === undefined ? {} : { location: providerLocation }),
    ...(providerProbeHost === undefined ? {} : { probeHost: providerProbeHost }),
    ...(config.providerHttp === undefined || providerHttpUrl === undefined
      ? {}
      : { apiEndpoint: providerHttpUrl }),
  };
}
