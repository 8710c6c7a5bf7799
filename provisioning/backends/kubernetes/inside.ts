/** What is read from inside a lease: the figures of its control groups. Pure. */
import type { InstanceStats } from "../../ports.ts";
import { SERVER_AT } from "../host/mod.ts";

const MIB = 1024 * 1024;

/** A command of our shell in the lease. */
export function shellCommand(script: string): string[] {
  return [`${SERVER_AT}/busybox`, "sh", "-c", script];
}

/** A command of the lessee's, ended inside, too, when its time is over. */
export function timedCommand(command: readonly string[], timeoutMs: number): string[] {
  const seconds = String(Math.max(1, Math.ceil(timeoutMs / 1000)));
  return [`${SERVER_AT}/busybox`, "timeout", "-s", "KILL", seconds, ...command];
}

/** Prints what {@link readStats} reads; of both versions of control groups. */
export const STATS_SCRIPT = `b=${SERVER_AT}/busybox
g=/sys/fs/cgroup
cat() { $b cat "$@" 2>/dev/null; }
echo "cpu_ns $(cat $g/cpuacct/cpuacct.usage || cat $g/cpu,cpuacct/cpuacct.usage)"
echo "cpu_us $(cat $g/cpu.stat | $b grep usage_usec | $b cut -d ' ' -f 2)"
echo "memory $(cat $g/memory/memory.usage_in_bytes || cat $g/memory.current)"
echo "pids $(cd /proc && echo [0-9]* | $b wc -w)"
cat /proc/net/dev | $b grep -v ' lo:' | $b tr -s ' :' ' ' | $b sed -n 's/^ /net /p'
`;

/** What {@link STATS_SCRIPT} printed; `diskMb` is not seen from inside. */
export function readStats(text: string): Omit<InstanceStats, "diskMb"> {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const value = (name: string) => count(lines.find(([first]) => first === name)?.[1]);
  const links = lines.filter(([first, device]) => first === "net" && device !== "lo");
  const sum = (column: number) => links.reduce((total, fields) => total + count(fields[column]), 0);
  return {
    cpuMs: Math.ceil(value("cpu_us") / 1e3 + value("cpu_ns") / 1e6),
    memoryMb: Math.ceil(value("memory") / MIB),
    pidCount: value("pids"),
    rxBytes: sum(2),
    txBytes: sum(10),
  };
}

function count(text: string | undefined): number {
  const number = Number(text);
  return Number.isFinite(number) && number >= 0 ? number : 0;
}

/** What a lease's disk holds, from the summary of its node's kubelet; undefined if it is not in there. */
export function diskUsedMb(summary: unknown, namespace: string): number | undefined {
  const { pods } = (summary ?? {}) as { pods?: unknown };
  if (!Array.isArray(pods)) return undefined;
  const pod = pods.find((pod) => pod?.podRef?.namespace === namespace);
  const used = pod?.["ephemeral-storage"]?.usedBytes;
  return typeof used === "number" ? Math.ceil(used / MIB) : undefined;
}
