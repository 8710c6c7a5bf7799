/** The backends of engines with a daemon, by the engine's name. */
import { DockerBackend } from "../../../provisioning/backends/docker/mod.ts";
import type { EngineBackend, EngineOptions } from "../../../provisioning/backends/engine/mod.ts";
import { LxdBackend } from "../../../provisioning/backends/lxd/mod.ts";

/** An engine with a daemon. */
export type EngineName = "docker" | "podman" | "lxd" | "incus";

/** The first host port of each: two of them run at a time, in one network. */
export const FIRST_PORT: Readonly<Record<EngineName, number>> = {
  podman: 31_000,
  docker: 32_000,
  lxd: 33_000,
  incus: 34_000,
};

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
