import assert from "node:assert/strict";
import { ownPath, planContainersImage } from "../../../src/app/clients/containers_image.ts";
import { planDocker } from "../../../src/app/clients/docker.ts";
import { examine } from "../../../src/app/clients/examine.ts";
import { backupOf, HostFiles } from "../../../src/app/clients/files.ts";
import { detect, type Programs } from "../../../src/app/clients/programs.ts";
import { proveByClient } from "../../../src/app/clients/prove.ts";
import { parseTable } from "../../../src/app/config/toml.ts";
import { carryOut, MemoryFiles } from "./memory_files.ts";

const OWN = ownPath(undefined);
const DAEMON = "/etc/docker/daemon.json";
const look = (client: "docker" | "podman", files: MemoryFiles) =>
  examine(client, {
    files,
    mirror: "127.0.0.1:5055",
    registries: ["docker.io", "registry.lan:5000"],
  });

Deno.test("setup podman names the registry in the mirror's path, and --remove leaves nothing", async () => {
  const files = new MemoryFiles({
    "/etc/containers/registries.conf": 'unqualified-search-registries = ["a.lan"]\n',
  });
  const before = files.snapshot();
  await carryOut(planContainersImage, files, { push: "127.0.0.1:5056" });
  assert.deepEqual(JSON.parse(JSON.stringify(parseTable(files.texts.get(OWN)!, OWN).registry)), [
    {
      prefix: "docker.io",
      location: "docker.io",
      mirror: [{ location: "127.0.0.1:5055/docker.io", insecure: true }],
    },
    {
      prefix: "registry.lan:5000",
      location: "registry.lan:5000",
      insecure: true,
      mirror: [{ location: "127.0.0.1:5055/registry.lan:5000", insecure: true }],
    },
    { location: "127.0.0.1:5056", insecure: true },
  ]);
  const { routes, faults } = await look("podman", files);
  assert.deepEqual([routes.map(({ place }) => place), faults], [[0, 0], []]);
  assert.deepEqual(
    (await carryOut(planContainersImage, files, { push: "127.0.0.1:5056" })).changes,
    [],
  );
  await carryOut(planContainersImage, files, { isRemoval: true });
  assert.deepEqual(files.snapshot(), before);
});

Deno.test("setup podman repeats what was said of a registry, its mirrors behind ours", async () => {
  const files = new MemoryFiles({
    "/etc/containers/registries.conf": '[[registry]]\nlocation = "docker.io"\n' +
      'mirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "cache.lan/hub"\n',
    "/etc/containers/registries.conf.d/99-late.conf":
      '[[registry]]\nprefix = "registry.lan:5000"\nlocation = "other.lan"\n',
  });
  const { notes } = await carryOut(planContainersImage, files);
  const [hub] = parseTable(files.texts.get(OWN)!, OWN).registry as Record<string, unknown>[];
  assert.equal(hub!["mirror-by-digest-only"], true);
  assert.deepEqual((hub!.mirror as { location: string }[]).map(({ location }) => location), [
    "127.0.0.1:5055/docker.io",
    "cache.lan/hub",
  ]);
  assert.ok(notes.some((note) => note.includes("99-late.conf is read after")));
  const { routes } = await look("podman", files);
  assert.deepEqual(routes.map(({ place }) => place), [0, undefined]);
});

Deno.test("setup podman leaves a blocked registry blocked, and refuses files of the first format", async () => {
  const blocked = '[[registry]]\nprefix = "docker.io"\nblocked = true\n';
  const files = new MemoryFiles({ "/etc/containers/registries.conf": blocked });
  const { notes } = await carryOut(planContainersImage, files);
  assert.ok(notes.some((note) => note.includes("blocked")));
  assert.doesNotMatch(files.texts.get(OWN)!, /docker\.io/);
  const old = new MemoryFiles({
    "/etc/containers/registries.conf": '[registries.search]\nregistries = ["a"]\n',
  });
  await assert.rejects(carryOut(planContainersImage, old), /first format/);
});

Deno.test("setup podman --user writes into the home directory, whose own main file counts", async () => {
  const files = new MemoryFiles({
    "/etc/containers/registries.conf": '[[registry]]\nlocation = "docker.io"\nblocked = true\n',
    "/home/a/.config/containers/registries.conf": "",
  });
  await carryOut(planContainersImage, files, { home: "/home/a" });
  assert.match(files.texts.get(ownPath("/home/a"))!, /127\.0\.0\.1:5055\/docker\.io/);
});

Deno.test("setup docker puts the mirror first in daemon.json, keeps the rest, and takes it out again", async () => {
  const before = '{\n    "registry-mirrors": ["https://cache.lan"],\n    "debug": true\n}\n';
  const files = new MemoryFiles({ [DAEMON]: before });
  const plan = await carryOut(planDocker, files);
  assert.deepEqual(JSON.parse(files.texts.get(DAEMON)!), {
    "registry-mirrors": ["http://127.0.0.1:5055", "https://cache.lan"],
    debug: true,
  });
  assert.equal(plan.restart, "systemctl reload docker");
  assert.ok(plan.notes.some((note) => note.includes("Docker Hub alone")));
  assert.deepEqual((await look("docker", files)).routes.map(({ place }) => place), [0]);
  await carryOut(planDocker, files, { isRemoval: true });
  assert.deepEqual(JSON.parse(files.texts.get(DAEMON)!), JSON.parse(before));
  const bare = new MemoryFiles();
  await carryOut(planDocker, bare);
  await carryOut(planDocker, bare, { isRemoval: true });
  assert.deepEqual(bare.snapshot(), {});
});

