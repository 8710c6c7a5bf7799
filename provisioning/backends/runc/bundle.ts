/** The `config.json` of a lease: OCI runtime specification 1.0.2, locked down. Pure. */
import type { InstanceSpec } from "../../ports.ts";
import {
  CAPABILITIES,
  environment,
  ID_COUNT,
  LEASE_AT,
  OPEN_FILES_MAX,
  PIDS_MAX,
  seccompProfile,
  SERVER_AT,
  serverEnvironment,
  SHARED_MEMORY_BYTES,
  TERMINALS_MAX,
} from "../host/mod.ts";

/** What a bundle is made of besides the instance's specification. */
export interface BundleOptions {
  readonly rootfs: string;
  readonly serverFolder: string;
  readonly leaseFolder: string;
  readonly cgroupsPath: string;
  /** The host's user that is root inside; groups alike. */
  readonly idBase: number;
  /** The most files that our own limit lets a process open. */
  readonly openFilesMax: number;
  readonly architecture: "x86_64" | "aarch64";
  /** What runs first. */
  readonly args: readonly string[];
}

/** One process of a lease. */
export interface BundleProcess {
  readonly args: readonly string[];
  readonly uid: number;
  readonly gid: number;
  readonly cwd: string;
}

/** The whole configuration. */
export function bundleConfig(
  spec: Pick<InstanceSpec, "leaseId" | "owner" | "image" | "resources" | "env">,
  options: BundleOptions,
): Record<string, unknown> {
  const { rootfs, idBase } = options;
  const mapping = [{ containerID: 0, hostID: idBase, size: ID_COUNT }];
  return {
    ociVersion: "1.0.2",
    process: processConfig(
      { args: options.args, uid: 0, gid: 0, cwd: "/" },
      serverEnvironment(environment(spec.image.config, spec.env)),
      options.openFilesMax,
    ),
    root: { path: rootfs, readonly: false },
    hostname: spec.leaseId,
    mounts: mounts(options),
    annotations: { "org.seedmint.lease": spec.leaseId, "org.seedmint.owner": spec.owner },
    linux: {
      uidMappings: mapping,
      gidMappings: mapping,
      // A lease has no IPv6, so that one egress policy holds for all that leaves.
      sysctl: { "net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1" },
      resources: resources(spec),
      cgroupsPath: options.cgroupsPath,
      namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup", "user"]
        .map((type) => ({ type })),
      seccomp: seccompProfile(options.architecture),
      maskedPaths: [
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/kmsg",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
        "/sys/kernel/debug",
      ],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
}

/** A process as a bundle and as `exec --process` have it. */
export function processConfig(
  process: BundleProcess,
  env: readonly string[],
  openFilesMax: number,
): Record<string, unknown> {
  const files = Math.min(OPEN_FILES_MAX, openFilesMax);
  return {
    terminal: false,
    user: { uid: process.uid, gid: process.gid },
    args: process.args,
    env,
    cwd: process.cwd,
    capabilities: {
      bounding: CAPABILITIES,
      effective: CAPABILITIES,
      permitted: CAPABILITIES,
    },
    rlimits: [
      { type: "RLIMIT_NOFILE", hard: files, soft: files },
      { type: "RLIMIT_CORE", hard: 0, soft: 0 },
    ],
    noNewPrivileges: true,
  };
}

function resources(spec: Pick<InstanceSpec, "resources">): Record<string, unknown> {
  const { cpuMillicores, memoryMb } = spec.resources;
  const memoryBytes = memoryMb * 1024 * 1024;
  return {
    devices: [{ allow: false, access: "rwm" }],
    // Memory and swap together: no swap for leases.
    memory: { limit: memoryBytes, swap: memoryBytes },
    cpu: {
      shares: Math.max(2, Math.round(cpuMillicores * 1.024)),
      quota: Math.max(1000, cpuMillicores * 100),
      period: 100_000,
    },
    pids: { limit: PIDS_MAX },
  };
}

function mounts(options: BundleOptions): Record<string, unknown>[] {
  const quiet = ["nosuid", "noexec", "nodev"];
  const own = (destination: string, source: string, more: readonly string[] = []) => ({
    destination,
    type: "bind",
    source,
    options: ["bind", "ro", "nosuid", "nodev", ...more],
  });
  return [
    { destination: "/proc", type: "proc", source: "proc", options: quiet },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: [
        ...["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        `max=${TERMINALS_MAX}`,
      ],
    },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: [...quiet, "mode=1777", `size=${SHARED_MEMORY_BYTES}`],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: quiet },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...quiet, "ro"] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: [...quiet, "relatime", "ro"],
    },
    own(SERVER_AT, options.serverFolder),
    own(LEASE_AT, options.leaseFolder, ["noexec"]),
  ];
}
