/** What a node of Proxmox has for leases, and whether it is new enough. */
import type { Resources } from "../../ports.ts";
import type { ProxmoxApi } from "./api.ts";
import { DISK_RESERVE, MEMORY_RESERVE_MB } from "./limits.ts";

const MIB = 1024 * 1024;

interface Guest {
  readonly cpus?: number;
  readonly maxmem?: number;
  readonly maxdisk?: number;
  readonly tags?: string;
}

/** Why a version cannot run leases: first processes and environments of our own came with 9.1. */
export function versionProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 9 || (major === 9 && minor >= 1)) return undefined;
  return `version ${version.slice(0, 20)} cannot start containers with a command of ours; 9.1 can`;
}

/** All that the node has, without what its other guests may take. */
export async function nodeCapacity(
  api: ProxmoxApi,
  options: { readonly node: string; readonly storage: string; readonly tag: string },
): Promise<Resources> {
  const node = `/nodes/${options.node}`;
  const [status, disk, containers, machines] = await Promise.all([
    api.get<{ cpuinfo: { cpus: number }; memory: { total: number } }>(`${node}/status`),
    api.get<{ avail: number }>(`${node}/storage/${options.storage}/status`),
    api.get<readonly Guest[]>(`${node}/lxc`),
    api.get<readonly Guest[]>(`${node}/qemu`),
  ]);
  const isOurs = ({ tags }: Guest) => (tags ?? "").split(/[;, ]/).includes(options.tag);
  const ours = containers.filter(isOurs);
  const others = [...containers.filter((guest) => !isOurs(guest)), ...machines];
  const sum = (guests: readonly Guest[], field: "cpus" | "maxmem" | "maxdisk") =>
    guests.reduce((total, guest) => total + (guest[field] ?? 0), 0);
  const memoryMb = (status.memory.total - sum(others, "maxmem")) / MIB - MEMORY_RESERVE_MB;
  const diskMb = (disk.avail * (1 - DISK_RESERVE) + sum(ours, "maxdisk")) / MIB;
  return {
    cpuMillicores: Math.max(0, Math.floor(1000 * (status.cpuinfo.cpus - sum(others, "cpus")))),
    memoryMb: Math.max(0, Math.floor(memoryMb)),
    diskMb: Math.max(0, Math.floor(diskMb)),
  };
}
