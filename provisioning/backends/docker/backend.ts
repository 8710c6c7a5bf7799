/** The backends `docker` and `podman`. */
import { EngineBackend, type EngineOptions, providerTag } from "../engine/mod.ts";
import { DockerEngine } from "./docker_engine.ts";
import { PodmanEngine } from "./podman_engine.ts";

/** How leases on docker or podman are run. */
export interface DockerOptions extends EngineOptions {
  readonly engine: "docker" | "podman";
  /** @default {"/run/docker.sock" or "/run/podman/podman.sock"} */
  readonly socketPath?: string;
  /** Podman: the first of 65 536 users of the host that leases get, groups alike. @default {200000} */
  readonly idBase?: number;
}

/** Leases on docker or podman. */
export class DockerBackend extends EngineBackend {
  private constructor(options: DockerOptions) {
    const { engine, stateDir, idBase } = options;
    const socketPath = options.socketPath ??
      (engine === "docker" ? "/run/docker.sock" : "/run/podman/podman.sock");
    const place = { socketPath, tag: providerTag(stateDir) };
    super(
      engine === "docker"
        ? new DockerEngine(place)
        : new PodmanEngine({ ...place, stateDir, ...(idBase === undefined ? {} : { idBase }) }),
      options,
    );
  }

  /**
   * Opens the state directory, and makes it if it is not there. One process at a time may unpack
   * images; {@link DockerBackend.attach} is for others.
   */
  static async open(options: DockerOptions): Promise<DockerBackend> {
    const backend = new DockerBackend(options);
    await backend.clean();
    return backend;
  }

  /** Works on the leases beside the process that opened the directory, as the watchdog does. */
  static attach(options: DockerOptions): Promise<DockerBackend> {
    return Promise.resolve(new DockerBackend(options));
  }
}
