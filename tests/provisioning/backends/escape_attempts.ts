/** What a hostile lessee's root tries from inside: a sentence and a line of shell that must fail. */
export const ATTEMPTS: readonly (readonly [string, string])[] = [
  ["make a user namespace", "unshare -Ur true"],
  ["make a mount namespace", "unshare -m true"],
  ["make a network namespace", "unshare -n true"],
  ["mount a file system", "mkdir -p /m && mount -t tmpfs none /m"],
  ["mount the host's disk", "mknod /disk b 254 0 && dd if=/disk of=/dev/null count=1"],
  [
    "read the kernel's memory",
    "dd if=/proc/kcore of=/dev/null bs=1 count=1 && test -s /proc/kcore",
  ],
  ["read the kernel's messages", "dmesg"],
  ["load a module", "echo > /x.ko; insmod /x.ko"],
  ["change the kernel's settings", "echo 1 > /proc/sys/kernel/panic"],
  ["trigger the kernel's emergency keys", "echo b > /proc/sysrq-trigger"],
  ["widen its own memory limit", "echo 1000000000 > /sys/fs/cgroup/memory/memory.limit_in_bytes"],
  ["name a release agent", "echo /x > /sys/fs/cgroup/memory/release_agent"],
  ["send raw packets", "ping -c 1 -W 1 127.0.0.1"],
  ["change its own address", "ifconfig eth0 10.1.2.3"],
  ["change the SSH server", "echo x > /.seedmint/server/dropbear"],
  ["change its host key", "echo x > /.seedmint/lease/host_key"],
  ["unmount what is masked", "umount /proc/kcore"],
  ["take the hostname of another", "hostname other"],
  ["write core dumps through a pipe of the host", "echo '|/x' > /proc/sys/kernel/core_pattern"],
  [
    "see another process than its own",
    "ls -d /proc/[0-9]*/ | grep -c . | (read n; test $n -gt 20)",
  ],
];
