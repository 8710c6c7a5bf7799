/**
 * A lease's disk: a file of its size with an ext4 file system, which holds what the lease writes over
 * its image (overlay) and its log. What is full is full; the host's disk never fills by a lease.
 */
import type { Clock } from "../../../src/core/ports.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import { isThere, mustRun, runCommand } from "../../machine/mod.ts";
import { CHECK_FAILED_CODES, CHECK_MS_MAX, UNMOUNT_RETRY_MS, UNMOUNT_TRIES_MAX } from "./limits.ts";

/** Where the parts of a lease's disk are. */
export interface DiskPaths {
  /** The file that is the disk. */
  readonly file: string;
  /** Where its file system is mounted. */
  readonly mount: string;
  /** Where the lease's root file system is mounted. */
  readonly rootfs: string;
}

/** The log of a lease's processes, on its own disk. */
export function logPath(paths: DiskPaths): string {
  return `${paths.mount}/log`;
}

/** Makes the disk, with all its room taken at once. @throws {SeedmintError} `no-space`. */
export async function makeDisk(
  paths: DiskPaths,
  diskMb: number,
  options: { readonly guard: string },
): Promise<void> {
  await takeRoom(paths.file, diskMb * 1024 * 1024);
  await mustRun([
    "mkfs.ext4",
    "-q",
    "-F",
    "-m",
    "0",
    "-O",
    "^has_journal",
    "-E",
    "nodiscard,lazy_itable_init=1",
    paths.file,
  ], options);
}

/**
 * Mounts the disk and the root file system over `image`; fine when they are.
 *
 * @param options.isFresh Whether the disk was just made; any other is checked first. @default {false}
 * @throws {SeedmintError} `corrupt` if the disk is damaged beyond repair.
 */
export async function mountDisk(
  paths: DiskPaths,
  image: string,
  options: { readonly idBase: number; readonly guard: string; readonly isFresh?: boolean },
): Promise<void> {
  for (const folder of [paths.mount, paths.rootfs]) {
    await Deno.mkdir(folder, { recursive: true, mode: 0o711 });
  }
  if (!await isMounted(paths.mount)) {
    if (options.isFresh !== true) await checkDisk(paths.file, options);
    await mustRun(["mount", "-o", "loop,nosuid,nodev,noatime", paths.file, paths.mount], {
      guard: options.guard,
    });
  }
  const upper = `${paths.mount}/upper`;
  const work = `${paths.mount}/work`;
  if (!await isThere(upper)) {
    await Deno.chmod(paths.mount, 0o711);
    await Deno.mkdir(work, { recursive: true });
    await Deno.writeTextFile(logPath(paths), "", { mode: 0o600 });
    await Deno.mkdir(`${upper}.new`);
    await Deno.chmod(`${upper}.new`, (await Deno.stat(image)).mode! & 0o7777);
    await Deno.chown(`${upper}.new`, options.idBase, options.idBase);
    await Deno.rename(`${upper}.new`, upper);
  }
  if (!await isMounted(paths.rootfs)) {
    await mustRun([
      "mount",
      "-t",
      "overlay",
      "-o",
      `nosuid,nodev,lowerdir=${image},upperdir=${upper},workdir=${work}`,
      "seedmint",
      paths.rootfs,
    ], { guard: options.guard });
  }
}

/** Repairs what a power cut left: without a journal the file system itself cannot. */
async function checkDisk(file: string, { guard }: { readonly guard: string }): Promise<void> {
  // It may still be mounted where we do not see it: then it is sound, and must not be written to.
  if (await mustRun(["losetup", "-j", file], { guard }) !== "") return;
  const argv = ["e2fsck", "-p", file];
  const { exitCode, stdout } = await runCommand(argv, { guard, timeoutMs: CHECK_MS_MAX });
  if (exitCode < CHECK_FAILED_CODES[0]) return;
  if (!CHECK_FAILED_CODES.includes(exitCode)) {
    // Ended by somebody, or never begun: that says nothing of the disk.
    throw new SeedmintError(
      "unavailable",
      `Cannot mount the disk of a lease: e2fsck did not come to its end (code ${exitCode}); it is tried again`,
      { retryable: true },
    );
  }
  throw new SeedmintError(
    "corrupt",
    `Cannot mount the disk of a lease: it is damaged beyond repair (e2fsck ended with code ${exitCode}: ${
      stdout.trim().slice(-200)
    }); see whether the disk of this machine is sound`,
  );
}

/** Takes both file systems down; fine when they are. */
export async function unmountDisk(paths: DiskPaths, clock: Clock): Promise<void> {
  await unmount(paths.rootfs, clock);
  await unmount(paths.mount, clock);
}

/** Whether a file system is mounted on a directory. */
export async function isMounted(folder: string): Promise<boolean> {
  if (!await isThere(folder)) return false;
  const [own, above] = await Promise.all([Deno.lstat(folder), Deno.lstat(`${folder}/..`)]);
  return own.dev !== above.dev;
}

async function unmount(folder: string, clock: Clock): Promise<void> {
  for (let tries = 0; await isMounted(folder); tries++) {
    const isForced = tries >= UNMOUNT_TRIES_MAX;
    if (tries > UNMOUNT_TRIES_MAX) {
      throw new SeedmintError("storage", `Cannot unmount ${folder}: it stays mounted`, {
        retryable: true,
      });
    }
    const { exitCode } = await runCommand(["umount", ...(isForced ? ["-l"] : []), folder]);
    if (exitCode !== 0) await clock.sleep(UNMOUNT_RETRY_MS);
  }
}

async function takeRoom(file: string, bytes: number): Promise<void> {
  const { exitCode, stderr } = await runCommand(["fallocate", "-l", String(bytes), file]);
  if (exitCode === 0) return;
  if (/no space|too large/i.test(stderr)) {
    await Deno.remove(file).catch(() => {});
    throw new SeedmintError(
      "no-space",
      `Cannot make a disk of ${bytes} bytes: the host's disk is full`,
      { retryable: true },
    );
  }
  // A file system that cannot take room in advance: the file grows as it is written.
  await mustRun(["truncate", "-s", String(bytes), file]);
}
