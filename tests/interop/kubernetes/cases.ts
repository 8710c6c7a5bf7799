/** The cases, inside a lab that `run.ts` made. */
import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { runWatchdog } from "../../../provisioning/backends/host/mod.ts";
import {
  CLUSTER_RIGHTS,
  KubernetesBackend,
  type KubernetesOptions,
  RegistryImages,
} from "../../../provisioning/backends/kubernetes/mod.ts";
import type { ExecResult, InstanceSpec } from "../../../provisioning/ports.ts";
import { awaitBanner, readHostKey } from "../../../provisioning/ssh/mod.ts";
import { type BackendUnderTest, makeSpec, testBackend } from "../../conformance/backend.ts";
import { busyboxImage } from "../../support/provisioning/busybox_image.ts";
import { commandOutput } from "../registry/lab.ts";
import { Cluster, LENDER, NODE_ADDRESS, REGISTRY } from "./cluster.ts";

const [directory, folder, group] = Deno.args as [string, string, string];
const signal = new AbortController().signal;
const image = await busyboxImage({
  entrypoint: ["/bin/sh", "-c"],
  cmd: ["echo ready; sleep 3600"],
});
const images = new RegistryImages({ url: `http://${REGISTRY}`, pullFrom: REGISTRY });
const cluster = new Cluster(directory, { bin: `${folder}/bin`, group });

