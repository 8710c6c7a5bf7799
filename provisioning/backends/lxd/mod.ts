/**
 * Leases on LXD and on Incus: one driver over the unix socket of either. A lease is an unprivileged
 * container of an empty image, over whose root our own is mounted, and our SSH server is its `init`.
 *
 * Vocabulary: that of `backends/engine`; a *pool* is where the engine keeps what belongs to an instance.
 *
 * May import `src/core`, `provisioning/machine`, `provisioning/backends/{engine,host}`,
 * `provisioning/ports.ts`.
 */
export { LxdBackend, type LxdOptions } from "./backend.ts";
