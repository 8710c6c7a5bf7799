import assert from "node:assert/strict";
import { containerdConfig, planContainerd } from "../../../src/app/clients/containerd.ts";
import { examine } from "../../../src/app/clients/examine.ts";
import { parseTable } from "../../../src/app/config/toml.ts";
import { readVersion } from "../../../src/app/clients/programs.ts";
import { carryOut, MemoryFiles } from "./memory_files.ts";

const CONTAINERD_CONFIG = containerdConfig();
const HUB = "/etc/containerd/certs.d/docker.io/hosts.toml";
const look = (files: MemoryFiles) =>
  examine("containerd", {
    files,
    mirror: "127.0.0.1:5055",
    registries: ["docker.io", "registry.lan:5000"],
  });

// deno-lint-ignore no-explicit-any -- a table of somebody else's
const table = (files: MemoryFiles, path = CONTAINERD_CONFIG): any =>
  parseTable(files.texts.get(path)!, path);

Deno.test("setup containerd on a bare host writes four lines for each registry, and a config.toml", async () => {
  const files = new MemoryFiles();
  const plan = await carryOut(planContainerd, files);
  assert.equal(
    files.texts.get(HUB)!.split("\n").filter((line) => line !== "" && !line.startsWith("#")).join(
      "\n",
    ),
    'server = "https://registry-1.docker.io"\n[host."http://127.0.0.1:5055"]\n' +
      '  capabilities = ["pull", "resolve"]\n  dial_timeout = "200ms"',
  );
  const lan = table(files, "/etc/containerd/certs.d/registry.lan:5000/hosts.toml");
  assert.equal(lan.server, "http://registry.lan:5000");
  const registry = table(files).plugins["io.containerd.grpc.v1.cri"].registry;
  assert.deepEqual([table(files).version, registry.config_path], [2, "/etc/containerd/certs.d"]);
  assert.equal(plan.restart, "systemctl restart containerd");
  const { routes, faults } = await look(files);
  assert.deepEqual([routes.map(({ place }) => place), faults], [[0, 0], []]);
});

Deno.test("setup containerd 2.2 names the directory for the transfer service, too, and takes referrers", async () => {
  const files = new MemoryFiles();
  const version = readVersion("containerd github.com/containerd/containerd/v2 v2.2.1 abcdef")!;
  assert.deepEqual([version.major, version.minor], [2, 2]);
  await carryOut(planContainerd, files, { version });
  const { version: format, plugins } = table(files);
  assert.equal(format, 3);
  assert.equal(
    plugins["io.containerd.cri.v1.images"].registry.config_path,
    "/etc/containerd/certs.d",
  );
  assert.equal(plugins["io.containerd.transfer.v1.local"].config_path, "/etc/containerd/certs.d");
  assert.match(files.texts.get(HUB)!, /\["pull", "resolve", "referrers"\]/);
});

for (
  const [name, text] of Object.entries({
    "a dump of all defaults, version 2": `version = 2
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    sandbox_image = "registry.k8s.io/pause:3.6"
    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = ""
      [plugins."io.containerd.grpc.v1.cri".registry.auths]
  [plugins."io.containerd.internal.v1.opt"]
    path = "/opt/containerd"
`,
    "a dump of all defaults, version 3": `version = 3
[plugins]
  [plugins.'io.containerd.cri.v1.images']
    snapshotter = 'overlayfs'
    [plugins.'io.containerd.cri.v1.images'.registry]
      config_path = ''
  [plugins.'io.containerd.transfer.v1.local']
    config_path = ''
    max_concurrent_downloads = 3
`,
    "a table without the setting": `version = 2
[plugins."io.containerd.grpc.v1.cri".registry]
[plugins."io.containerd.grpc.v1.cri".registry.headers]
  X-Meta = ["a"]`,
    "no table": "version = 2\noom_score = -999",
    "the first format": '[plugins]\n[plugins.cri.registry]\nconfig_path = ""\n',
  })
) {
  Deno.test(`setup containerd changes nothing else in ${name}, and --remove gives it back`, async () => {
    const files = new MemoryFiles({ [CONTAINERD_CONFIG]: text });
    await carryOut(planContainerd, files);
    assert.deepEqual((await look(files)).faults, []);
    assert.notEqual(files.texts.get(CONTAINERD_CONFIG), text);
    const again = await carryOut(planContainerd, files);
    assert.deepEqual(again.changes, []);
    await carryOut(planContainerd, files, { isRemoval: true });
    assert.deepEqual(Object.keys(files.snapshot()), [CONTAINERD_CONFIG]);
    assert.equal(files.texts.get(CONTAINERD_CONFIG)!.trimEnd(), text.trimEnd());
  });
}