const startedMs = performance.now();
await cluster.startPlane();
const sandbox = await busyboxImage({ entrypoint: ["/bin/busybox", "sleep", "2147483647"] });
await images.publish(sandbox, { signal });
await cluster.startNode(images.referenceOf(sandbox));
await allow();
console.log(`the cluster stands after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
globalThis.addEventListener("unload", () => void cluster[Symbol.asyncDispose]());

async function open(options: Partial<KubernetesOptions> = {}): Promise<KubernetesBackend> {
  return await KubernetesBackend.open({
    kubeconfig: await cluster.kubeconfig(LENDER),
    stateDir: `${directory}/provider`,
    publicHost: NODE_ADDRESS,
    clock: systemClock,
    random: systemRandom,
    images,
    ...options,
  });
}

const world: BackendUnderTest = {
  backend: await open(),
  image,
  firstPort: 30_100,
  again: () => open(),
};
testBackend("KubernetesBackend", () => Promise.resolve(world), { hasDiskQuota: false });

/** A role of exactly what the backend says that it needs, and the nodes' figures. */
async function allow(): Promise<void> {
  const roles = "/apis/rbac.authorization.k8s.io/v1";
  const rules = [...CLUSTER_RIGHTS, { verb: "get", resource: "nodes", subresource: "proxy" }]
    .map(({ verb, resource, ...more }) => ({
      apiGroups: ["group" in more ? more.group : ""],
      resources: ["subresource" in more ? `${resource}/${more.subresource}` : resource],
      verbs: [verb],
    }));
  await cluster.request("POST", `${roles}/clusterroles`, { metadata: { name: "lender" }, rules });
  await cluster.request("POST", `${roles}/clusterrolebindings`, {
    metadata: { name: "lender" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "lender" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: LENDER.name }],
  });
}

/** Runs a case on a lease of its own that runs. */
function leaseCase(
  name: string,
  run: (spec: InstanceSpec, inside: (script: string) => Promise<ExecResult>) => Promise<void>,
  more: Partial<InstanceSpec> = {},
): void {
  Deno.test({
    name: `a lease on the cluster ${name}`,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const spec = await makeSpec({ image, firstPort: 31_000 }, more);
      const { backend } = world;
      try {
        await backend.create(spec, { signal });
        await backend.start(spec.leaseId);
        await run(
          spec,
          (script) =>
            backend.exec(spec.leaseId, ["sh", "-c", script], { timeoutMs: 60_000, signal }),
        );
      } finally {
        await backend.destroy(spec.leaseId);
      }
    },
  });
}

async function until(isTrue: () => Promise<boolean>, msMax: number, what: string): Promise<void> {
  const endMs = performance.now() + msMax;
  while (!await isTrue()) {
    assert.ok(performance.now() < endMs, `${what}: not within ${msMax} ms`);
    await systemClock.sleep(100);
  }
}

leaseCase(
  "is shut in: capabilities, seccomp, no new privileges, cpu, processes",
  async (_, inside) => {
    const status = (await inside("cat /proc/self/status")).stdout;
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, NET_BIND_SERVICE, SYS_CHROOT.
    assert.match(status, /CapEff:\s+00000000000404fb/);
    assert.match(status, /CapBnd:\s+00000000000404fb/);
    assert.match(status, /NoNewPrivs:\s+1/);
    assert.match(status, /Seccomp:\s+2/);
    for (
      const deed of ["mount -t tmpfs x /mnt", "mknod /tmp/d b 7 0", "unshare -m true", "dmesg"]
    ) {
      assert.notEqual((await inside(`${deed} 2>&1`)).exitCode, 0, deed);
    }
    assert.equal((await inside("cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us")).stdout, "50000\n");
    assert.notEqual((await inside("ls /var/run/secrets/kubernetes.io")).exitCode, 0);
    await inside("i=0; while [ $i -lt 400 ]; do sleep 20 & i=$((i+1)); done; true");
    const count = Number((await inside("ls -d /proc/[0-9]* | wc -l")).stdout);
    assert.ok(count <= 256, `${count} processes`);
  },
);

leaseCase("lets its lessee in by key, as a user that the image does not have", async (spec) => {
  const keyFile = `${directory}/lessee`;
  await Deno.remove(keyFile).catch(() => {});
  await commandOutput("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", keyFile]);
  const backend = world.backend;
  const other = await makeSpec({ image, firstPort: 31_500 }, {
    ssh: {
      ...spec.ssh,
      hostPort: 31_900,
      user: "dev",
      authorizedKeys: [await Deno.readTextFile(`${keyFile}.pub`)],
    },
  });
  try {
    await backend.create(other, { signal });
    await backend.start(other.leaseId);
    await awaitBanner({ host: NODE_ADDRESS, port: 31_900 }, {
      clock: systemClock,
      withinMs: 30_000,
    });
    const said = await commandOutput("ssh", [
      ...["-i", keyFile, "-p", "31900", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"],
      ...["-o", `UserKnownHostsFile=${directory}/known`, `dev@${NODE_ADDRESS}`],
      "id -un; echo $LEASE_COLOUR",
    ]);
    assert.equal(said, "dev\ngreen");
    const known = await Deno.readTextFile(`${directory}/known`);
    assert.ok(known.includes((await readHostKey(spec.ssh.hostKey)).publicKey.split(" ")[1]!));
  } finally {
    await backend.destroy(other.leaseId);
  }
});

leaseCase("has a quota that refuses a second pod", async (spec) => {
  const path = `/api/v1/namespaces/seedmint-default-${spec.leaseId}`;
  const template = await cluster.request("GET", `${path}/podtemplates/lease`);
  await assert.rejects(
    cluster.request("POST", `${path}/pods`, {
      metadata: { name: "second" },
      spec: template.template.spec,
    }),
    /exceeded quota/,
  );
  const policy = await cluster.request(
    "GET",
    `/apis/networking.k8s.io/v1/namespaces/seedmint-default-${spec.leaseId}/networkpolicies/lease`,
  );
  assert.ok(policy.spec.egress[0].to[0].ipBlock.except.includes("169.254.0.0/16"));
});

leaseCase("is ended by the reaper at its time, also after an extension", async (spec) => {
  await using reaper = await open();
  const stopping = new AbortController();
  const ended: [string, number][] = [];
  const watching = runWatchdog({
    backend: reaper,
    clock: systemClock,
    pidFile: `${directory}/reaper.pid`,
    signal: stopping.signal,
    onEnd: (leaseId) => ended.push([leaseId, Date.now()]),
  });
  await world.backend.extend(spec.leaseId, Date.now() + 3_000);
  const end = Date.now() + 9_000;
  await world.backend.extend(spec.leaseId, end);
  const pod = `/api/v1/namespaces/seedmint-default-${spec.leaseId}/pods/lease`;
  const isGone = async () => {
    const object = await cluster.request("GET", pod).catch(() => undefined);
    return object === undefined || object.metadata.deletionTimestamp !== undefined;
  };
  await until(isGone, 20_000, "the pod is told to end");
  const lateMs = Date.now() - end;
  assert.ok(lateMs >= 0 && lateMs <= 5_000, `${lateMs} ms after its end`);
  await until(() => Promise.resolve(ended.length > 0), 60_000, "the reaper is done");
  assert.equal(await world.backend.state(spec.leaseId), "absent");
  stopping.abort();
  await watching;
});

leaseCase(
  "is ended by the cluster when it fills its disk, and can be started anew",
  async (spec) => {
    const { backend } = world;
    // The kubelet looks every ten seconds; what it finds too large it ends.
    await backend.exec(spec.leaseId, ["dd", "if=/dev/zero", "of=/fill", "bs=1M", "count=300"], {
      timeoutMs: 60_000,
      signal,
    }).catch(() => {});
    await until(
      async () => await backend.state(spec.leaseId) === "stopped",
      120_000,
      "it is evicted",
    );
    await backend.start(spec.leaseId);
    assert.equal(await backend.state(spec.leaseId), "running");
  },
);

leaseCase("is unknown, and never absent, while the API server is away", async (spec) => {
  const { backend } = world;
  await cluster.stop("api");
  assert.equal(await backend.state(spec.leaseId), "unknown");
  await assert.rejects(backend.list(), (error) => isSeedmintError(error, "unavailable"));
  assert.equal((await backend.probe()).ok, false);
  // It runs on, and is reached.
  await awaitBanner({ host: NODE_ADDRESS, port: spec.ssh.hostPort }, {
    clock: systemClock,
    withinMs: 10_000,
  });
  await cluster.startApi();
  await until(async () => await backend.state(spec.leaseId) === "running", 60_000, "it is found");
});

leaseCase("is ended by the cluster itself at the longest that any lease may last", async (spec) => {
  await using short = await open({ longestLeaseMs: 20_000, pool: "short" });
  const brief = { ...spec, ssh: { ...spec.ssh, hostPort: spec.ssh.hostPort + 500 } };
  await short.create(brief, { signal });
  await short.start(brief.leaseId);
  await until(async () => await short.state(brief.leaseId) !== "running", 90_000, "it ends");
  await short.destroy(brief.leaseId);
  // Of the same name in another pool: not touched.
  assert.equal(await world.backend.state(spec.leaseId), "running");
});
