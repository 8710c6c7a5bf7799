/** The objects of one lease on a cluster: a namespace and all that is in it. Pure. */
import type { Random } from "../../../src/core/ports.ts";
import type { InstanceSpec } from "../../ports.ts";
import { dropbearKey, firstProcess } from "../../ssh/mod.ts";
import {
  BANDWIDTH_BYTES_PER_S,
  CAPABILITIES,
  imageCommand,
  LEASE_AT,
  SERVER_AT,
  SSH_PORT_INSIDE,
} from "../host/mod.ts";
import type {
  V1Container,
  V1Namespace,
  V1PodSpec,
  V1PodTemplate,
  V1ResourceQuota,
  V1Secret,
  V1SecurityContext,
  V1Service,
} from "./client_node.d.ts";
import { LEASE_LABEL, leaseLabels, namespaceOf, recordAnnotations } from "./labels.ts";
import { SERVER_DISK_MB, TERMINATION_GRACE_S } from "./limits.ts";

/** The name of each object in a lease's namespace, and of its container. */
export const NAME = "lease";
/** The user that puts our SSH server in its place. */
const NOBODY = 65_534;

/** How lessees get through to their pods. */
export type Exposure =
  /** A service on a port of every node: the range of the API server has to hold ours. */
  | "node-port"
  /** A port of the node that the pod runs on: for clusters of one node. */
  | "host-port";

/** What the objects are made of besides the instance's specification. */
export interface ObjectOptions {
  readonly pool: string;
  /** Where nodes get the lease's image, by digest. */
  readonly image: string;
  /** Where nodes get the image of our SSH server. */
  readonly serverImage: string;
  readonly exposure: Exposure;
  readonly architecture: string;
  readonly nameServers: readonly string[];
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly runtimeClass?: string | undefined;
  /** Whether the lease's root is a plain user of the node. */
  readonly hasUserNamespace: boolean;
  /** Of one lease, each way, where the network plugin knows limits. */
  readonly bandwidthBytesPerS?: number | undefined;
  /** The longest that a lease may ever run; it cannot be raised later. */
  readonly longestLeaseMs?: number | undefined;
  readonly random: Random;
}

/** The namespace; removing it removes the lease. */
export function namespaceObject(spec: InstanceSpec, options: ObjectOptions): V1Namespace {
  // Ports of the node are more than the baseline lets a namespace have.
  const level = options.exposure === "node-port" ? "baseline" : "privileged";
  return {
    metadata: {
      name: namespaceOf(options.pool, spec.leaseId),
      labels: {
        ...leaseLabels(options.pool, spec.leaseId),
        "pod-security.kubernetes.io/enforce": level,
      },
      annotations: recordAnnotations(spec, "making"),
    },
  };
}

/** What only the lease may read: its first process with its keys, and its environment. */
export function secretObject(spec: InstanceSpec, options: ObjectOptions): V1Secret {
  const script = firstProcess({
    serverAt: SERVER_AT,
    hostKeyAt: `${LEASE_AT}/host_key`,
    port: SSH_PORT_INSIDE,
    ssh: spec.ssh,
    command: imageCommand(spec.image.config),
    commandUser: spec.image.config.user ?? "",
    random: options.random,
  });
  const encoder = new TextEncoder();
  const data: Record<string, string> = {
    first_process: encoder.encode(script).toBase64(),
    host_key: dropbearKey(spec.ssh.hostKey).toBase64(),
  };
  for (const [index, [, value]] of Object.entries(spec.env).entries()) {
    data[`env-${index}`] = encoder.encode(value).toBase64();
  }
  return { metadata: { name: NAME }, immutable: true, type: "Opaque", data };
}

/** Nothing but this one pod, and no more than was paid for, whoever gets at the namespace. */
export function quotaObject(spec: InstanceSpec, options: ObjectOptions): V1ResourceQuota {
  const { cpuMillicores, memoryMb, diskMb } = spec.resources;
  const portCount = options.exposure === "node-port" ? spec.ports.length + 1 : 0;
  return {
    metadata: { name: NAME },
    spec: {
      hard: {
        pods: "1",
        "limits.cpu": `${cpuMillicores}m`,
        "limits.memory": `${memoryMb}Mi`,
        "limits.ephemeral-storage": `${diskMb + SERVER_DISK_MB}Mi`,
        "services.nodeports": `${portCount}`,
        "services.loadbalancers": "0",
        persistentvolumeclaims: "0",
      },
    },
  };
}

/** What publishes the lease's ports; undefined if the pod itself does. */
export function serviceObject(spec: InstanceSpec, options: ObjectOptions): V1Service | undefined {
  if (options.exposure !== "node-port") return undefined;
  return {
    metadata: { name: NAME },
    spec: {
      type: "NodePort",
      selector: { [LEASE_LABEL]: spec.leaseId },
      ports: [
        { name: "ssh", protocol: "TCP", port: SSH_PORT_INSIDE, nodePort: spec.ssh.hostPort },
        ...spec.ports.map(({ protocol, containerPort, hostPort }, index) => ({
          name: `port-${index}`,
          protocol: protocol.toUpperCase(),
          port: containerPort,
          nodePort: hostPort,
        })),
      ],
    },
  };
}