Deno.test("setup containerd puts the mirror before hosts that are there, and keeps them", async () => {
  const before = `server = "https://registry-1.docker.io"
skip_verify = false

# the office's cache
[host."https://cache.lan"]
  capabilities = ["pull"]
  [host."https://cache.lan".header]
    X-Team = "a"
`;
  const files = new MemoryFiles({ [HUB]: before });
  await carryOut(planContainerd, files);
  assert.deepEqual(Object.keys(table(files, HUB).host), [
    "http://127.0.0.1:5055",
    "https://cache.lan",
  ]);
  assert.equal(table(files, HUB).host["https://cache.lan"].header["X-Team"], "a");
  // Another address takes the place of the first one.
  await carryOut(planContainerd, files, { mirror: "127.0.0.1:7000" });
  assert.deepEqual(Object.keys(table(files, HUB).host), [
    "http://127.0.0.1:7000",
    "https://cache.lan",
  ]);
  await carryOut(planContainerd, files, { isRemoval: true });
  assert.equal(files.texts.get(HUB), before);
});

Deno.test("setup containerd uses the directory that is named, the first of a list, and says so", async () => {
  const text = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n' +
    'config_path = "/srv/certs.d:/etc/docker/certs.d"\n';
  const files = new MemoryFiles({ [CONTAINERD_CONFIG]: text });
  const { notes, restart } = await carryOut(planContainerd, files);
  assert.ok(files.texts.has("/srv/certs.d/docker.io/hosts.toml"));
  assert.ok(notes.some((note) => note.includes("is a list")));
  assert.equal(restart, undefined);
  assert.match((await look(files)).faults.join(), /list of directories/);
});

Deno.test("setup containerd leaves a config.toml with mirrors in the old way, or without cri, alone", async () => {
  const old = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\n' +
    'endpoint = ["https://cache.lan"]\n';
  const files = new MemoryFiles({ [CONTAINERD_CONFIG]: old });
  const { notes } = await carryOut(planContainerd, files);
  assert.equal(files.texts.get(CONTAINERD_CONFIG), old);
  assert.ok(notes.some((note) => note.includes("old way")));
  assert.match((await look(files)).faults.join(), /old way/);
  const off = 'disabled_plugins = ["cri"]\n';
  const docker = new MemoryFiles({ [CONTAINERD_CONFIG]: off });
  const plan = await carryOut(planContainerd, docker);
  assert.equal(docker.texts.get(CONTAINERD_CONFIG), off);
  assert.ok(plan.notes.some((note) => note.includes("switched off")));
  assert.deepEqual((await look(docker)).faults, []);
});

Deno.test("setup containerd refuses a file that it cannot read, by name and line", async () => {
  const files = new MemoryFiles({ [HUB]: "server = \n" });
  await assert.rejects(carryOut(planContainerd, files), /Cannot read .*hosts\.toml:1/);
});

Deno.test("doctor sees the mirror in _default, behind another host, or not at all", async () => {
  const host = (...urls: string[]) => urls.map((url) => `[host."${url}"]\n`).join("");
  const files = new MemoryFiles({
    "/etc/containerd/certs.d/_default/hosts.toml": host("http://localhost:5055"),
    [HUB]: host("https://cache.lan", "http://127.0.0.1:5055"),
  });
  const { routes } = await look(files);
  assert.deepEqual(routes.map(({ registry, place }) => [registry, place]), [
    ["docker.io", 1],
    ["registry.lan:5000", 0],
  ]);
  const none = await look(new MemoryFiles());
  assert.deepEqual(none.routes.map(({ place }) => place), [undefined, undefined]);
});

Deno.test("setup containerd --user keeps to the files of that user", async () => {
  const files = new MemoryFiles();
  const { restart } = await carryOut(planContainerd, files, { home: "/home/a" });
  assert.equal(restart, "systemctl --user restart containerd");
  assert.ok(
    [...files.texts.keys()].every((path) => path.startsWith("/home/a/.config/containerd/")),
  );
  await carryOut(planContainerd, files, { home: "/home/a", isRemoval: true });
  assert.deepEqual(files.snapshot(), {});
});
