/** What this machine is and can give, measured. */
import { diskOf, isInstalled } from "../../machine/mod.ts";
import type { Resources } from "../../ports.ts";
import { dropbearPath } from "../../ssh/mod.ts";
import { DISK_RESERVE, MEMORY_RESERVE_MB, OPEN_FILES_MAX } from "./limits.ts";

const MIB = 1024 * 1024;

/** Programs that a lease needs on any engine, with the Debian package that has them. */
const PROGRAMS: readonly (readonly [string, string])[] = [
  ["ip", "iproute2"],
  ["nft", "nftables"],
  ["mkfs.ext4", "e2fsprogs"],
  ["mount", "mount"],
  ["losetup", "mount"],
  ["nsenter", "util-linux"],
  ["flock", "util-linux"],
];

/** The processor, if leases can run on it. */
export function architecture(): "x86_64" | "aarch64" {
  return Deno.build.arch;
}

/** What leases can have in all: the machine less what it needs itself. */
export async function machineCapacity(
  stateDir: string,
  leaseDiskBytes: number,
): Promise<Resources> {
  const [memory, disk] = await Promise.all([Deno.readTextFile("/proc/meminfo"), diskOf(stateDir)]);
  const totalMb = Number(/^MemTotal:\s+(\d+) kB$/m.exec(memory)?.[1] ?? 0) / 1024;
  return {
    cpuMillicores: navigator.hardwareConcurrency * 1000,
    memoryMb: Math.max(0, Math.floor(totalMb - MEMORY_RESERVE_MB)),
    diskMb: Math.floor((disk.freeBytes * (1 - DISK_RESERVE) + leaseDiskBytes) / MIB),
  };
}

/** The most open files that a process of ours may have. */
export async function openFilesMax(): Promise<number> {
  const limits = await Deno.readTextFile("/proc/self/limits");
  const hard = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 1024);
  return Math.min(hard, OPEN_FILES_MAX);
}

/** Why leases cannot run here, with what to do; undefined if they can. */
export async function machineProblem(
  stateDir: string,
  programs: readonly (readonly [program: string, packageName: string])[],
): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "containers are a thing of Linux";
  if (Deno.uid() !== 0) return "root is needed: mounts, network and cgroups are made";
  for (const [program, packageName] of [...programs, ...PROGRAMS]) {
    if (!await isInstalled(program)) return `${program} is missing: install ${packageName}`;
  }
  if (await dropbearPath() === undefined) return "dropbear is missing: install dropbear-bin";
  for (const path of ["/dev/loop-control", "/proc/self/ns/user", "/sys/fs/cgroup"]) {
    if (!await canSee(path)) return `the kernel has no ${path}: another kernel is needed`;
  }
  if (Number(await text("/proc/sys/user/max_user_namespaces")) < 1) {
    return "user namespaces are switched off: set user.max_user_namespaces";
  }
  return await closedFolder(stateDir);
}

/** A lease's root is a user without rights on the host, who must be let through to its files. */
async function closedFolder(stateDir: string): Promise<string | undefined> {
  const names = stateDir.split("/").filter((name) => name !== "");
  for (let count = 0; count <= names.length; count++) {
    const folder = `/${names.slice(0, count).join("/")}`;
    const { mode } = await Deno.stat(folder);
    if (mode !== null && (mode & 1) === 0) {
      return `${folder} is closed to others: run chmod o+x ${folder}, or choose another directory`;
    }
  }
  return undefined;
}

async function text(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch(() => "0");
}

async function canSee(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
