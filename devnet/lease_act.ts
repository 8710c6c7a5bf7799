/**
 * The act about compute: a container is rented with ecash of another mint, from an image that only the
 * swarm has. It needs root and runc, and plays in network and mounts of its own, so that nothing of
 * the machine is touched; where that cannot be it says so, and passes over itself.
 */
import { join } from "node:path";
import type { ActResult } from "./acts.ts";
import { TextLineStream } from "./lines.ts";
import type { World } from "./world.ts";

const PROGRAMS = ["runc", "dropbear", "nft", "ip", "mkfs.ext4", "unshare", "ssh", "ssh-keyscan"];

/** What must be allowed, besides being root. */
const TRIALS: readonly (readonly string[])[] = [
  ["unshare", "--net", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
  ["test", "-w", "/dev/loop-control"],
  ["test", "-w", "/sys/fs/cgroup"],
  ["unshare", "--net", "nft", "add", "table", "inet", "probe"],
];

/** The host's busybox, which becomes the image. */
export const BUSYBOX = "/bin/busybox";

/** Rents, uses and ends a lease. */
export async function lease(world: World): Promise<ActResult> {
  const missing = await whatIsMissing();
  if (missing !== undefined) {
    return {
      ok: true,
      text: `passed over: ${missing}`,
      figures: { isSkipped: true, missing },
    };
  }
  const directory = join(world.directory, "lease");
  await Deno.mkdir(directory);
  const stage = new URL("lease_stage.ts", import.meta.url).pathname;
  const child = new Deno.Command("unshare", {
    args: [
      ...["--net", "--mount", "--propagation", "private", "sh", "-c"],
      'ip link set lo up && exec "$0" run --quiet -A --cached-only "$1"',
      ...[Deno.execPath(), stage],
    ],
    // What it leaves lying there is removed with the rest.
    env: { NO_COLOR: "1", TMPDIR: directory },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // It ends when its input does, so that it never outlives this process.
  await using _input = { [Symbol.asyncDispose]: () => child.stdin.close().catch(() => {}) };
  const said = textOf(child.stderr);
  let result: ActResult | undefined;
  const lines = child.stdout.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const line of lines) if (line !== "") result = JSON.parse(line);
  const { success } = await child.status;
  if (success && result !== undefined) return result;
  throw new Error(`the stage failed: ${(await said).slice(-2000)}`);
}

/** Why it cannot run here, in words. */
async function whatIsMissing(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "containers are a thing of Linux";
  if (Deno.uid() !== 0) return "root is needed to run containers";
  for (const program of PROGRAMS) {
    if (!await succeeds("sh", "-c", 'command -v "$0"', program)) {
      return `the program ${program} is not installed`;
    }
  }
  if (!await isStatic(BUSYBOX)) return `${BUSYBOX} of busybox-static is not installed`;
  for (const [program, ...args] of TRIALS) {
    if (!await succeeds(program!, ...args)) {
      return `this machine does not allow ${[program, ...args].join(" ")}`;
    }
  }
  return undefined;
}

async function succeeds(program: string, ...args: string[]): Promise<boolean> {
  const output = { stdin: "null", stdout: "null", stderr: "null" } as const;
  const { success } = await new Deno.Command(program, { args, ...output }).output();
  return success;
}

/** Whether a program needs no library of the host: one that does names its loader. */
async function isStatic(path: string): Promise<boolean> {
  try {
    const bytes = await Deno.readFile(path);
    return !/\/ld-(linux|musl)[\w.-]*\0/.test(new TextDecoder("latin1").decode(bytes));
  } catch {
    return false;
  }
}

async function textOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return await new Response(stream).text();
}
