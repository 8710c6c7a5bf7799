import assert from "node:assert/strict";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import { groupPlaces } from "../../../../provisioning/backends/engine/cgroups.ts";
import {
  confinementProblem,
  endByForce,
  OutputLimit,
  UnixHttp,
} from "../../../../provisioning/backends/engine/mod.ts";
import { placesOf } from "../../../../provisioning/backends/engine/root.ts";

Deno.test("groupPlaces() finds groups of version 1, also where a mount shows a part of them", () => {
  const groups = "7:cpu,cpuacct:/docker/x\n4:memory:/part/docker/x\n0::/docker/x\n";
  const mounts = [
    "30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct",
    "31 25 0:27 /part /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
    "32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
  ].join("\n");
  assert.deepEqual(
    [...groupPlaces(groups, mounts)].sort(),
    [
      ["", "/sys/fs/cgroup/unified/docker/x"],
      ["cpu", "/sys/fs/cgroup/cpu,cpuacct/docker/x"],
      ["cpuacct", "/sys/fs/cgroup/cpu,cpuacct/docker/x"],
      ["memory", "/sys/fs/cgroup/memory/docker/x"],
    ],
  );
  assert.equal(groupPlaces("4:memory:/other\n", mounts).has("memory"), false);
});

Deno.test("placesOf() finds where else a root is shown, and nothing of another", () => {
  const mounts = [
    "50 25 0:60 / /state/a/rootfs rw - overlay seedmint rw",
    "51 25 0:61 / /state/b/rootfs rw - overlay seedmint rw",
    "52 25 0:60 / /pool/with\\040blank/rootfs rw - overlay seedmint rw",
    "53 25 0:60 / /pool/with\\040blank/rootfs rw - overlay seedmint rw",
  ].join("\n");
  const place = "/pool/with blank/rootfs";
  assert.deepEqual(placesOf("/state/a/rootfs", mounts), [place, place]);
  assert.deepEqual(placesOf("/state/b/rootfs", mounts), []);
  assert.deepEqual(placesOf("/state/c/rootfs", mounts), []);
});

Deno.test({
  name: "confinementProblem() finds a process that shares everything with its host",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const ordered = { resources: { cpuMillicores: 1, memoryMb: 1, diskMb: 1 }, idBase: 1000 };
    assert.match(await confinementProblem(Deno.pid, ordered) ?? "", /shares the host's user/);
  },
});

Deno.test({
  name: "endByForce() leaves a process alone that is not of the container",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await endByForce(Deno.pid, 2 ** 30);
    await endByForce(NaN, Deno.pid);
    await endByForce(1, Deno.pid);
  },
});

Deno.test("OutputLimit keeps the beginning, and says that it was cut", () => {
  const output = new OutputLimit(5);
  const bytes = (text: string) => new TextEncoder().encode(text);
  output.add(bytes("abc"));
  assert.equal(output.isTruncated, false);
  output.add(bytes("defg"));
  output.add(bytes("h"));
  assert.deepEqual([output.text(), output.isTruncated], ["abcde", true]);
});

Deno.test("UnixHttp says who refused what, and with which words", async () => {
  const path = `${await Deno.makeTempDir()}/socket`;
  const answers: Readonly<Record<string, readonly [number, string]>> = {
    "/good": [200, '{"a":1}'],
    "/gone": [404, '{"message":"No such container: x"}'],
    "/taken": [409, '{"cause":"in use","message":"\\u001b[31mname"}'],
    "/full": [500, '{"error":"write: no space left on device"}'],
    "/odd": [500, "no json"],
  };
  await using server = Deno.serve({ path, onListen: () => {} }, (request) => {
    const [status, body] = answers[new URL(request.url).pathname] ?? [204, null];
    return new Response(body, { status });
  });
  using http = new UnixHttp("docker", path);
  assert.deepEqual(await http.must("GET", "/good"), { a: 1 });
  assert.equal(await http.must("GET", "/nothing"), null);
  const expected = {
    "/gone": ["not-found", /No such container/],
    "/taken": ["conflict", /in use: +\[31mname/],
    "/full": ["no-space", /no space/],
    "/odd": ["unavailable", /no json/],
  } as const;
  for (const [where, [code, words]] of Object.entries(expected)) {
    await assert.rejects(
      http.must("GET", `${where}?secret=1`),
      (error: Error) =>
        isSeedmintError(error, code) && words.test(error.message) &&
        !/secret/.test(error.message),
    );
  }
  await server.shutdown();
  await assert.rejects(http.must("GET", "/good"), (error) => isSeedmintError(error, "unavailable"));
});

Deno.test("UnixHttp does not wait for an engine that does not answer", async () => {
  const path = `${await Deno.makeTempDir()}/socket`;
  const release = Promise.withResolvers<Response>();
  await using _server = Deno.serve({ path, onListen: () => {} }, () => release.promise);
  using http = new UnixHttp("lxd", path);
  await assert.rejects(
    http.must("GET", "/slow", { timeoutMs: 50 }),
    (error) => isSeedmintError(error, "timeout"),
  );
  release.resolve(new Response("{}"));
});
