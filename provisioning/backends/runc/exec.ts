/** One command in a lease, ended with all certainty when its time is over. */
import { readIfThere, removeTree } from "../../machine/mod.ts";
import type { ExecResult } from "../../ports.ts";
import { EXEC_OUTPUT_BYTES_MAX } from "../host/mod.ts";
import type { Runtime } from "./runtime.ts";

/** What a shell says of a command that is not there. */
const NOT_RUNNABLE = 127;

/**
 * Runs a command as root of the lease.
 *
 * @throws {SeedmintError} `timeout`, `aborted`.
 */
export async function runInLease(
  runtime: Runtime,
  leaseId: string,
  command: readonly string[],
  options: {
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    readonly cwd: string;
    readonly folder: string;
    readonly env: readonly string[];
  },
): Promise<ExecResult> {
  const pidFile = `${options.folder}/exec-${crypto.randomUUID()}`;
  try {
    const result = await runtime.exec(leaseId, command, {
      pidFile,
      cwd: options.cwd,
      env: options.env,
      timeoutMs: options.timeoutMs,
      signal: options.signal,
      outputBytesMax: EXEC_OUTPUT_BYTES_MAX,
    });
    // The runtime's own failure: no process was made, so no pid is there.
    const isOurs = result.exitCode === 255 && await readIfThere(pidFile) === undefined;
    return {
      stdout: result.stdout,
      stderr: result.stderr,
      exitCode: isOurs ? NOT_RUNNABLE : result.exitCode,
      isTruncated: result.isTruncated,
    };
  } catch (error) {
    await endByForce(leaseId, Number(await readIfThere(pidFile)));
    throw error;
  } finally {
    await removeTree(pidFile).catch(() => {});
  }
}

/** Ends the command's process, if that number is still one of the lease. */
async function endByForce(leaseId: string, pid: number): Promise<void> {
  if (!Number.isInteger(pid) || pid <= 1) return;
  const groups = await readIfThere(`/proc/${pid}/cgroup`).catch(() => undefined);
  if (groups === undefined || !groups.split("\n").some((line) => line.endsWith(`-${leaseId}`))) {
    return;
  }
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
