/**
 * What leases on this machine share, whatever runs their containers: the backend itself, the disk of a
 * lease and its root over an unpacked image, its link and packet rules, its login, its record, the system
 * calls and capabilities that it has, and the watchdog that ends it when the provider does not.
 *
 * Vocabulary: *containers* are the part that differs, an engine's or a program's; a *record* holds a
 * lease's labels; its *disk* is a file with a file system; its *link* is a pair of network devices; the
 * *watchdog* is a process of its own.
 *
 * May import `src/core`, `provisioning/{machine,unpack,ssh}`, `provisioning/ports.ts`.
 */
export { HostBackend } from "./backend.ts";
export type { HostOptions } from "./host_options.ts";
export { sweepGroups } from "./cgroup.ts";
export { checkLeaseId, checkPortsFree, checkSpec, isLeaseId } from "./check_spec.ts";
export type {
  ContainerLook,
  Containers,
  ContainersFacts,
  ContainerUse,
  Ground,
  ListedContainer,
  RunOptions,
  StartOptions,
} from "./containers.ts";
export { type DiskPaths, isMounted, logPath, makeDisk, mountDisk, unmountDisk } from "./disk.ts";
export { type ImageCommand, ImageCommands, isCommandDue } from "./image_commands.ts";
export {
  CAPABILITIES,
  environment,
  ID_COUNT,
  imageCommand,
  LEASE_AT,
  NAME_SERVERS,
  SERVER_AT,
  serverEnvironment,
  SSH_PORT_INSIDE,
} from "./inside.ts";
export type { LeasePaths } from "./instance.ts";
export { withLease } from "./lease_lock.ts";
export { makeOwnFolder, prepareTree, serverCommand, userOf, workingDirIn } from "./lease_tree.ts";
export * from "./limits.ts";
export { tailOf } from "./log_tail.ts";
export { architecture, machineCapacity, machineProblem, openFilesMax } from "./machine_facts.ts";
export { connectLease, disconnectLease, guardLease, trafficOf } from "./network.ts";
export {
  CLOSED_PORTS,
  CLOSED_RANGES,
  type LeaseLink,
  leaseLink,
  leaseRules,
} from "./network_rules.ts";
export { isRecordOf, type LeaseRecord, readRecord, recordOf, writeRecord } from "./records.ts";
export { type SeccompProfile, seccompProfile } from "./seccomp.ts";
export {
  runWatchdog,
  startWatchdog,
  stopWatchdog,
  type WatchdogOptions,
  watchdogPid,
} from "./watchdog.ts";
