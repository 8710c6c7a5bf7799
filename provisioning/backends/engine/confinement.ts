/**
 * Whether a container is kept apart as it was ordered, seen from outside: an engine may be configured
 * otherwise, be of another version, or have let something slip.
 */
import { statfs } from "node:fs/promises";
import type { Resources } from "../../ports.ts";
import { PIDS_MAX } from "../host/mod.ts";
import { groupFacts } from "./cgroups.ts";

/** The capabilities of `backends/host/inside.ts` as the kernel numbers them. */
const CAPABILITY_BITS: readonly number[] = [0, 1, 3, 4, 5, 6, 7, 10, 18];

/** What a lease never shares with its host. */
const NAMESPACES: readonly string[] = ["user", "net", "pid", "mnt", "ipc", "uts"];

const MIB = 1024 * 1024;

/** What does not hold of the container whose first process is `pid`; undefined if all does. */
export async function confinementProblem(
  pid: number,
  ordered: { readonly resources: Resources; readonly idBase: number },
): Promise<string | undefined> {
  const [status, map, own, theirs, groups, root] = await Promise.all([
    Deno.readTextFile(`/proc/${pid}/status`),
    Deno.readTextFile(`/proc/${pid}/uid_map`),
    namespacesOf("self"),
    namespacesOf(String(pid)),
    groupFacts(pid),
    statfs(`/proc/${pid}/root`),
  ]);
  const shared = NAMESPACES.find((_, index) => own[index] === theirs[index]);
  if (shared !== undefined) return `it shares the host's ${shared} namespace`;
  const [inside, outside] = map.trim().split(/\s+/).map(Number);
  if (inside !== 0 || outside !== ordered.idBase || outside === 0) {
    return `its root is user ${outside} of the host, ${ordered.idBase} was ordered`;
  }
  const allowed = CAPABILITY_BITS.reduce((all, bit) => all | 1n << BigInt(bit), 0n);
  for (const set of ["CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"]) {
    const bits = BigInt(`0x${field(status, set) || "ffffffff"}`);
    if ((bits & ~allowed) !== 0n) return `it has capabilities that it must not have (${set})`;
  }
  if (field(status, "NoNewPrivs") !== "1") return "it may gain privileges";
  if (field(status, "Seccomp") !== "2") return "its system calls are not filtered";
  const { memoryMb, cpuMillicores, diskMb } = ordered.resources;
  if (groups.memoryBytesMax > memoryMb * MIB) return "its memory is not limited as ordered";
  if (groups.pidsMax > PIDS_MAX) return "its processes are not limited as ordered";
  // Engines round: by a tenth of a processor's hundredth at the most.
  if (groups.cpuMillicoresMax > Math.max(10, cpuMillicores) + 1) {
    return "its processor time is not limited as ordered";
  }
  if (root.blocks * root.bsize > diskMb * MIB) return "its disk is not limited as ordered";
  return undefined;
}

async function namespacesOf(pid: string): Promise<string[]> {
  return await Promise.all(NAMESPACES.map((name) => Deno.readLink(`/proc/${pid}/ns/${name}`)));
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(\\S+)$`, "m").exec(status)?.[1] ?? "";
}
