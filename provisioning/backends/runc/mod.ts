/**
 * The embedded backend: `runc` without a daemon. A lease is a folder (record, disk, bundle), a container
 * in a user namespace of its own, a link to the host, and a table of packet rules.
 *
 * Vocabulary: a *record* holds a lease's labels; its *disk* is a file with a file system; the *bundle* is
 * what the runtime reads; the *watchdog* ends leases when the provider does not.
 *
 * May import `src/core`, `provisioning/{machine,unpack,ssh}`, `provisioning/ports.ts`.
 */
export { RuncBackend, type RuncOptions } from "./backend.ts";
export { bundleConfig, SSH_PORT_INSIDE } from "./bundle.ts";
export { type LeaseLink, leaseLink, leaseRules } from "./network_rules.ts";
export { seccompProfile } from "./seccomp.ts";
export { runWatchdog, startWatchdog, type WatchdogOptions, watchdogPid } from "./watchdog.ts";
