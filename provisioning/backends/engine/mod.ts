/**
 * What backends with a daemon share besides `backends/host`: an engine is told of a lease's root and
 * nothing of its network, and runs the container between them. After each start it is looked from
 * outside whether the engine confines it as it was told to.
 *
 * Vocabulary: an *engine* is a daemon behind a unix socket; an *order* is all that it is told of a
 * container; a *plan* keeps the order, so that it can be given again; *confinement* is what keeps a lease
 * apart from its host.
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
export { containerName, providerTag } from "./provider_tag.ts";
export { type Asked, UnixHttp } from "./unix_http.ts";
