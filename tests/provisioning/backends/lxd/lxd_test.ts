import assert from "node:assert/strict";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import type { ContainerOrder } from "../../../../provisioning/backends/engine/mod.ts";
import { emptyImage } from "../../../../provisioning/backends/lxd/empty_image.ts";
import {
  instanceBody,
  rawConfig,
  seccompText,
} from "../../../../provisioning/backends/lxd/instance.ts";
import { idBaseOf } from "../../../../provisioning/backends/lxd/lxd_engine.ts";

const ORDER: ContainerOrder = {
  leaseId: "container-7",
  owner: "ab".repeat(32),
  expiresMs: 123,
  hostPort: 31_000,
  args: ["/server", "-F"],
  env: ["A=b=c"],
  resources: { cpuMillicores: 1500, memoryMb: 256, diskMb: 10 },
  openFilesMax: 1000,
  nameServers: [],
  idBase: 200_000,
  rootfs: "/state/rootfs",
  mounts: [
    { source: "/server", target: "/.seedmint/server", isReadOnly: true, isExecutable: true },
  ],
};
const PLACE = { fingerprint: "00", pool: "pool", tag: "0a1b2c3d" };

Deno.test("instanceBody() names each limit, and takes nothing from profiles", () => {
  for (const engine of ["lxd", "incus"] as const) {
    // deno-lint-ignore no-explicit-any
    const { config, devices, profiles } = instanceBody(ORDER, { ...PLACE, engine }) as any;
    assert.deepEqual(profiles, []);
    assert.deepEqual(Object.keys(devices), ["root", "seedmint0"]);
    assert.equal(devices.seedmint0.readonly, "true");
    assert.equal(config["security.privileged"], "false");
    assert.equal(config["security.nesting"], "false");
    assert.equal(config[engine === "lxd" ? "security.devlxd" : "security.guestapi"], "false");
    assert.equal(config["limits.memory"], "256MiB");
    assert.equal(config["limits.cpu.allowance"], "150ms/100ms");
    assert.equal(config["environment.A"], "b=c");
    assert.equal(config["user.seedmint.expires"], "123");
    assert.equal(config["user.seedmint.provider"], PLACE.tag);
  }
});

Deno.test("instanceBody() keeps fractions of a processor", () => {
  const allowance = (cpuMillicores: number) => {
    const order = { ...ORDER, resources: { ...ORDER.resources, cpuMillicores } };
    // deno-lint-ignore no-explicit-any
    return (instanceBody(order, { ...PLACE, engine: "lxd" }) as any).config["limits.cpu.allowance"];
  };
  assert.deepEqual([125, 250, 2000].map(allowance), ["125ms/1000ms", "25ms/100ms", "200ms/100ms"]);
});

Deno.test("instanceBody() lets no variable become a line of the instance's configuration", () => {
  for (
    const line of [
      "A=x\nlxc.mount.entry = / host none rbind 0 0",
      "A\nB=x",
      "A=\u0085x",
      "A B=x",
      "=x",
      "A=\r",
    ]
  ) {
    assert.throws(
      () => instanceBody({ ...ORDER, env: [line] }, { ...PLACE, engine: "incus" }),
      (error) => isSeedmintError(error, "invalid"),
    );
  }
});

Deno.test("rawConfig() keeps few capabilities and gains none", () => {
  const text = rawConfig(ORDER);
  assert.match(text, /^lxc\.init\.cmd = \/server -F$/m);
  assert.match(text, /^lxc\.no_new_privs = 1$/m);
  const [, kept] = /^lxc\.cap\.keep = (.+)$/m.exec(text)!;
  assert.equal(kept!.split(" ").length, 9);
  assert.doesNotMatch(kept!, /sys_admin|net_admin|net_raw|sys_ptrace|mknod/);
});

Deno.test("seccompText() allows what is listed, and refuses the rest", () => {
  const [version, policy, group, ...lines] = seccompText().split("\n");
  assert.deepEqual([version, policy, group], ["2", "allowlist errno 1", "[all]"]);
  assert.ok(lines.includes("read allow"));
  assert.ok(lines.includes("clone3 errno 38"));
  assert.ok(lines.includes("socket allow [0,1,SCMP_CMP_EQ]"));
  assert.ok(lines.includes(`clone allow [0,0,SCMP_CMP_MASKED_EQ,${0x7e02_0000}]`));
  assert.ok(!lines.some((line) => /^(mount|unshare|ptrace|bpf|keyctl|setns) /.test(line)));
});

Deno.test("idBaseOf() reads the users of an instance, and takes none of the host's own", () => {
  const entry = (more: object) => ({
    Isuid: true,
    Isgid: false,
    Hostid: 100_000,
    Nsid: 0,
    Maprange: 65_536,
    ...more,
  });
  const map = (users: object, groups: object) =>
    JSON.stringify([entry(users), entry({ Isuid: false, Isgid: true, ...groups })]);
  assert.equal(idBaseOf(map({}, {})), 100_000);
  for (
    const bad of [
      "[]",
      map({ Hostid: 0 }, { Hostid: 0 }),
      map({}, { Hostid: 200_000 }),
      map({ Maprange: 1000 }, {}),
    ]
  ) {
    assert.throws(() => idBaseOf(bad), (error) => isSeedmintError(error, "unavailable"));
  }
});

Deno.test("emptyImage() is the same archive each time, in whole blocks", () => {
  const [one, two] = [emptyImage(), emptyImage()];
  assert.deepEqual(one, two);
  assert.equal(one.length % 512, 0);
  assert.match(new TextDecoder().decode(one), /^metadata\.yaml\0/);
});
