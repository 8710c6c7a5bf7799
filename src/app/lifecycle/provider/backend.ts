/** The engine that the settings choose, loaded when it is needed. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { SeedmintError } from "../../../core/errors.ts";
import { systemClock, systemRandom } from "../../../host/system.ts";
import { readIfThere, writeWhole } from "../../../../provisioning/machine/mod.ts";
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
  | "providerImageMax"
  | "providerBandwidth"
  | "providerNameServer"
>;

/** Whether the engine is on other machines, so that leases run on though nothing of them is left here. */
export function isRemote({ providerBackend: name }: Pick<Config, "providerBackend">): boolean {
  return name === "kubernetes" || name === "proxmox";
}

/** What lets go of an expired lease only if it was not extended meanwhile. */
export interface WatchedBackend extends Backend {
  destroyExpired?(leaseId: string, graceMs: number): Promise<boolean>;
  /** Removes what no lease needs, except images in `keep`. */
  prune?(keep: ReadonlySet<string>): Promise<void>;
}

/** What tells this provider's leases from others' on an engine of other machines, in its directory. */
const ID_FILE = "provider.id";

/** Digits of it. */
const ID_CHARS = 8;

/**
 * Opens it: for the provider, which is the only one at a time, or for the watchdog beside it.
 *
 * @param options.key The provider's Nostr key; whoever comes after the provider need not know it.
 * @param options.keptImages What leases are about to start on, when the disk is nearly full.
 * @throws {SeedmintError} `usage` for settings that do not do.
 */
export async function openBackend(
  config: BackendSettings,
  who: "provider" | "watchdog",
  options: {
    readonly key?: () => string | Promise<string>;
    readonly keptImages?: () => ReadonlySet<string>;
  } = {},
): Promise<WatchedBackend> {
  const { providerBandwidth: bandwidth, providerNameServer: nameServers } = config;
  const { keptImages } = options;
  const common = {
    stateDir: config.providerState,
    // Whoever lends says where lessees connect; the watchdog has none.
    publicHost: config.providerPublicHost ?? "127.0.0.1",
    clock: systemClock,
    random: systemRandom,
    imageBytesMax: config.providerImageMax,
    ...(keptImages === undefined ? {} : { keptImages }),
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
      return await openKubernetes(config, { ...common, pool: await poolOf(config, who, options) });
    case "proxmox":
      return await openProxmox(
        config,
        { ...common, pool: await poolOf(config, who, options) },
        who,
      );
    default:
      return config.providerBackend satisfies never;
  }
}

/** Of the key at first, and of the directory from then on. */
async function poolOf(
  { providerState }: BackendSettings,
  who: "provider" | "watchdog",
  { key }: { readonly key?: () => string | Promise<string> },
): Promise<string> {
  const path = join(providerState, ID_FILE);
  const kept = (await readIfThere(path))?.trim() ?? "";
  if (/^[0-9a-f]+$/.test(kept) && kept.length === ID_CHARS) return kept;
  // Whoever has lent nothing from here has nothing there.
  if (key === undefined) return "nobody";
  const made = createHash("sha256").update(await key()).digest("hex").slice(0, ID_CHARS);
  if (who === "provider") await writeWhole(path, `${made}\n`);
  return made;
}

type Common = Pick<RuncOptions, "stateDir" | "publicHost" | "clock" | "random"> & {
  readonly pool: string;
};

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
