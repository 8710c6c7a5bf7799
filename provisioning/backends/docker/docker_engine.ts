/**
 * Docker. Its users' namespace is a setting of the daemon (`userns-remap`), without which no lease runs
 * here. A container is made from an empty image; before it starts, our root is mounted where docker
 * would mount the container's: its storage driver overlay2 takes what is mounted there as its own
 * from before a restart (RefCounter in daemon/graphdriver/counter.go of moby).
 */
import { SeedmintError } from "../../../src/core/errors.ts";
import { isThere } from "../../machine/mod.ts";
import type { ContainerOrder, EngineFacts } from "../engine/mod.ts";
import {
  architecture,
  CAPABILITIES,
  OPEN_FILES_MAX,
  PIDS_MAX,
  seccompProfile,
  SHARED_MEMORY_BYTES,
} from "../host/mod.ts";
import { CompatEngine, labelsOf } from "./compat.ts";

const IMAGE = "seedmint-empty:1";
/** An archive without entries. */
const EMPTY_TAR = new Uint8Array(1024);
const MIB = 1024 * 1024;

/** What of docker's facts is read. */
interface Info {
  readonly ServerVersion: string;
  readonly Driver: string;
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
  readonly DockerRootDir: string;
  readonly SecurityOptions?: readonly string[] | null;
  readonly MemoryLimit: boolean;
  readonly CpuCfsQuota: boolean;
  readonly PidsLimit: boolean;
}

/** Docker behind its socket. */
export class DockerEngine extends CompatEngine {
  #rootDir: string | undefined;

  constructor(options: { readonly socketPath: string; readonly tag: string }) {
    super("docker", options);
  }

  async facts(): Promise<EngineFacts> {
    const info = await this.#info();
    const problem = dockerProblem(info);
    const description = `docker ${info.ServerVersion}`;
    return { description, ...(problem === undefined ? {} : { problem }) };
  }

  async ready(): Promise<{ readonly idBase: number }> {
    const info = await this.#info();
    const problem = dockerProblem(info);
    if (problem !== undefined) {
      throw new SeedmintError("unavailable", `Leases cannot run on docker: ${problem}`);
    }
    this.#rootDir = info.DockerRootDir;
    const there = await this.http.ask("GET", `/images/${IMAGE}/json`);
    if (there.status === 404) {
      const [repository, tag] = IMAGE.split(":");
      await this.http.must(
        "POST",
        `/images/create?fromSrc=-&repo=${repository}&tag=${tag}`,
        { body: EMPTY_TAR, headers: { "content-type": "application/x-tar" } },
      );
    }
    return { idBase: remappedTo(info.DockerRootDir)! };
  }

  async create(order: ContainerOrder, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.http.must("POST", `/containers/create?name=${this.containerOf(order.leaseId)}`, {
      body: containerBody(order, this.tag),
      signal: options.signal,
    });
  }

  async rootTargets(leaseId: string): Promise<readonly string[]> {
    const rootDir = this.#rootDir ?? (await this.#info()).DockerRootDir;
    const found = await this.inspect(leaseId);
    const merged = found?.GraphDriver?.Data?.MergedDir ?? "";
    const isLayer = /\/overlay2\/[0-9a-f]+\/merged$/.test(merged);
    // The directory itself comes with the first mount.
    const layer = merged.slice(0, -"/merged".length);
    if (!isLayer || !merged.startsWith(`${rootDir}/`) || !await isThere(layer)) {
      throw new SeedmintError(
        "unavailable",
        `Cannot find the layer of ${leaseId} below ${rootDir}: docker runs on another machine or in mounts of its own`,
      );
    }
    await Deno.mkdir(merged, { recursive: true });
    return [merged];
  }

  async #info(): Promise<Info> {
    return await this.http.must("GET", "/info") as Info;
  }
}

/** The first user of the host that containers get; undefined if they have the host's own. Pure. */
export function remappedTo(dockerRootDir: string): number | undefined {
  const [, uid, gid] = /\/(\d+)\.(\d+)$/.exec(dockerRootDir) ?? [];
  return uid !== undefined && uid === gid && Number(uid) > 0 ? Number(uid) : undefined;
}

/** Why leases cannot run, with what to do. Pure. */
export function dockerProblem(info: Info): string | undefined {
  const options = info.SecurityOptions ?? [];
  const has = (name: string) => options.some((option) => option.startsWith(`name=${name}`));
  if (has("rootless")) {
    return "docker runs without root, and limits and networks of leases need it; use the system's daemon";
  }
  if (!has("userns") || remappedTo(info.DockerRootDir) === undefined) {
    return 'containers share the host\'s users: set "userns-remap": "default" in /etc/docker/daemon.json and restart docker';
  }
  if (!has("seccomp")) return "docker filters no system calls: use one that is built with seccomp";
  const isSnapshotter = (info.DriverStatus ?? []).some(([name]) => name === "driver-type");
  if (info.Driver !== "overlay2" || isSnapshotter) {
    return `containers are stored with ${info.Driver}: set "storage-driver": "overlay2" and "features": {"containerd-snapshotter": false} in /etc/docker/daemon.json and restart docker`;
  }
  if (!info.MemoryLimit || !info.CpuCfsQuota || !info.PidsLimit) {
    return "the kernel limits no memory, processor time or processes: switch the control groups memory, cpu and pids on";
  }
  return undefined;
}

/** The request that makes a container of the provider `tag`. Pure. */
export function containerBody(order: ContainerOrder, tag: string): Record<string, unknown> {
  const memory = order.resources.memoryMb * MIB;
  const files = Math.min(OPEN_FILES_MAX, order.openFilesMax);
  return {
    Image: IMAGE,
    Hostname: order.leaseId,
    User: "0:0",
    WorkingDir: "/",
    Entrypoint: order.args,
    Cmd: [],
    Env: order.env,
    Labels: labelsOf(order, tag),
    HostConfig: {
      NetworkMode: "none",
      Dns: order.nameServers,
      IpcMode: "private",
      CgroupnsMode: "private",
      Privileged: false,
      CapDrop: ["ALL"],
      CapAdd: CAPABILITIES.map((name) => name.replace(/^CAP_/, "")),
      SecurityOpt: [
        "no-new-privileges",
        `seccomp=${JSON.stringify(seccompProfile(architecture()))}`,
      ],
      // A lease has no IPv6, so that one egress policy holds for all that leaves.
      Sysctls: { "net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1" },
      // Memory and swap together: no swap for leases.
      Memory: memory,
      MemorySwap: memory,
      CpuPeriod: 100_000,
      CpuQuota: Math.max(1000, order.resources.cpuMillicores * 100),
      PidsLimit: PIDS_MAX,
      ShmSize: SHARED_MEMORY_BYTES,
      Ulimits: [
        { Name: "nofile", Soft: files, Hard: files },
        { Name: "core", Soft: 0, Hard: 0 },
      ],
      Mounts: order.mounts.map(({ source, target, isReadOnly }) => ({
        Type: "bind",
        Source: source,
        Target: target,
        ReadOnly: isReadOnly,
        BindOptions: { Propagation: "rprivate" },
      })),
      // What a lease says lies on its own disk.
      LogConfig: { Type: "none" },
      RestartPolicy: { Name: "no" },
    },
  };
}
