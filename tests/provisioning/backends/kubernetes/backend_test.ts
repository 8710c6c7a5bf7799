/** The backend of Kubernetes through the official client against a server of ours, see fake_api.ts. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import type { Clock } from "../../../../src/core/ports.ts";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import {
  KubernetesBackend,
  type KubernetesOptions,
  MirroredImages,
} from "../../../../provisioning/backends/kubernetes/mod.ts";
import { makeSpec, testBackend } from "../../../conformance/backend.ts";
import { imageOf } from "../../../support/provisioning/tar.ts";
import { FakeApi } from "./fake_api.ts";

const signal = new AbortController().signal;
const image = imageOf([], { entrypoint: ["/bin/serve"] });
/** Waits a twentieth of the time; what ends calls stays as it is, for machines that are busy. */
const clock: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() * 20,
  sleep: (ms, options) => systemClock.sleep(ms / 20, options),
};
/** Gives calls up soon. */
const impatient: Clock = { ...clock, timer: (ms, end) => systemClock.timer(ms / 60, end) };

interface World extends AsyncDisposable {
  readonly api: FakeApi;
  readonly backend: KubernetesBackend;
  readonly open: (more?: Partial<KubernetesOptions>) => Promise<KubernetesBackend>;
}

async function makeWorld(): Promise<World> {
  const api = await FakeApi.start();
  const stateDir = await Deno.makeTempDir();
  const kubeconfig = `${stateDir}/config`;
  await Deno.writeTextFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: "a", cluster: { server: api.url, "insecure-skip-tls-verify": true } }],
      users: [{ name: "a", user: { token: "secret-of-the-account" } }],
      contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
      "current-context": "a",
    }),
  );
  const open = (more: Partial<KubernetesOptions> = {}) =>
    KubernetesBackend.open({
      ...{ kubeconfig, stateDir, publicHost: "127.0.0.1", clock, random: systemRandom },
      ...{ images: new MirroredImages(), serverImage: "example.test/ssh@sha256:00", ...more },
    });
  const backend = await open();
  return {
    ...{ api, backend, open },
    [Symbol.asyncDispose]: async () => {
      await api[Symbol.asyncDispose]();
      await Deno.remove(stateDir, { recursive: true });
    },
  };
}

/** The client keeps connections open. */
function test(name: string, run: (world: World) => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using world = await makeWorld();
      await run(world);
    },
  });
}

const shared = makeWorld();
testBackend("KubernetesBackend on a server of ours", async () => {
  const { backend, open } = await shared;
  return { backend, image, firstPort: 30_000, again: () => open() };
}, { isReal: false });
globalThis.addEventListener("unload", () => void shared.then((it) => it[Symbol.asyncDispose]()));

const specOf = () => makeSpec({ image, firstPort: 31_000 });

test("state() is unknown, never absent, while the API server fails", async (world) => {
  const { api, backend } = world;
  const spec = await specOf();
  await backend.create(spec, { signal });
  for (const status of [401, 403, 429, 500, 503]) {
    api.fault = () => status;
    assert.equal(await backend.state(spec.leaseId), "unknown", `at ${status}`);
    await assert.rejects(backend.list());
  }
  api.fault = () => "never";
  await using hasty = await world.open({ clock: impatient });
  assert.equal(await hasty.state(spec.leaseId), "unknown");
  assert.equal((await hasty.probe()).ok, false);
  // Of a pod alone, too: its namespace is there.
  api.fault = (_, path) => path.endsWith("/pods/lease") ? 500 : undefined;
  assert.equal(await backend.state(spec.leaseId), "unknown");
  await api[Symbol.asyncDispose]();
  assert.equal(await backend.state(spec.leaseId), "unknown");
});

test("state() is unknown for a pod whose node is silent", async ({ api, backend }) => {
  const spec = await specOf();
  await backend.create(spec, { signal });
  await backend.start(spec.leaseId);
  const path = `/api/v1/namespaces/seedmint-default-${spec.leaseId}/pods/lease`;
  api.objects.get(path)!.metadata.deletionTimestamp = new Date().toISOString();
  assert.equal(await backend.state(spec.leaseId), "unknown");
  assert.deepEqual((await backend.list()).map(({ state }) => state), ["unknown"]);
});

