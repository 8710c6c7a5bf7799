/** A lease's root, mounted where an engine looks for it. */
import { SeedmintError } from "../../../src/core/errors.ts";
import { isThere, mustRun } from "../../machine/mod.ts";
import { type DiskPaths, mountDisk } from "../host/mod.ts";

/** Mounts a lease's disk and its root; fine when they are. */
export async function mountRoot(
  paths: DiskPaths,
  image: string,
  options: { readonly idBase: number; readonly guard: string },
): Promise<void> {
  if (!await isThere(paths.file)) {
    throw new SeedmintError("storage", `Cannot start a lease: its disk ${paths.file} is gone`);
  }
  await mountDisk(paths, image, options);
}

/** Shows the root at each of these places, one mount over the other when a place is named twice. */
export async function attachRoot(
  rootfs: string,
  targets: readonly string[],
  guard: string,
): Promise<void> {
  await detachRoot(rootfs);
  for (const target of targets) await mustRun(["mount", "--bind", rootfs, target], { guard });
}

/** Takes the root away from wherever it is shown besides its own place; fine when it is nowhere. */
export async function detachRoot(rootfs: string): Promise<void> {
  const places = placesOf(rootfs, await Deno.readTextFile("/proc/self/mountinfo"));
  for (const place of places.reverse()) await mustRun(["umount", "-l", place]);
}

/** Where else the file system that is mounted on `rootfs` is mounted. Pure. */
export function placesOf(rootfs: string, mountInfo: string): string[] {
  const mounts = mountInfo.split("\n").map((line) => line.split(" "))
    .map((fields) => ({ device: fields[2], point: plain(fields[4] ?? "") }));
  const device = mounts.find(({ point }) => point === rootfs)?.device;
  if (device === undefined) return [];
  return mounts.filter((mount) => mount.device === device && mount.point !== rootfs)
    .map(({ point }) => point);
}

/** The kernel writes blanks as octal numbers. */
function plain(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8)));
}
