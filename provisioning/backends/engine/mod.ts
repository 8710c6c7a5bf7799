/**
 * What backends with a daemon share: the root of a lease is a directory of ours (an unpacked image
 * below a disk of the lease), its network is a link of ours, and the engine runs the container between
 * them. After each start it is looked from outside whether the engine confines it as it was told to.
 *
 * Vocabulary: an *engine* is a daemon behind a unix socket; an *order* is all that it is told of a
 * container; *confinement* is what keeps a lease apart from its host.
 *
 * May import `src/core`, `provisioning/{machine,unpack,ssh}`, `provisioning/backends/host`,
 * `provisioning/ports.ts`.
 */
export { EngineBackend, type EngineOptions } from "./backend.ts";
export { confinementProblem } from "./confinement.ts";
export type {
  ContainerLook,
  ContainerOrder,
  ContainerSummary,
  Engine,
  EngineCommand,
  EngineFacts,
  ExecOptions,
} from "./engine.ts";
export { endByForce, OutputLimit } from "./exec.ts";
export { WAIT_MS } from "./limits.ts";
export { type Asked, UnixHttp } from "./unix_http.ts";
