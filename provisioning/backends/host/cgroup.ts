/**
 * What a runtime that was ended by force leaves in a lease's control groups: processes that no state
 * names. They are found by where they are counted, in the hierarchies of version 1 and in version 2.
 */
import type { Clock } from "../../../src/core/ports.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import { isThere, readIfThere } from "../../machine/mod.ts";
import { DELETE_TRIES_MAX, KILL_RETRY_MS } from "./limits.ts";

const ROOT = "/sys/fs/cgroup";

/** Ends all that runs in the groups at `path`, and removes them; fine when there are none. */
export async function sweepGroups(path: string, clock: Clock): Promise<void> {
  for (let tries = 0;; tries++) {
    const folders = await foldersOf(path);
    if (folders.length === 0) return;
    if (tries === DELETE_TRIES_MAX) {
      throw new SeedmintError("unavailable", `Cannot empty ${folders[0]}: processes stay in it`, {
        retryable: true,
      });
    }
    if (tries > 0) await clock.sleep(KILL_RETRY_MS);
    for (const folder of folders) {
      await thaw(folder);
      for (const pid of await pidsIn(folder)) end(pid);
      // Refused as long as a process is in it.
      await Deno.remove(folder).catch(() => {});
    }
  }
}

async function foldersOf(path: string): Promise<string[]> {
  const found = await isThere(ROOT + path) ? [ROOT + path] : [];
  for await (const { name, isDirectory } of Deno.readDir(ROOT)) {
    const folder = `${ROOT}/${name}${path}`;
    if (isDirectory && await isThere(folder)) found.push(folder);
  }
  return found;
}

async function pidsIn(folder: string): Promise<number[]> {
  const text = await readIfThere(`${folder}/cgroup.procs`).catch(() => undefined);
  return (text ?? "").split("\n").map(Number).filter((pid) => Number.isInteger(pid) && pid > 1);
}

/** Frozen processes do not even die. */
async function thaw(folder: string): Promise<void> {
  for (const [file, text] of [["freezer.state", "THAWED"], ["cgroup.freeze", "0"]] as const) {
    await Deno.writeTextFile(`${folder}/${file}`, text, { create: false }).catch(() => {});
  }
}

function end(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
