/** The control groups of a process, of version 1 and 2: its limits and what it uses, as the kernel has it. */
import { readIfThere } from "../../machine/mod.ts";

/** What the groups of a lease say. A limit that is not set is Infinity. */
export interface GroupFacts {
  readonly memoryBytesMax: number;
  readonly pidsMax: number;
  /** Processor time for each second, in thousandths of a processor. */
  readonly cpuMillicoresMax: number;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly pidCount: number;
}

/** Reads the groups of `pid`. */
export async function groupFacts(pid: number): Promise<GroupFacts> {
  const [groups, mounts] = await Promise.all([
    readIfThere(`/proc/${pid}/cgroup`),
    Deno.readTextFile("/proc/self/mountinfo"),
  ]);
  const places = groupPlaces(groups ?? "", mounts);
  const read = async (controller: string, file: string) => {
    const folder = places.get(controller) ?? places.get("");
    return folder === undefined ? "" : (await readIfThere(`${folder}/${file}`) ?? "").trim();
  };
  const first = async (controller: string, ...files: string[]) => {
    for (const file of files) {
      const text = await read(controller, file);
      if (text !== "") return text;
    }
    return "";
  };
  const [memoryMax, memory, pidsMax, pids, cpuMax, quota, period, nanoseconds, cpuStat] =
    await Promise.all([
      first("memory", "memory.limit_in_bytes", "memory.max"),
      first("memory", "memory.usage_in_bytes", "memory.current"),
      read("pids", "pids.max"),
      read("pids", "pids.current"),
      read("cpu", "cpu.max"),
      read("cpu", "cpu.cfs_quota_us"),
      read("cpu", "cpu.cfs_period_us"),
      read("cpuacct", "cpuacct.usage"),
      read("cpu", "cpu.stat"),
    ]);
  const usec = /^usage_usec (\d+)$/m.exec(cpuStat)?.[1];
  return {
    memoryBytesMax: limitOf(memoryMax),
    memoryBytes: Number(memory),
    pidsMax: limitOf(pidsMax),
    pidCount: Number(pids),
    cpuMillicoresMax: millicores(quota === "" ? cpuMax : `${quota} ${period}`),
    cpuMs: Math.round(nanoseconds === "" ? Number(usec ?? 0) / 1000 : Number(nanoseconds) / 1e6),
  };
}

/** Where the groups are on this machine, by controller; "" is the one hierarchy of version 2. Pure. */
export function groupPlaces(groups: string, mountInfo: string): Map<string, string> {
  const mounts = new Map<string, { readonly root: string; readonly point: string }>();
  for (const line of mountInfo.split("\n")) {
    const [before, after] = line.split(" - ");
    const [, , , root, point] = (before ?? "").split(" ");
    const [type, , options] = (after ?? "").split(" ");
    if (root === undefined || point === undefined) continue;
    if (type === "cgroup2") mounts.set("", { root, point });
    if (type !== "cgroup") continue;
    for (const option of (options ?? "").split(",")) mounts.set(option, { root, point });
  }
  const found = new Map<string, string>();
  for (const line of groups.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    for (const controller of controllers.split(",")) {
      const mount = mounts.get(controller);
      if (mount === undefined) continue;
      // A mount may show a part of the hierarchy only.
      const root = mount.root === "/" ? "" : mount.root;
      if (path !== root && !path.startsWith(`${root}/`)) continue;
      found.set(controller, mount.point + path.slice(root.length));
    }
  }
  return found;
}

function limitOf(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Infinity;
}

function millicores(text: string): number {
  const [, quota, period] = /^(\d+) (\d+)$/.exec(text) ?? [];
  return quota === undefined ? Infinity : Number(quota) / Number(period) * 1000;
}
