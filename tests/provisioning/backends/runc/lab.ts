/** A place for real containers: network and mounts of our own, gone with the process. */
import { fileURLToPath } from "node:url";

/** Why real containers cannot run here; undefined if they can. */
export async function labMissing(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "containers are a thing of Linux";
  if (Deno.uid() !== 0) return "root is needed to run containers";
  for (
    const program of ["runc", "dropbear", "nft", "ip", "mkfs.ext4", "unshare", "busybox", "ssh"]
  ) {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", 'command -v "$0"', program],
      stdout: "null",
      stderr: "null",
    }).output();
    if (!success) return `the program ${program} is missing: run tests/interop/install_runc.sh`;
  }
  // A container without rights of its own has the programs, and cannot use them.
  for (
    const argv of [
      ["unshare", "--net", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
      ["test", "-w", "/dev/loop-control"],
      ["test", "-w", "/sys/fs/cgroup"],
      ["unshare", "--net", "nft", "add", "table", "inet", "probe"],
    ]
  ) {
    const { success } = await new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      stdout: "null",
      stderr: "null",
    }).output();
    if (!success) return `the kernel or its keeper refuses: ${argv.join(" ")}`;
  }
  return undefined;
}

/** What a test's name ends with, so that whoever reads a run sees why it did not run. */
export function skippedFor(missing: string | undefined): string {
  return missing === undefined ? "" : ` (skipped: ${missing})`;
}

/** Runs a file of cases with `deno test` in namespaces of its own; @returns what it printed if it failed. */
export async function runCases(file: string): Promise<string | undefined> {
  const path = fileURLToPath(import.meta.resolve(file));
  const { success, stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      "--net",
      "--mount",
      "--propagation",
      "private",
      "sh",
      "-c",
      'ip link set lo up && exec "$0" test -A --no-check --cached-only "$1"',
      Deno.execPath(),
      path,
    ],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  if (success) return undefined;
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** A directory for state that leases' users are let through to. */
export async function stateFolder(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "seedmint-runc-" });
  await Deno.chmod(folder, 0o711);
  return folder;
}
