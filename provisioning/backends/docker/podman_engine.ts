/** Podman, told of the root and the users of a container through its own API (libpod 4). */
import { writeWhole } from "../../machine/mod.ts";
import { containerName, type ContainerOrder, type EngineFacts } from "../engine/mod.ts";
import {
  architecture,
  CAPABILITIES,
  ID_COUNT,
  OPEN_FILES_MAX,
  PIDS_MAX,
  seccompProfile,
  SHARED_MEMORY_BYTES,
} from "../host/mod.ts";
import { CompatEngine, labelsOf } from "./compat.ts";

const LIBPOD = "/v4.0.0/libpod";
const MIB = 1024 * 1024;

/** What of podman's facts is read. */
interface Info {
  readonly host?: {
    readonly security?: { readonly rootless?: boolean; readonly seccompEnabled?: boolean };
    readonly ociRuntime?: { readonly name?: string };
  };
  readonly version?: { readonly Version?: string };
}

/** Podman behind its socket. */
export class PodmanEngine extends CompatEngine {
  readonly #idBase: number;
  readonly #profile: string;

  constructor(
    options: {
      readonly socketPath: string;
      readonly tag: string;
      readonly stateDir: string;
      readonly idBase?: number;
    },
  ) {
    super("podman", options);
    this.#idBase = options.idBase ?? 200_000;
    this.#profile = `${options.stateDir}/seccomp.json`;
  }

  async facts(): Promise<EngineFacts> {
    const info = await this.http.must("GET", `${LIBPOD}/info`) as Info;
    const { host, version } = info;
    const problem = podmanProblem(info);
    const description = `podman ${version?.Version ?? "?"} with ${host?.ociRuntime?.name ?? "?"}`;
    return { description, ...(problem === undefined ? {} : { problem }) };
  }

  async ready(): Promise<{ readonly idBase: number }> {
    await writeWhole(this.#profile, JSON.stringify(seccompProfile(architecture())));
    return { idBase: this.#idBase };
  }

  async create(order: ContainerOrder, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.http.must("POST", `${LIBPOD}/containers/create`, {
      body: podmanBody(order, {
        tag: this.tag,
        profile: this.#profile,
        processesMax: await processesMax(),
      }),
      signal: options.signal,
    });
  }

  /** It was told the directory itself. */
  rootTargets(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }
}

/** Why leases cannot run, with what to do. Pure. */
export function podmanProblem(info: Info): string | undefined {
  const { security } = info.host ?? {};
  if (security?.rootless !== false) {
    return "podman runs without root, and limits and networks of leases need it; use the system's socket, /run/podman/podman.sock";
  }
  if (security.seccompEnabled === false) {
    return "podman filters no system calls: use one that is built with seccomp";
  }
  return undefined;
}

/** The request that makes a container. Pure. */
export function podmanBody(
  order: ContainerOrder,
  options: { readonly tag: string; readonly profile: string; readonly processesMax: number },
): Record<string, unknown> {
  const users = [{ container_id: 0, host_id: order.idBase, size: ID_COUNT }];
  const [entrypoint, ...command] = order.args;
  const own = { nsmode: "private" };
  return {
    name: containerName(options.tag, order.leaseId),
    rootfs: order.rootfs,
    hostname: order.leaseId,
    user: "0:0",
    work_dir: "/",
    entrypoint: [entrypoint],
    command,
    env: Object.fromEntries(order.env.map((line) => {
      const equals = line.indexOf("=");
      return [line.slice(0, equals), line.slice(equals + 1)];
    })),
    // Not what the daemon itself was started with.
    httpproxy: false,
    labels: labelsOf(order, options.tag),
    systemd: "false",
    restart_policy: "no",
    use_image_hosts: true,
    use_image_resolve_conf: true,
    netns: { nsmode: "none" },
    userns: own,
    pidns: own,
    ipcns: own,
    utsns: own,
    cgroupns: own,
    idmappings: {
      HostUIDMapping: false,
      HostGIDMapping: false,
      UIDMap: users,
      GIDMap: users,
    },
    cap_drop: ["all"],
    cap_add: CAPABILITIES,
    no_new_privileges: true,
    seccomp_profile_path: options.profile,
    // A lease has no IPv6, so that one egress policy holds for all that leaves.
    sysctl: { "net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1" },
    ...limitsOf(order, options.processesMax),
    shm_size: SHARED_MEMORY_BYTES,
    mounts: order.mounts.map(({ source, target, isReadOnly, isExecutable }) => ({
      type: "bind",
      source,
      destination: target,
      options: [
        "bind",
        "rprivate",
        isReadOnly ? "ro" : "rw",
        "nosuid",
        "nodev",
        ...(isExecutable ? [] : ["noexec"]),
      ],
    })),
    // What a lease says lies on its own disk.
    log_configuration: { driver: "none" },
  };
}

function limitsOf(order: ContainerOrder, processesMax: number): Record<string, unknown> {
  const { memoryMb, cpuMillicores } = order.resources;
  const files = Math.min(OPEN_FILES_MAX, order.openFilesMax);
  const limit = (type: string, count: number) => ({ type, soft: count, hard: count });
  return {
    // Memory and swap together: no swap for leases.
    resource_limits: {
      memory: { limit: memoryMb * MIB, swap: memoryMb * MIB },
      cpu: { quota: Math.max(1000, cpuMillicores * 100), period: 100_000 },
      pids: { limit: PIDS_MAX },
    },
    r_limits: [limit("nofile", files), limit("nproc", processesMax), limit("core", 0)],
  };
}

/** Podman's own default may be more than a daemon without all rights may set. */
async function processesMax(): Promise<number> {
  const limits = await Deno.readTextFile("/proc/self/limits");
  const hard = Number(/^Max processes\s+\S+\s+(\d+)/m.exec(limits)?.[1] ?? NaN);
  return Number.isInteger(hard) ? Math.min(hard, PROCESSES_OF_USER_MAX) : PROCESSES_OF_USER_MAX;
}

/** All leases have one user: this many processes of it, {@link PIDS_MAX} for each. */
const PROCESSES_OF_USER_MAX = 1_048_576;
