/** The engine that the settings choose, loaded when it is needed. */
import { SeedmintError } from "../../../core/errors.ts";
import { systemClock, systemRandom } from "../../../host/system.ts";
import type { RuncOptions } from "../../../../provisioning/backends/runc/mod.ts";
import type { Backend } from "../../../../provisioning/ports.ts";
import type { Config } from "../../config/settings.ts";

/** Settings that choose and open an engine. */
export type BackendSettings = Pick<
  Config,
  | "providerBackend"
  | "providerState"
  | "providerSocket"
  | "providerEngineUrl"
  | "providerEngineAuth"
  | "providerEngineRegistry"
  | "providerPublicHost"
  | "providerBandwidth"
  | "providerNameServer"
>;

/** What lets go of an expired lease only if it was not extended meanwhile. */
export interface WatchedBackend extends Backend {
  destroyExpired?(leaseId: string, graceMs: number): Promise<boolean>;
  /** Removes what no lease needs, except images in `keep`. */
  prune?(keep: ReadonlySet<string>): Promise<void>;
}

/**
 * Opens it: for the provider, which is the only one at a time, or for the watchdog beside it.
 *
 * @throws {SeedmintError} `usage` for settings that do not do.
 */
export async function openBackend(
  config: BackendSettings,
  who: "provider" | "watchdog",
): Promise<WatchedBackend> {
  const { providerBandwidth: bandwidth, providerNameServer: nameServers } = config;
  const common = {
    stateDir: config.providerState,
    // Whoever lends says where lessees connect; the watchdog has none.
    publicHost: config.providerPublicHost ?? "127.0.0.1",
    clock: systemClock,
    random: systemRandom,
    ...(bandwidth === undefined ? {} : { bandwidthBytesPerS: bandwidth }),
    ...(nameServers.length === 0 ? {} : { nameServers }),
  };
  const socket = config.providerSocket === undefined ? {} : { socketPath: config.providerSocket };
  const isProvider = who === "provider";
  switch (config.providerBackend) {
    case "runc": {
      const { RuncBackend } = await import("../../../../provisioning/backends/runc/mod.ts");
      return isProvider ? await RuncBackend.open(common) : await RuncBackend.attach(common);
    }
    case "docker":
    case "podman": {
      const { DockerBackend } = await import("../../../../provisioning/backends/docker/mod.ts");
      const options = { ...common, ...socket, engine: config.providerBackend };
      return isProvider ? await DockerBackend.open(options) : await DockerBackend.attach(options);
    }
    case "lxd":
    case "incus": {
      const { LxdBackend } = await import("../../../../provisioning/backends/lxd/mod.ts");
      const options = { ...common, ...socket, engine: config.providerBackend };
      return isProvider ? await LxdBackend.open(options) : await LxdBackend.attach(options);
    }
    case "kubernetes":
      return await openKubernetes(config, common);
    case "proxmox":
      return await openProxmox(config, common, who);
    default:
      return config.providerBackend satisfies never;
  }
}

type Common = Pick<RuncOptions, "stateDir" | "publicHost" | "clock" | "random">;

async function openKubernetes(config: BackendSettings, common: Common): Promise<WatchedBackend> {
  const { KubernetesBackend, MirroredImages, RegistryImages } = await import(
    "../../../../provisioning/backends/kubernetes/mod.ts"
  );
  const { providerEngineAuth: kubeconfig, providerEngineRegistry: url } = config;
  const images = url === undefined
    ? new MirroredImages()
    : new RegistryImages({ url, pullFrom: url.replace(/^https?:\/\//, "") });
  return await KubernetesBackend.open({
    ...common,
    images,
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
  });
}

async function openProxmox(
  config: BackendSettings,
  common: Common,
  who: "provider" | "watchdog",
): Promise<WatchedBackend> {
  const { ProxmoxBackend, readKey, readPlace } = await import(
    "../../../../provisioning/backends/proxmox/mod.ts"
  );
  const { providerEngineUrl: address, providerEngineAuth: file } = config;
  if (address === undefined || file === undefined) {
    throw new SeedmintError(
      "usage",
      "Cannot lend on proxmox: set provider-engine-url and provider-engine-auth",
    );
  }
  const options = { ...common, ...readPlace(address), ...readKey(await Deno.readTextFile(file)) };
  return who === "provider"
    ? await ProxmoxBackend.open(options)
    : await ProxmoxBackend.attach(options);
}
