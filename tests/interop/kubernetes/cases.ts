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
import { awaitBanner } from "../../../provisioning/ssh/mod.ts";
import { type BackendUnderTest, makeSpec, testBackend } from "../../conformance/backend.ts";
import { busyboxImage } from "../../support/provisioning/busybox_image.ts";
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
  isReal: true,
  again: () => open(),
  hasDiskQuota: false,
};
testBackend("KubernetesBackend", () => Promise.resolve(world));

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
