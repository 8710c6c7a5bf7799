/**
 * The part of `@kubernetes/client-node` 2.0.1 that is used. Its own declarations are read with those of Node
 * that it brings along, which then hold for the whole program and are not Deno's; and checking a million
 * lines takes longer than all of ours.
 */
import type { Writable } from "node:stream";

export interface V1ObjectMeta {
  name?: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  resourceVersion?: string;
  deletionTimestamp?: Date;
}
export interface V1Namespace {
  metadata?: V1ObjectMeta;
  status?: { phase?: string };
}
export interface V1Node {
  metadata?: V1ObjectMeta;
  spec?: { unschedulable?: boolean; taints?: { effect: string }[] };
  status?: {
    allocatable?: Record<string, string>;
    conditions?: { type: string; status: string }[];
    nodeInfo?: { containerRuntimeVersion: string };
  };
}
export interface V1SecurityContext {
  allowPrivilegeEscalation?: boolean;
  privileged?: boolean;
  readOnlyRootFilesystem?: boolean;
  runAsNonRoot?: boolean;
  runAsUser?: number;
  runAsGroup?: number;
  capabilities?: { drop?: string[]; add?: string[] };
  seccompProfile?: { type: string };
}
export interface V1Container {
  name: string;
  image?: string;
  imagePullPolicy?: string;
  command?: string[];
  env?: {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef: { name: string; key: string } };
  }[];
  ports?: { containerPort: number; hostPort?: number; protocol: string }[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: V1SecurityContext;
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
}
export interface V1PodSpec {
  containers: V1Container[];
  initContainers?: V1Container[];
  nodeName?: string;
  restartPolicy?: string;
  terminationGracePeriodSeconds?: number;
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  hostname?: string;
  dnsPolicy?: string;
  dnsConfig?: { nameservers: string[] };
  nodeSelector?: Record<string, string>;
  securityContext?: { seccompProfile: { type: string } };
  hostUsers?: boolean;
  runtimeClassName?: string;
  activeDeadlineSeconds?: number;
  volumes?: {
    name: string;
    emptyDir?: { sizeLimit: string };
    secret?: { secretName: string; defaultMode: number; items: { key: string; path: string }[] };
  }[];
}
export interface V1ContainerStatus {
  name: string;
  state?: {
    running?: unknown;
    waiting?: { reason?: string; message?: string };
    terminated?: { exitCode?: number; reason?: string };
  };
}
export interface V1Pod {
  metadata?: V1ObjectMeta;
  spec?: V1PodSpec;
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
    initContainerStatuses?: V1ContainerStatus[];
    containerStatuses?: V1ContainerStatus[];
  };
}
export interface V1PodTemplate {
  metadata?: V1ObjectMeta;
  template?: { metadata?: V1ObjectMeta; spec?: V1PodSpec };
}
export interface V1Secret {
  metadata?: V1ObjectMeta;
  immutable?: boolean;
  type?: string;
  data?: Record<string, string>;
}
export interface V1ResourceQuota {
  metadata?: V1ObjectMeta;
  spec?: { hard: Record<string, string> };
}
export interface V1Service {
  metadata?: V1ObjectMeta;
  spec?: {
    type: string;
    selector: Record<string, string>;
    ports: { name: string; protocol: string; port: number; nodePort: number }[];
  };
}
export interface V1NetworkPolicyPort {
  protocol: string;
  port: number;
  endPort?: number;
}
export interface V1NetworkPolicy {
  metadata?: V1ObjectMeta;
  spec?: {
    podSelector: Record<string, never>;
    policyTypes: string[];
    ingress: { ports: V1NetworkPolicyPort[] }[];
    egress: {
      to: { ipBlock: { cidr: string; except: string[] } }[];
      ports?: V1NetworkPolicyPort[];
    }[];
  };
}

export class Observable<T> {
  constructor(promise: Promise<T>);
}
export interface RequestContext {
  setSignal(signal: AbortSignal): void;
  setHeaderParam(name: string, value: string): void;
}
export interface ObservableMiddleware {
  pre(request: RequestContext): Observable<RequestContext>;
  post(response: unknown): Observable<unknown>;
}
export interface Options {
  middleware: ObservableMiddleware[];
  middlewareMergeStrategy: "append";
}

