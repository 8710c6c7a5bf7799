/** Two providers on one engine: a daemon of ours that answers as docker, podman, LXD and Incus list and look. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DockerBackend } from "../../../../provisioning/backends/docker/mod.ts";
import { containerBody } from "../../../../provisioning/backends/docker/docker_engine.ts";
import {
  containerName,
  type ContainerOrder,
  type EngineBackend,
  providerTag,
} from "../../../../provisioning/backends/engine/mod.ts";
import { LxdBackend } from "../../../../provisioning/backends/lxd/mod.ts";
import { instanceBody } from "../../../../provisioning/backends/lxd/instance.ts";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";

const ORDER: ContainerOrder = {
  leaseId: "container-1000",
  owner: "ab".repeat(32),
  expiresMs: 123,
  hostPort: 30_000,
  args: ["/server"],
  env: [],
  resources: { cpuMillicores: 100, memoryMb: 64, diskMb: 64 },
  openFilesMax: 1000,
  nameServers: [],
  idBase: 200_000,
  rootfs: "/state/rootfs",
  mounts: [],
};

const json = (value: unknown, status = 200) => Response.json(value, { status });
const lxd = (metadata: unknown) => json({ type: "sync", status_code: 200, metadata });

/** What a daemon has: a container of one provider, listed to all who ask. */
function answer(url: URL, tag: string): Response {
  const name = containerName(tag, ORDER.leaseId);
  const { Labels } = containerBody(ORDER, tag);
  const place = { fingerprint: "00", pool: "pool", engine: "lxd", tag } as const;
  const { config } = instanceBody(ORDER, place);
  switch (url.pathname) {
    case "/containers/json":
      return json([{ Labels, State: "running" }]);
    case `/containers/${name}/json`:
      return json({ State: { Status: "running", Pid: 7 } });
    case "/1.0/instances":
      return lxd([{ name, status: "Running", config }]);
    case `/1.0/instances/${name}/state`:
      return lxd({ status: "Running", pid: 7 });
  }
  const isLxd = url.pathname.startsWith("/1.0/");
  return json(isLxd ? { type: "error", error: "not found", error_code: 404 } : {}, 404);
}

for (const engine of ["docker", "podman", "lxd", "incus"] as const) {
  Deno.test(`two providers on one ${engine} do not see each other's containers`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "two-providers-" });
    const [stateDir, otherDir] = [join(folder, "one"), join(folder, "other")];
    const socketPath = join(folder, "engine.sock");
    const server = Deno.serve(
      { transport: "unix", path: socketPath, onListen: () => {} } as Deno.ServeUnixOptions,
      (request) => answer(new URL(request.url), providerTag(stateDir)),
    );
    const open = async (dir: string): Promise<EngineBackend> => {
      const host = { stateDir: dir, publicHost: "127.0.0.1" };
      const common = { ...host, socketPath, clock: systemClock, random: systemRandom };
      return engine === "docker" || engine === "podman"
        ? await DockerBackend.attach({ ...common, engine })
        : await LxdBackend.attach({ ...common, engine });
    };
    try {
      await using one = await open(stateDir);
      await using other = await open(otherDir);
      const { leaseId, owner, expiresMs } = ORDER;
      assert.deepEqual(await one.list(), [{ leaseId, owner, expiresMs, state: "running" }]);
      assert.equal(await one.state(leaseId), "running");
      assert.deepEqual(await other.list(), []);
      assert.equal(await other.state(leaseId), "absent");
    } finally {
      await server.shutdown();
      await Deno.remove(folder, { recursive: true });
    }
  });
}
