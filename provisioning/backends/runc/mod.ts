/**
 * The embedded backend: `runc` without a daemon, nothing but files below one directory. A lease is a
 * folder (record, disk, bundle), a container in a user namespace of its own, a link to the host, and a
 * table of packet rules.
 *
 * Vocabulary: the *bundle* is what the runtime reads; the rest is that of `backends/host`.
 *
 * May import `src/core`, `provisioning/{machine,unpack,ssh}`, `provisioning/backends/host`,
 * `provisioning/ports.ts`.
 */
export {
  type LeaseLink,
  leaseLink,
  leaseRules,
  runWatchdog,
  seccompProfile,
  SSH_PORT_INSIDE,
  startWatchdog,
  type WatchdogOptions,
  watchdogPid,
} from "../host/mod.ts";
export { RuncBackend, type RuncOptions } from "./backend.ts";
export { bundleConfig } from "./bundle.ts";