export class ApiException extends Error {
  readonly code: number;
  readonly body: unknown;
}
export const PatchStrategy: { readonly MergePatch: string };

export class KubeConfig {
  loadFromFile(path: string): void;
  loadFromOptions(options: {
    clusters: { name: string; server: string; caFile: string; skipTLSVerify: boolean }[];
    users: { name: string; authProvider: { name: string; config: { tokenFile: string } } }[];
    contexts: { name: string; cluster: string; user: string }[];
    currentContext: string;
  }): void;
  setCurrentContext(name: string): void;
  getCurrentCluster(): unknown;
  makeApiClient<T>(api: new (configuration: never) => T): T;
}

interface ListRequest {
  labelSelector?: string;
  limit?: number;
  _continue?: string;
}
interface List<T> {
  items: T[];
  metadata?: { _continue?: string };
}
interface Named {
  name: string;
}
interface Placed<T> {
  namespace: string;
  body: T;
}

export class VersionApi {
  constructor(configuration: never);
  getCode(request: object, options: Options): Promise<{ minor: string; gitVersion: string }>;
}
export class AuthorizationV1Api {
  constructor(configuration: never);
  createSelfSubjectAccessReview(
    request: { body: { spec: { resourceAttributes: Record<string, string> } } },
    options: Options,
  ): Promise<{ status?: { allowed: boolean } }>;
}
export class NetworkingV1Api {
  constructor(configuration: never);
  createNamespacedNetworkPolicy(
    request: Placed<V1NetworkPolicy>,
    options: Options,
  ): Promise<V1NetworkPolicy>;
}
export class CoreV1Api {
  constructor(configuration: never);
  listNode(request: ListRequest, options: Options): Promise<List<V1Node>>;
  listNamespace(request: ListRequest, options: Options): Promise<List<V1Namespace>>;
  listPodForAllNamespaces(request: ListRequest, options: Options): Promise<List<V1Pod>>;
  readNamespace(request: Named, options: Options): Promise<V1Namespace>;
  createNamespace(request: { body: V1Namespace }, options: Options): Promise<V1Namespace>;
  patchNamespace(
    request: Named & { body: { metadata: V1ObjectMeta } },
    options: Options,
  ): Promise<V1Namespace>;
  deleteNamespace(request: Named, options: Options): Promise<unknown>;
  createNamespacedSecret(request: Placed<V1Secret>, options: Options): Promise<V1Secret>;
  createNamespacedService(request: Placed<V1Service>, options: Options): Promise<V1Service>;
  createNamespacedResourceQuota(
    request: Placed<V1ResourceQuota>,
    options: Options,
  ): Promise<V1ResourceQuota>;
  createNamespacedPodTemplate(
    request: Placed<V1PodTemplate>,
    options: Options,
  ): Promise<V1PodTemplate>;
  readNamespacedPodTemplate(
    request: Named & { namespace: string },
    options: Options,
  ): Promise<V1PodTemplate>;
  createNamespacedPod(request: Placed<V1Pod>, options: Options): Promise<V1Pod>;
  readNamespacedPod(request: Named & { namespace: string }, options: Options): Promise<V1Pod>;
  deleteNamespacedPod(request: Named & { namespace: string }, options: Options): Promise<unknown>;
  readNamespacedPodLog(
    request: Named & {
      namespace: string;
      container: string;
      tailLines: number;
      limitBytes: number;
    },
    options: Options,
  ): Promise<string | undefined>;
  connectGetNodeProxyWithPath(
    request: Named & { path: string; path2: string },
    options: Options,
  ): Promise<unknown>;
}

export interface V1Status {
  status?: string;
  message?: string;
  reason?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}
export class Exec {
  constructor(config: KubeConfig);
  exec(
    namespace: string,
    pod: string,
    container: string,
    command: string[],
    stdout: Writable,
    stderr: Writable,
    stdin: null,
    tty: boolean,
    onStatus: (status: V1Status) => void,
  ): Promise<{ onclose: unknown; onerror: unknown; close(): void }>;
}
