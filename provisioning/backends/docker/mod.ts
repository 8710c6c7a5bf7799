/**
 * Leases on docker and on podman: one driver over the unix socket of either. The root of a container is
 * a directory of ours, which podman is told and which docker finds in the place of its own layer.
 *
 * Vocabulary: that of `backends/engine`.
 *
 * May import `src/core`, `provisioning/machine`, `provisioning/backends/{engine,host}`,
 * `provisioning/ports.ts`.
 */
export { DockerBackend, type DockerOptions } from "./backend.ts";