/** The pod as it is made at each start. */
export function templateObject(spec: InstanceSpec, options: ObjectOptions): V1PodTemplate {
  const rate = `${Math.ceil((options.bandwidthBytesPerS ?? BANDWIDTH_BYTES_PER_S) * 8 / 1e6)}M`;
  return {
    metadata: { name: NAME },
    template: {
      metadata: {
        labels: leaseLabels(options.pool, spec.leaseId),
        annotations: {
          "kubernetes.io/ingress-bandwidth": rate,
          "kubernetes.io/egress-bandwidth": rate,
        },
      },
      spec: podSpec(spec, options),
    },
  };
}

function podSpec(spec: InstanceSpec, options: ObjectOptions): V1PodSpec {
  const { runtimeClass, longestLeaseMs } = options;
  return {
    // What ends is looked at, and started anew by the provider: never silently.
    restartPolicy: "Never",
    terminationGracePeriodSeconds: TERMINATION_GRACE_S,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    hostname: spec.leaseId,
    dnsPolicy: "None",
    dnsConfig: { nameservers: [...options.nameServers] },
    nodeSelector: { "kubernetes.io/arch": options.architecture, ...options.nodeSelector },
    securityContext: { seccompProfile: { type: "RuntimeDefault" } },
    ...(options.hasUserNamespace ? { hostUsers: false } : {}),
    ...(runtimeClass === undefined ? {} : { runtimeClassName: runtimeClass }),
    ...(longestLeaseMs === undefined
      ? {}
      : { activeDeadlineSeconds: Math.ceil(longestLeaseMs / 1000) }),
    initContainers: [serverContainer(spec, options)],
    containers: [leaseContainer(spec, options)],
    volumes: [
      { name: "server", emptyDir: { sizeLimit: `${SERVER_DISK_MB}Mi` } },
      {
        name: "lease",
        secret: {
          secretName: NAME,
          defaultMode: 0o400,
          items: ["first_process", "host_key"].map((key) => ({ key, path: key })),
        },
      },
    ],
  };
}

/** Copies our SSH server where the lease's container finds it. */
function serverContainer(spec: InstanceSpec, options: ObjectOptions): V1Container {
  return {
    name: "server",
    image: options.serverImage,
    imagePullPolicy: "IfNotPresent",
    command: ["/server/busybox", "cp", "-R", "/server/.", "/out/"],
    resources: resourcesOf(spec),
    securityContext: {
      ...contained(),
      runAsNonRoot: true,
      runAsUser: NOBODY,
      runAsGroup: NOBODY,
      readOnlyRootFilesystem: true,
    },
    volumeMounts: [{ name: "server", mountPath: "/out" }],
  };
}

function leaseContainer(spec: InstanceSpec, options: ObjectOptions): V1Container {
  const ports = [
    { containerPort: SSH_PORT_INSIDE, hostPort: spec.ssh.hostPort, protocol: "tcp" },
    ...spec.ports,
  ];
  return {
    name: NAME,
    image: options.image,
    imagePullPolicy: "IfNotPresent",
    command: [`${SERVER_AT}/busybox`, "sh", `${LEASE_AT}/first_process`],
    env: [
      ...(spec.image.config.env.some((line) => line.startsWith("HOME="))
        ? []
        : [{ name: "HOME", value: "/root" }]),
      ...Object.keys(spec.env).map((name, index) => ({
        name,
        valueFrom: { secretKeyRef: { name: NAME, key: `env-${index}` } },
      })),
    ],
    ports: ports.map(({ containerPort, hostPort, protocol }) => ({
      containerPort,
      protocol: protocol.toUpperCase(),
      ...(options.exposure === "host-port" ? { hostPort } : {}),
    })),
    resources: resourcesOf(spec),
    securityContext: {
      ...contained(),
      // The SSH server becomes whoever logs in.
      runAsUser: 0,
      runAsGroup: 0,
      // All of them are in the baseline of the Pod Security Standards.
      capabilities: { drop: ["ALL"], add: CAPABILITIES.map((name) => name.slice("CAP_".length)) },
    },
    volumeMounts: [
      { name: "server", mountPath: SERVER_AT, readOnly: true },
      { name: "lease", mountPath: LEASE_AT, readOnly: true },
    ],
  };
}

function contained(): V1SecurityContext {
  return {
    allowPrivilegeEscalation: false,
    privileged: false,
    capabilities: { drop: ["ALL"] },
    seccompProfile: { type: "RuntimeDefault" },
  };
}

/** What is asked for is what may be used, so that no lease lives off another's share. */
function resourcesOf(spec: InstanceSpec): NonNullable<V1Container["resources"]> {
  const { cpuMillicores, memoryMb, diskMb } = spec.resources;
  const amounts = {
    cpu: `${cpuMillicores}m`,
    memory: `${memoryMb}Mi`,
    "ephemeral-storage": `${diskMb + SERVER_DISK_MB}Mi`,
  };
  return { requests: amounts, limits: amounts };
}
