/**
 * The host's own root, with all its rights, in a root and a network of its own that are thrown away: what
 * it can do there, a lease without walls could do to its host.
 */
import { join } from "node:path";
import { HOST_PROCESS } from "./escape_attempts.ts";

/** What the attempts need: CAP_NET_ADMIN, NET_RAW, SYS_MODULE, SYS_ADMIN, MKNOD, SYSLOG. */
const CAPABILITIES_NEEDED = [12, 13, 16, 21, 27, 34].reduce(
  (mask, bit) => mask | 1n << BigInt(bit),
  0n,
);

const SCRIPT = `set -e
mount --make-rprivate /
mount --bind "$0" "$0"
for place in proc dev sys; do mkdir -p "$0/$place"; mount --rbind "/$place" "$0/$place"; done
ip link set lo up
ip link add eth0 type veth peer name eth1
cd "$0"
mkdir old
pivot_root . old
exec /bin/busybox chroot . /bin/busybox sh -c '/bin/busybox umount -l /old; exec /bin/sh -c "$0"' "$1"`;

/** Why this host's root has not all rights itself; undefined if it has. */
export async function hostRootMissing(): Promise<string | undefined> {
  const status = await Deno.readTextFile("/proc/self/status");
  const rights = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)![1]}`);
  return (rights & CAPABILITIES_NEEDED) === CAPABILITIES_NEEDED
    ? undefined
    : "the host's root has not all rights itself";
}

/** Runs a line of busybox's shell. @returns Its exit code, and what it said. */
export async function asHostRoot(
  line: string,
): Promise<{ readonly code: number; readonly said: string }> {
  const root = await Deno.makeTempDir({ prefix: "seedmint-root-" });
  try {
    for (const folder of ["bin", ".seedmint/server", ".seedmint/lease"]) {
      await Deno.mkdir(join(root, folder), { recursive: true });
    }
    await Deno.copyFile("/bin/busybox", join(root, "bin/busybox"));
    await Deno.chmod(join(root, "bin/busybox"), 0o755);
    const install = ["chroot", root, "/bin/busybox", "--install", "-s", "/bin"];
    await new Deno.Command(install[0]!, { args: install.slice(1), stdin: "null" }).output();
    const { code, stdout, stderr } = await new Deno.Command("unshare", {
      args: ["--mount", "--net", "--uts", "--ipc", "sh", "-c", SCRIPT, root, line],
      stdin: "null",
      env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
    }).output();
    return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Starts the process of the host that no lease may see; it ends with what is returned. */
export function startHostProcess(): AsyncDisposable {
  const [program, ...args] = HOST_PROCESS;
  const child = new Deno.Command(program, { args, stdin: "null" }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}
