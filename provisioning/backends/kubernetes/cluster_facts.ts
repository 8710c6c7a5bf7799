/** What a cluster has, what it can do, and what we are allowed to do on it. */
import type { Resources } from "../../ports.ts";
import type { V1Node, V1Pod } from "./client_node.d.ts";
import type { ClusterApi, Right } from "./cluster_api.ts";
import { othersSelector } from "./labels.ts";
import { amountOf } from "./quantity.ts";

/** All that leases need to be allowed, on the cluster: a `ClusterRole` has to give it. */
export const CLUSTER_RIGHTS: readonly Right[] = [
  ...["create", "get", "list", "patch", "delete"].map((verb) => ({ verb, resource: "namespaces" })),
  ...["create", "get", "list", "delete"].map((verb) => ({ verb, resource: "pods" })),
  // Over a WebSocket it is a `get`; servers of late want `create`, too.
  ...["create", "get"].map((verb) => ({ verb, resource: "pods", subresource: "exec" })),
  { verb: "get", resource: "pods", subresource: "log" },
  ...["create", "get"].map((verb) => ({ verb, resource: "podtemplates" })),
  { verb: "create", resource: "secrets" },
  { verb: "create", resource: "resourcequotas" },
  { verb: "create", resource: "services" },
  { verb: "create", resource: "networkpolicies", group: "networking.k8s.io" },
  { verb: "list", resource: "nodes" },
];

/** The first version whose pods have user namespaces without being asked for by a switch. */
const USER_NAMESPACES_MINOR = 33;

/** Nodes that take leases now. */
export async function leaseNodes(
  api: ClusterApi,
  nodeSelector: Readonly<Record<string, string>>,
): Promise<readonly V1Node[]> {
  const selector = Object.entries(nodeSelector).map(([key, value]) => `${key}=${value}`).join(",");
  return (await api.nodes(selector)).filter((node) => {
    const isReady = node.status?.conditions?.some(({ type, status }) =>
      type === "Ready" && status === "True"
    );
    const isClosed = node.spec?.unschedulable === true ||
      node.spec?.taints?.some(({ effect }) => effect !== "PreferNoSchedule") === true;
    return isReady === true && !isClosed;
  });
}

/** Whether root of a lease can be a plain user of its node. */
export function haveUserNamespaces(nodes: readonly V1Node[], minor: number): boolean {
  return minor >= USER_NAMESPACES_MINOR && nodes.every((node) => {
    const text = node.status?.nodeInfo?.containerRuntimeVersion ?? "";
    const [, engine, major] = /^([a-z-]+):\/\/v?(\d+)\./.exec(text) ?? [];
    return engine === "cri-o" || (engine === "containerd" && Number(major) >= 2);
  });
}

/** What nodes can give to leases: all that they have, without what others of the cluster asked for. */
export async function clusterCapacity(
  api: ClusterApi,
  nodes: readonly V1Node[],
  pool: string,
): Promise<Resources> {
  const names = new Set(nodes.map((node) => node.metadata?.name));
  const others = (await api.pods(othersSelector(pool))).filter((pod) =>
    names.has(pod.spec?.nodeName) && !["Succeeded", "Failed"].includes(pod.status?.phase ?? "")
  );
  const left = (resource: string, unit: number) => {
    const all = nodes.reduce(
      (sum, node) => sum + amountOf(node.status?.allocatable?.[resource]),
      0,
    );
    const used = others.reduce((sum, pod) => sum + requestOf(pod, resource), 0);
    return Math.max(0, Math.floor((all - used) / unit));
  };
  return {
    cpuMillicores: left("cpu", 1e-3),
    memoryMb: left("memory", 1024 ** 2),
    diskMb: left("ephemeral-storage", 1024 ** 2),
  };
}

/** What a pod asks for: of its containers together, or of the largest that runs before them. */
function requestOf(pod: V1Pod, resource: string): number {
  const amounts = (containers: NonNullable<V1Pod["spec"]>["containers"] = []) =>
    containers.map(({ resources }) => amountOf(resources?.requests?.[resource]));
  const together = amounts(pod.spec?.containers).reduce((sum, amount) => sum + amount, 0);
  return Math.max(together, ...amounts(pod.spec?.initContainers));
}
