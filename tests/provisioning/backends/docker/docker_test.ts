import assert from "node:assert/strict";
import fc from "fast-check";
import {
  containerBody,
  dockerProblem,
  remappedTo,
} from "../../../../provisioning/backends/docker/docker_engine.ts";
import { Frames } from "../../../../provisioning/backends/docker/frames.ts";
import {
  podmanBody,
  podmanProblem,
} from "../../../../provisioning/backends/docker/podman_engine.ts";
import type { ContainerOrder } from "../../../../provisioning/backends/engine/mod.ts";

const ORDER: ContainerOrder = {
  leaseId: "container-7",
  owner: "ab".repeat(32),
  expiresMs: 123,
  hostPort: 31_000,
  args: ["/server", "-F"],
  env: ["A=b=c", "EMPTY="],
  resources: { cpuMillicores: 1500, memoryMb: 256, diskMb: 10 },
  openFilesMax: 1000,
  nameServers: ["9.9.9.9"],
  idBase: 200_000,
  rootfs: "/state/rootfs",
  mounts: [
    { source: "/server", target: "/.seedmint/server", isReadOnly: true, isExecutable: true },
    { source: "/log", target: "/.seedmint/log", isReadOnly: false, isExecutable: false },
  ],
};

const TAG = "0a1b2c3d";

const INFO = {
  ServerVersion: "20.10",
  Driver: "overlay2",
  DriverStatus: [["Backing Filesystem", "extfs"]] as [string, string][],
  DockerRootDir: "/var/lib/docker/300000.300000",
  SecurityOptions: ["name=seccomp,profile=default", "name=userns"],
  MemoryLimit: true,
  CpuCfsQuota: true,
  PidsLimit: true,
};

Deno.test("dockerProblem() takes no daemon that would keep leases less apart", () => {
  assert.equal(dockerProblem(INFO), undefined);
  const bad = [
    [{ SecurityOptions: ["name=seccomp,profile=default"] }, /userns-remap/],
    [{ DockerRootDir: "/var/lib/docker" }, /userns-remap/],
    [{ SecurityOptions: ["name=userns"] }, /seccomp/],
    [{ SecurityOptions: [...INFO.SecurityOptions, "name=rootless"] }, /without root/],
    [{ Driver: "btrfs" }, /overlay2/],
    [
      { DriverStatus: [["driver-type", "io.containerd.snapshotter.v1"]] as [string, string][] },
      /snapshotter/,
    ],
    [{ PidsLimit: false }, /control groups/],
  ] as const;
  for (const [more, words] of bad) assert.match(dockerProblem({ ...INFO, ...more }) ?? "", words);
});

Deno.test("remappedTo() reads the users of containers, and takes none of the host's own", () => {
  assert.equal(remappedTo("/var/lib/docker/300000.300000"), 300_000);
  for (const dir of ["/var/lib/docker", "/x/0.0", "/x/100000.200000", "/x/1.1/y"]) {
    assert.equal(remappedTo(dir), undefined);
  }
});

Deno.test("podmanProblem() takes no podman without root or without filters", () => {
  assert.equal(
    podmanProblem({ host: { security: { rootless: false, seccompEnabled: true } } }),
    undefined,
  );
  assert.match(podmanProblem({ host: { security: { rootless: true } } }) ?? "", /without root/);
  assert.match(podmanProblem({}) ?? "", /without root/);
  const unfiltered = { host: { security: { rootless: false, seccompEnabled: false } } };
  assert.match(podmanProblem(unfiltered) ?? "", /seccomp/);
});

Deno.test("containerBody() names each limit, and asks for no privilege", () => {
  // deno-lint-ignore no-explicit-any
  const { HostConfig, Labels, Entrypoint } = containerBody(ORDER, TAG) as any;
  assert.deepEqual(Entrypoint, ORDER.args);
  assert.equal(HostConfig.Privileged, false);
  assert.equal(HostConfig.NetworkMode, "none");
  assert.deepEqual(HostConfig.CapDrop, ["ALL"]);
  assert.ok(!HostConfig.CapAdd.some((name: string) => /ADMIN|RAW|PTRACE|MKNOD|MODULE/.test(name)));
  assert.equal(HostConfig.Memory, 256 * 1024 * 1024);
  assert.equal(HostConfig.MemorySwap, HostConfig.Memory);
  assert.equal(HostConfig.CpuQuota / HostConfig.CpuPeriod, 1.5);
  assert.ok(HostConfig.PidsLimit > 0);
  const [privileges, seccomp] = HostConfig.SecurityOpt;
  assert.equal(privileges, "no-new-privileges");
  assert.equal(JSON.parse(seccomp.slice("seccomp=".length)).defaultAction, "SCMP_ACT_ERRNO");
  assert.deepEqual(HostConfig.Mounts.map((mount: { ReadOnly: boolean }) => mount.ReadOnly), [
    true,
    false,
  ]);
  assert.equal(Labels["org.seedmint.owner"], ORDER.owner);
  assert.equal(Labels["org.seedmint.expires"], "123");
});

Deno.test("podmanBody() names each limit, and asks for no privilege", () => {
  const body = podmanBody(ORDER, {
    ...{ tag: TAG, profile: "/state/seccomp.json", processesMax: 5000 },
    // deno-lint-ignore no-explicit-any
  }) as any;
  assert.equal(body.rootfs, ORDER.rootfs);
  assert.deepEqual(body.env, { A: "b=c", EMPTY: "" });
  assert.deepEqual([body.netns.nsmode, body.userns.nsmode], ["none", "private"]);
  assert.deepEqual(body.idmappings.UIDMap, [{ container_id: 0, host_id: 200_000, size: 65_536 }]);
  assert.deepEqual(body.cap_drop, ["all"]);
  assert.equal(body.no_new_privileges, true);
  assert.equal(body.seccomp_profile_path, "/state/seccomp.json");
  assert.equal(body.httpproxy, false);
  assert.equal(body.resource_limits.memory.limit, body.resource_limits.memory.swap);
  assert.deepEqual(body.r_limits[0], { type: "nofile", soft: 1000, hard: 1000 });
  assert.ok(body.mounts[0].options.includes("ro") && body.mounts[1].options.includes("noexec"));
});

Deno.test("Frames takes a stream apart however it is cut", () => {
  const frame = (stream: number, bytes: Uint8Array) => {
    const header = new Uint8Array(8);
    header[0] = stream;
    new DataView(header.buffer).setUint32(4, bytes.length);
    return [...header, ...bytes];
  };
  const part = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.uint8Array({ maxLength: 20 }));
  fc.assert(fc.property(fc.array(part), fc.integer({ min: 1, max: 9 }), (parts, cut) => {
    const all = Uint8Array.from(parts.flatMap(([stream, bytes]) => frame(stream, bytes)));
    const found: Record<"stdout" | "stderr", number[]> = { stdout: [], stderr: [] };
    const frames = new Frames((stream, bytes) => found[stream].push(...bytes));
    for (let at = 0; at < all.length; at += cut) frames.push(all.subarray(at, at + cut));
    const of = (wanted: number) =>
      parts.filter(([stream]) => stream === wanted).flatMap(([, bytes]) => [...bytes]);
    assert.deepEqual(found, { stdout: of(1), stderr: of(2) });
  }));
});
