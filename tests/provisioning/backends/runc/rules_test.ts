import assert from "node:assert/strict";
import fc from "fast-check";
import { PIDS_MAX } from "../../../../provisioning/backends/host/mod.ts";
import {
  bundleConfig,
  leaseLink,
  leaseRules,
  seccompProfile,
} from "../../../../provisioning/backends/runc/mod.ts";
import { imageOf, layerOf } from "../../../support/provisioning/tar.ts";

Deno.test("leaseLink() gives each port of a host a link of its own inside 10.212.0.0/14", () => {
  assert.deepEqual(leaseLink(31_001), {
    device: "smv31001",
    table: "seedmint_31001",
    gateway: "10.213.228.101",
    address: "10.213.228.102",
  });
  const port = fc.integer({ min: 1, max: 65_535 });
  fc.assert(fc.property(port, port, (one, two) => {
    const [a, b] = [leaseLink(one), leaseLink(two)];
    assert.match(a.address, /^10\.21[2-5]\./);
    assert.ok(a.device.length <= 15);
    if (one !== two) {
      const all = new Set([a.gateway, a.address, b.gateway, b.address]);
      assert.equal(all.size, 4);
    }
  }));
});

Deno.test("leaseRules() publishes what was asked and replaces earlier rules at once", () => {
  const rules = leaseRules(leaseLink(31_001), {
    hostPort: 31_001,
    ports: [{ hostPort: 31_002, containerPort: 53, protocol: "udp", label: "dns" }],
  });
  assert.ok(rules.startsWith("table inet seedmint_31001 {}\ndelete table inet seedmint_31001\n"));
  assert.match(rules, /tcp dport 31001 dnat ip to 10\.213\.228\.102:10022/);
  assert.match(rules, /udp dport 31002 dnat ip to 10\.213\.228\.102:53/);
  for (const range of ["10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16", "172.16.0.0/12"]) {
    assert.ok(rules.includes(range));
  }
});

Deno.test("seccompProfile() lists nothing that reaches into the kernel", () => {
  const profile = seccompProfile("x86_64");
  assert.equal(profile.defaultAction, "SCMP_ACT_ERRNO");
  const allowed = new Set(
    profile.syscalls.filter((rule) => rule.action === "SCMP_ACT_ALLOW" && rule.args === undefined)
      .flatMap((rule) => rule.names),
  );
  for (
    const name
      of `acct add_key bpf clone clone3 create_module delete_module finit_module init_module
      io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl
      lookup_dcookie mbind migrate_pages mount mount_setattr move_mount move_pages nfsservctl
      open_by_handle_at open_tree perf_event_open personality pidfd_getfd pivot_root process_vm_readv
      process_vm_writev ptrace quotactl reboot request_key setns settimeofday socket stime swapon swapoff
      syslog umount umount2 unshare userfaultfd vhangup`.split(/\s+/)
  ) {
    assert.ok(!allowed.has(name), name);
  }
  for (const name of ["read", "write", "openat", "execve", "futex", "epoll_wait", "statx"]) {
    assert.ok(allowed.has(name), name);
  }
  assert.equal(allowed.has(""), false);
  const names = [...allowed];
  assert.ok(names.every((name) => /^[a-z0-9_]+$/.test(name)));
});

Deno.test("bundleConfig() maps users, drops rights and names each limit", () => {
  const config = bundleConfig({
    leaseId: "container-1",
    owner: "ab".repeat(32),
    image: imageOf([layerOf([])], { env: ["A=image", "B=image"] }),
    resources: { cpuMillicores: 1500, memoryMb: 256, diskMb: 10 },
    // What the loader of our server would heed is for commands only.
    env: { B: "lessee", C: "nul\0in", LD_PRELOAD: "/x.so", GLIBC_TUNABLES: "x" },
  }, {
    rootfs: "/r",
    serverFolder: "/s",
    leaseFolder: "/l",
    cgroupsPath: "/c",
    idBase: 200_000,
    openFilesMax: 1000,
    architecture: "aarch64",
    args: ["x"],
  });
  // deno-lint-ignore no-explicit-any
  const { process, linux, mounts } = config as any;
  assert.equal(process.noNewPrivileges, true);
  assert.deepEqual(process.rlimits[0], { type: "RLIMIT_NOFILE", hard: 1000, soft: 1000 });
  assert.ok(
    !process.capabilities.bounding.some((name: string) =>
      /SYS_ADMIN|NET_ADMIN|NET_RAW|SYS_PTRACE|MKNOD|SYS_MODULE/.test(name)
    ),
  );
  assert.deepEqual(process.env.slice(2), ["A=image", "B=lessee", "C=nulin"]);
  assert.deepEqual(linux.uidMappings, [{ containerID: 0, hostID: 200_000, size: 65_536 }]);
  assert.equal(linux.resources.cpu.quota, 150_000);
  assert.equal(linux.resources.memory.limit, 256 * 1024 * 1024);
  assert.equal(linux.resources.memory.swap, linux.resources.memory.limit);
  assert.equal(linux.resources.pids.limit, PIDS_MAX);
  assert.deepEqual(linux.seccomp.architectures, ["SCMP_ARCH_AARCH64"]);
  assert.ok(linux.namespaces.some(({ type }: { type: string }) => type === "user"));
  assert.ok(
    mounts.filter(({ type }: { type: string }) => type === "bind")
      .every(({ options }: { options: string[] }) => options.includes("ro")),
  );
});