test("destroyExpired() spares a lease that was extended meanwhile", async (world) => {
  const { api, backend } = world;
  const spec = { ...await specOf(), expiresMs: Date.now() - 10_000 };
  await backend.create(spec, { signal });
  await using other = await world.open();
  assert.equal(await backend.destroyExpired(spec.leaseId, 60_000), false);
  // Between the look and the deed.
  let isExtended = false;
  api.fault = (method, path) => {
    if (method !== "PATCH" || isExtended) return undefined;
    isExtended = true;
    const namespace = api.objects.get(path)!;
    namespace.metadata.annotations["seedmint.org/expires-ms"] = String(Date.now() + 60_000);
    api.put(path, namespace);
    return undefined;
  };
  assert.equal(await backend.destroyExpired(spec.leaseId, 0), false);
  assert.equal(await other.state(spec.leaseId), "stopped");
  await other.extend(spec.leaseId, Date.now() - 1);
  assert.equal(await backend.destroyExpired(spec.leaseId, 0), true);
  assert.equal(await other.state(spec.leaseId), "absent");
});

test("a namespace of others is never touched", async ({ api, backend }) => {
  const spec = await specOf();
  const path = `/api/v1/namespaces/seedmint-default-${spec.leaseId}`;
  api.put(path, { metadata: { name: path.split("/").at(-1), labels: {} } });
  for (
    const work of [
      () => backend.create(spec, { signal }),
      () => backend.destroy(spec.leaseId),
      () => backend.start(spec.leaseId),
    ]
  ) await assert.rejects(work, (error) => isSeedmintError(error, "conflict"));
  assert.ok(api.objects.has(path));
  assert.deepEqual(await backend.list(), []);
  assert.equal(await backend.state(spec.leaseId), "unknown");
});

test("create() makes a lease anew that a crash left half made", async ({ api, backend }) => {
  const spec = await specOf();
  for (const kind of ["networkpolicies", "secrets", "podtemplates", "services"]) {
    // As if we had died there: what would be cleaned up stays.
    api.fault = (method, path) =>
      path.endsWith(`/${kind}`) || method === "DELETE" ? 500 : undefined;
    await assert.rejects(backend.create(spec, { signal }));
    api.fault = () => undefined;
    assert.equal((await backend.list()).length, 1, "what is half made is listed");
    await assert.rejects(
      backend.start(spec.leaseId),
      (error) => isSeedmintError(error, "not-found"),
    );
  }
  await backend.create(spec, { signal });
  await backend.start(spec.leaseId);
  assert.equal(await backend.state(spec.leaseId), "running");
});

test("start() says why a pod does not run", async ({ api, backend }) => {
  const waiting = (reason: string) => ({
    phase: "Pending",
    containerStatuses: [{ name: "lease", state: { waiting: { reason, message: "because" } } }],
  });
  const unschedulable = { type: "PodScheduled", status: "False", reason: "Unschedulable" };
  for (
    const [status, code] of [
      [{ phase: "Pending", conditions: [unschedulable] }, "no-space"],
      [waiting("InvalidImageName"), "invalid"],
      [waiting("ImagePullBackOff"), "unavailable"],
      [{ phase: "Failed", reason: "Evicted", message: "disk" }, "unavailable"],
    ] as const
  ) {
    const spec = await specOf();
    api.podStatus = status;
    await backend.create(spec, { signal });
    await assert.rejects(backend.start(spec.leaseId), (error) => isSeedmintError(error, code));
    await backend.destroy(spec.leaseId);
  }
});

test("start() makes a pod anew that ended", async ({ api, backend }) => {
  const spec = await specOf();
  await backend.create(spec, { signal });
  await backend.start(spec.leaseId);
  const path = `/api/v1/namespaces/seedmint-default-${spec.leaseId}/pods/lease`;
  api.objects.get(path)!.status = { phase: "Failed", reason: "Evicted" };
  assert.equal(await backend.state(spec.leaseId), "stopped");
  await backend.start(spec.leaseId);
  assert.equal(await backend.state(spec.leaseId), "running");
});

