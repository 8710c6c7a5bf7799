/**
 * Limits of the kernel that a lease shares with its host. What a user namespace takes of them counts
 * against whoever made it, which is the host's root, and its own limits hold for each of its 65 536 users:
 * the sum has none. But each of these things is memory that the kernel counts as the lease's (inotify
 * since Linux 5.12, a kilobyte for each), so that its memory ends first where these do not.
 */
import { SeedmintError } from "../../../src/core/errors.ts";

/** The kernel's file, and the most that it takes: far more than any lease has memory for. */
const LIMITS: readonly (readonly [path: string, count: number])[] = [
  ["/proc/sys/fs/inotify/max_user_instances", 2 ** 31 - 1],
  ["/proc/sys/fs/inotify/max_user_watches", 2 ** 31 - 1],
  ["/proc/sys/kernel/pty/max", 2 ** 20],
];

/** Raises what is lower. @throws {SeedmintError} `unavailable` if the kernel does not let us. */
export async function raiseSharedLimits(): Promise<void> {
  for (const [path, count] of LIMITS) {
    try {
      if (Number(await Deno.readTextFile(path)) < count) await Deno.writeTextFile(path, `${count}`);
    } catch (error) {
      const name = path.replace("/proc/sys/", "").replaceAll("/", ".");
      throw new SeedmintError(
        "unavailable",
        `Cannot raise ${name}, of which one lease could take all: set it to ${count} on the host`,
        { cause: error },
      );
    }
  }
}
