/** The backends of engines with a daemon, by the engine's name. */
import { DockerBackend } from "../../../provisioning/backends/docker/mod.ts";
import type { EngineBackend, EngineOptions } from "../../../provisioning/backends/engine/mod.ts";
import { LxdBackend } from "../../../provisioning/backends/lxd/mod.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import type { RunningEngine } from "./daemons.ts";

/** An engine with a daemon. */
export type EngineName = "docker" | "podman" | "lxd" | "incus";

/**
 * The first host port of each: two of them run at a time, in one network. All are below those that
 * the kernel gives to connections (from 32 768), which would take one from a lease by chance.
 */
export const FIRST_PORT: Readonly<Record<EngineName, number>> = {
  podman: 28_000,
  docker: 29_000,
  lxd: 30_000,
  incus: 31_000,
};

/** Opens that of a daemon that runs in the suite. */
export function backendOf(engine: RunningEngine, stateDir: string): Promise<EngineBackend> {
  return openBackend(engine.name, {
    stateDir,
    socketPath: engine.socketPath,
    publicHost: "127.0.0.1",
    clock: systemClock,
    random: systemRandom,
  });
}

/** Opens one. */
export async function openBackend(
  engine: EngineName,
  options: EngineOptions & { readonly socketPath: string },
): Promise<EngineBackend> {
  if (engine === "docker" || engine === "podman") {
    return await DockerBackend.open({ ...options, engine });
  }
  return await LxdBackend.open({ ...options, engine });
}
