/**
 * What a hostile lessee's root tries from inside. Each line is one that the host's root, whom nothing holds,
 * can run to its end: `host_root.ts` shows it, so that a line that fails in a lease fails by its walls.
 */

/** One attempt. */
export interface Attempt {
  /** After "it cannot". */
  readonly what: string;
  /** A line of shell that must fail; it changes nothing where it succeeds. */
  readonly line: string;
  /** What the host's root runs instead, where the place of the thing is another for it. */
  readonly onHost?: string;
  /** A file that some kernels do not have: without it nobody can. */
  readonly needs?: string;
  /** Engines whose leases may, within what they have. */
  readonly allowedOn?: readonly string[];
}

/** A process of the host that no lease may see: whoever runs the attempts starts it before. */
export const HOST_PROCESS = ["sleep", "98765"] as const;

/** They let each container divide its own control group; its limits stay those of the whole. */
const DIVIDING = ["lxd", "incus"];

/** Takes what a file says, and writes it back. */
const rewrite = (file: string) => `v=$(cat ${file}) && echo "$v" > ${file}`;

/** See the head of this file. */
export const ATTEMPTS: readonly Attempt[] = [
  { what: "make a user namespace", line: "unshare -Ur true" },
  { what: "make a mount namespace", line: "unshare -m true" },
  { what: "make a network namespace", line: "unshare -n true" },
  { what: "mount a file system", line: "mkdir -p /m && mount -t tmpfs none /m" },
  { what: "make a device of the host's disk", line: "mknod /disk b 254 0" },
  { what: "make a device of the kernel's memory", line: "mknod /mem c 1 1" },
  {
    what: "read the kernel's memory",
    line: "dd if=/proc/kcore of=/dev/null bs=1 count=1 && test -s /proc/kcore",
    needs: "/proc/kcore",
  },
  { what: "read the kernel's messages", line: "dmesg" },
  {
    what: "load a module",
    // That this is none is said by the part of the kernel that would load it.
    line:
      "echo x > /x.ko; insmod /x.ko 2>&1 | grep -qvE 'not permitted|not support|not implemented'",
    needs: "/proc/modules",
  },
  {
    what: "change the kernel's settings",
    line: rewrite("/proc/sys/kernel/panic"),
    needs: "/proc/sys/kernel/panic",
  },
  {
    what: "write core dumps through a pipe of the host",
    line: rewrite("/proc/sys/kernel/core_pattern"),
    needs: "/proc/sys/kernel/core_pattern",
  },
  {
    what: "trigger the kernel's emergency keys",
    line: ": > /proc/sysrq-trigger",
    needs: "/proc/sysrq-trigger",
  },
  {
    what: "widen its own memory limit (control groups, version 1)",
    line: "echo 1000000000 > /sys/fs/cgroup/memory/memory.limit_in_bytes",
    // The first group has no limit.
    onHost: "cd /sys/fs/cgroup/memory && mkdir try-$$ && " +
      "echo 1000000000 > try-$$/memory.limit_in_bytes; code=$?; rmdir try-$$; exit $code",
    needs: "/sys/fs/cgroup/memory/memory.limit_in_bytes",
  },
  {
    what: "widen its own memory limit (control groups, version 2)",
    line: "test -e /sys/fs/cgroup/memory.max && echo 1000000000 > /sys/fs/cgroup/memory.max",
    onHost: "cd /sys/fs/cgroup && mkdir try-$$ && " +
      "echo 1000000000 > try-$$/memory.max; code=$?; rmdir try-$$; exit $code",
    needs: "/sys/fs/cgroup/memory.stat",
  },
  {
    what: "make a control group (version 1)",
    line: "mkdir /sys/fs/cgroup/pids/try-$$ && busybox rmdir /sys/fs/cgroup/pids/try-$$",
    needs: "/sys/fs/cgroup/pids/cgroup.procs",
    allowedOn: DIVIDING,
  },
  {
    what: "make a control group (version 2)",
    line: "test -e /sys/fs/cgroup/cgroup.procs && mkdir /sys/fs/cgroup/try-$$ && " +
      "busybox rmdir /sys/fs/cgroup/try-$$",
    needs: "/sys/fs/cgroup/cgroup.procs",
    allowedOn: DIVIDING,
  },
  {
    what: "name a release agent",
    line: rewrite("/sys/fs/cgroup/memory/release_agent"),
    needs: "/sys/fs/cgroup/memory/release_agent",
  },
  { what: "send raw packets", line: "ping -c 1 -W 1 127.0.0.1" },
  { what: "change its own address", line: "ifconfig eth0 10.1.2.3" },
  { what: "change the SSH server", line: "echo x > /.seedmint/server/dropbear" },
  { what: "change its host key", line: "echo x > /.seedmint/lease/host_key" },
  { what: "unmount what is masked", line: "umount -l /proc" },
  { what: "take the hostname of another", line: "hostname other" },
  {
    what: "see a process of the host",
    // The line itself is a process, too, and does not say what it looks for.
    line: "grep -q '9876[5]' /proc/[0-9]*/cmdline",
  },
];

/** Starts more processes than a lease may have, each of which waits; says so if it could. */
export const FORKS_LINE =
  "i=0; while [ $i -lt 1200 ]; do sleep 60 >/dev/null 2>&1 & i=$((i + 1)); done; echo all";