Deno.test("setup docker with containerd's store writes hosts.toml for all but Docker Hub", async () => {
  const files = new MemoryFiles({ [DAEMON]: '{"features":{"containerd-snapshotter":true}}' });
  await carryOut(planDocker, files);
  assert.deepEqual(Object.keys(files.snapshot()).sort(), [
    "/etc/docker/certs.d/registry.lan:5000/hosts.toml",
    DAEMON,
  ]);
  assert.deepEqual((await look("docker", files)).routes.map(({ place }) => place), [0, 0]);
});

Deno.test("setup docker takes containerd's store for granted from 29 on, unless it is switched off", async () => {
  const version = { major: 29, minor: 1, text: "29.1.0" };
  const files = new MemoryFiles();
  await carryOut(planDocker, files, { version });
  assert.equal(files.texts.size, 2);
  const off = new MemoryFiles({ [DAEMON]: '{"features":{"containerd-snapshotter":false}}' });
  await carryOut(planDocker, off, { version });
  assert.equal(off.texts.size, 1);
});

Deno.test("setup docker refuses a daemon.json that is no JSON object", async () => {
  for (const text of ["{", "[]", "null"]) {
    const files = new MemoryFiles({ [DAEMON]: text });
    await assert.rejects(carryOut(planDocker, files), /not a JSON object/);
  }
});

Deno.test("HostFiles keeps what a file was until it is that again, and follows links", async () => {
  const root = await Deno.makeTempDir({ prefix: "seedmint-clients-" });
  try {
    const files = new HostFiles(root);
    await Deno.mkdir(`${root}/etc/docker`, { recursive: true });
    await Deno.writeTextFile(`${root}/real.json`, '{"debug":true}', { mode: 0o600 });
    await Deno.symlink(`${root}/real.json`, `${root}${DAEMON}`);
    const options = {
      files,
      mirror: "127.0.0.1:5055",
      registries: [{ registry: "docker.io", url: "https://registry-1.docker.io" }],
    };
    const plan = await planDocker({ ...options, isRemoval: false });
    const [change] = await files.apply(plan.changes, { isRemoval: false });
    assert.deepEqual(change, {
      path: `${root}/real.json`,
      action: "changed",
      backup: backupOf(`${root}${DAEMON}`),
    });
    assert.equal((await Deno.lstat(`${root}${DAEMON}`)).isSymlink, true);
    assert.equal((await Deno.stat(`${root}/real.json`)).mode! & 0o777, 0o600);
    const undone = await planDocker({ ...options, isRemoval: true });
    const [back] = await files.apply(undone.changes, { isRemoval: true });
    assert.equal(back!.backup, undefined);
    assert.equal(await Deno.readTextFile(`${root}/real.json`), '{"debug":true}');
    await assert.rejects(Deno.stat(backupOf(`${root}${DAEMON}`)), Deno.errors.NotFound);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

const probe = {
  registry: "docker.io",
  repository: "seedmint/probe",
  digest: `sha256:${"a".repeat(64)}`,
};

function programsDouble(
  code: number,
  installed: readonly string[],
): Programs & { lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    mayRun: true,
    find: (name) => Promise.resolve(installed.includes(name) ? `/usr/bin/${name}` : undefined),
    run: (path, args) => {
      lines.push([path, ...args].join(" "));
      const out = args.includes("--version") ? "podman version 4.3.1" : "";
      return Promise.resolve({ code, out, err: "first line\nmanifest unknown\n" });
    },
  };
}

Deno.test("a client proves the mirror by pulling what only this node has, and drops it again", async () => {
  const signal = new AbortController().signal;
  const options = { files: new MemoryFiles(), probe, signal, scratch: "/tmp/x" };
  const programs = programsDouble(0, ["podman", "ctr", "containerd"]);
  assert.equal((await detect("podman", programs, signal))?.version?.text, "4.3.1");
  assert.equal(await detect("docker", programs, signal), undefined);
  const [proof] = await proveByClient("podman", { ...options, programs });
  assert.deepEqual([proof?.by, proof?.isProven], ["client", true]);
  assert.deepEqual(programs.lines.slice(1), [
    `/usr/bin/podman pull --quiet docker.io/seedmint/probe@${probe.digest}`,
    `/usr/bin/podman rmi docker.io/seedmint/probe@${probe.digest}`,
  ]);
  const failing = programsDouble(125, ["ctr"]);
  const [failed] = await proveByClient("containerd", { ...options, programs: failing });
  assert.equal(failed?.isProven, false);
  assert.match(failed!.text, /ctr could not pull .*: manifest unknown$/);
  assert.match(failing.lines[0]!, /images pull --hosts-dir \/etc\/containerd\/certs\.d docker\.io/);
  assert.deepEqual(await proveByClient("skopeo", { ...options, programs }), []);
  const both = await proveByClient("containerd", {
    ...options,
    programs: programsDouble(0, ["ctr", "crictl"]),
  });
  assert.deepEqual(both.map(({ text }) => text.split(" ")[0]), ["crictl", "ctr"]);
});