test("exec() tells codes and outputs, and ends by itself", async ({ api, backend }) => {
  const spec = await specOf();
  await backend.create(spec, { signal });
  await assert.rejects(
    backend.exec(spec.leaseId, ["true"], { timeoutMs: 1000, signal }),
    (error) => isSeedmintError(error, "conflict"),
  );
  await backend.start(spec.leaseId);
  let asked: string[] = [];
  api.exec = (command) => {
    asked = command;
    return { code: 9, stdout: "o".repeat(100_000), stderr: "e" };
  };
  const options = { timeoutMs: 20_000, signal };
  const result = await backend.exec(spec.leaseId, ["ls", "-l"], options);
  assert.deepEqual(asked.slice(-3), ["20", "ls", "-l"]);
  assert.equal(result.exitCode, 9);
  assert.equal(result.stderr, "e");
  assert.equal(result.isTruncated, true);
  assert.equal(result.stdout.length, 65_536);
  api.exec = () => "silent";
  await assert.rejects(
    backend.exec(spec.leaseId, ["ls"], { timeoutMs: 200, signal }),
    (error) => isSeedmintError(error, "timeout"),
  );
  api.exec = () => "cut";
  await assert.rejects(
    backend.exec(spec.leaseId, ["ls"], options),
    (error) => isSeedmintError(error, "unavailable"),
  );
  const cancelled = AbortSignal.abort();
  await assert.rejects(
    backend.exec(spec.leaseId, ["ls"], { timeoutMs: 1000, signal: cancelled }),
    (error) => isSeedmintError(error, "aborted"),
  );
  api.exec = () => ({ code: 0 });
  await backend.pause(spec.leaseId);
  await assert.rejects(
    backend.exec(spec.leaseId, ["ls"], options),
    (error) => isSeedmintError(error, "conflict"),
  );
});

test("list() reads all pages, and leases of its own pool only", async (world) => {
  const { api, backend } = world;
  for (let index = 0; index < 600; index++) {
    const leaseId = `container-${index}`;
    const labels = {
      "app.kubernetes.io/managed-by": "seedmint",
      "seedmint.org/pool": index % 2 === 0 ? "default" : "other",
      "seedmint.org/lease": leaseId,
    };
    const annotations = {
      "seedmint.org/owner": "ab".repeat(32),
      "seedmint.org/expires-ms": index === 0 ? "soon" : "5",
    };
    api.put(`/api/v1/namespaces/n${index}`, {
      metadata: { name: `n${index}`, labels, annotations },
    });
  }
  const listed = await backend.list();
  assert.equal(listed.length, 300);
  assert.deepEqual(listed.find(({ leaseId }) => leaseId === "container-0"), {
    ...{ leaseId: "container-0", owner: "", expiresMs: 0, state: "unknown" },
  });
  await using other = await world.open({ pool: "other" });
  assert.equal((await other.list()).length, 300);
});

test("errors hold no credential", async ({ api, backend }) => {
  api.fault = () => 500;
  await assert.rejects(backend.list(), (error) => {
    assert.ok(!inspect(error, { depth: 20 }).includes("secret-of-the-account"));
    return true;
  });
});

test("capacity() is what nodes have without what others asked for", async ({ api, backend }) => {
  const container = { resources: { requests: { cpu: "250m", memory: "1Gi" } } };
  api.put("/api/v1/namespaces/kube-system/pods/dns", {
    metadata: { name: "dns" },
    spec: { nodeName: "one", containers: [container, container] },
    status: { phase: "Running" },
  });
  const taints = [{ effect: "NoSchedule" }];
  const node = api.objects.get("/api/v1/nodes/one")!;
  api.put("/api/v1/nodes/two", { ...structuredClone(node), spec: { taints } });
  assert.deepEqual(await backend.capacity(), {
    ...{ cpuMillicores: 3500, memoryMb: 6144, diskMb: 51_200 },
  });
});
