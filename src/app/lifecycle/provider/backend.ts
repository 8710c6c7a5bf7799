/** The engine that the settings choose, loaded when it is needed. */
import { SeedmintError } from "../../../core/errors.ts";
import { systemClock, systemRandom } from "../../../host/system.ts";
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
  const { providerBackend: name, providerState: stateDir } = config;
  const common = {
    stateDir,
    // Whoever lends says where lessees connect; the watchdog has none.
    publicHost: config.providerPublicHost ?? "127.0.0.1",
    clock: systemClock,
    random: systemRandom,
  };
  switch (name) {
    case "runc": {
      const { RuncBackend } = await import("../../../../provisioning/backends/runc/mod.ts");
      const { providerBandwidth: bandwidth, providerNameServer: nameServers } = config;
      const options = {
        ...common,
        ...(bandwidth === undefined ? {} : { bandwidthBytesPerS: bandwidth }),
        ...(nameServers.length === 0 ? {} : { nameServers }),
      };
      return who === "provider"
        ? await RuncBackend.open(options)
        : await RuncBackend.attach(options);
    }
    default:
      throw new SeedmintError("usage", `Cannot lend on ${name}: choose another provider-backend`);
  }
}
