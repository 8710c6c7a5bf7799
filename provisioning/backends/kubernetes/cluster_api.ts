/**
 * The cluster's API, through the official client: the door of `@kubernetes/client-node`. Each call is
 * bounded in time, and its failure told without the request, which holds credentials.
 */
// @ts-types="./client_node.d.ts"
import {
  ApiException,
  AuthorizationV1Api,
  CoreV1Api,
  Exec,
  KubeConfig,
  NetworkingV1Api,
  Observable,
  PatchStrategy,
  VersionApi,
} from "@kubernetes/client-node";
import type { Clock } from "../../../src/core/ports.ts";
import { isSeedmintError, messageOf, SeedmintError } from "../../../src/core/errors.ts";
import type { ExecResult } from "../../ports.ts";
import type {
  ObservableMiddleware,
  Options,
  V1Namespace,
  V1NetworkPolicy,
  V1Node,
  V1Pod,
  V1PodTemplate,
  V1ResourceQuota,
  V1Secret,
  V1Service,
} from "./client_node.d.ts";
import { type ExecChannel, runExec } from "./exec.ts";
import { CALL_MS_MAX, PAGE_COUNT, PAGE_COUNT_MAX } from "./limits.ts";

/** Where the credentials for the cluster are. */
export interface ClusterAccess {
  /** A kubeconfig file; without one, the account of the pod that we run in. */
  readonly kubeconfig?: string;
  /** A context of that file other than its current one. */
  readonly context?: string;
}

/** Something that one may have to be allowed to do. */
export interface Right {
  readonly verb: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly group?: string;
}

/** Where a pod finds its account, as Kubernetes mounts it. */
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

type Page<T> = { items: T[]; metadata?: { _continue?: string } };

/** The calls that leases need. Absent objects are `undefined` when read, and fine when deleted. */
export class ClusterApi {
  readonly #config: KubeConfig;
  readonly #clock: Clock;
  readonly #core: CoreV1Api;
  readonly #network: NetworkingV1Api;

  private constructor(config: KubeConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    this.#core = config.makeApiClient(CoreV1Api);
    this.#network = config.makeApiClient(NetworkingV1Api);
  }

  /** @throws {SeedmintError} `usage` if the credentials cannot be read. */
  static open(access: ClusterAccess, clock: Clock): ClusterApi {
    const config = new KubeConfig();
    try {
      if (access.kubeconfig === undefined) config.loadFromOptions(inCluster());
      else config.loadFromFile(access.kubeconfig);
      if (access.context !== undefined) config.setCurrentContext(access.context);
      if (config.getCurrentCluster() === null) throw new Error("it names no cluster");
    } catch (error) {
      throw new SeedmintError(
        "usage",
        `Cannot read ${access.kubeconfig ?? ACCOUNT}: ${messageOf(error)}; give a kubeconfig file`,
        { cause: error },
      );
    }
    return new ClusterApi(config, clock);
  }

  /** The version of the API server: `1.20`, as a number of its second part and as text. */
  async version(): Promise<{ readonly minor: number; readonly text: string }> {
    const api = this.#config.makeApiClient(VersionApi);
    const info = await this.#call("ask for its version", (options) => api.getCode({}, options));
    return { minor: parseInt(info.minor, 10) || 0, text: info.gitVersion };
  }

  /** Which of `rights` we do not have. */
  async missing(rights: readonly Right[]): Promise<readonly Right[]> {
    const api = this.#config.makeApiClient(AuthorizationV1Api);
    const allowed = await Promise.all(rights.map(async (right) => {
      const body = { spec: { resourceAttributes: { group: "", ...right } } };
      const review = await this.#call(
        "ask what is allowed",
        (options) => api.createSelfSubjectAccessReview({ body }, options),
      );
      return review.status?.allowed === true;
    }));
    return rights.filter((_, index) => !allowed[index]);
  }

  async nodes(labelSelector: string): Promise<readonly V1Node[]> {
    return await this.#all(
      "list its nodes",
      (page, options) => this.#core.listNode({ ...page, labelSelector }, options),
    );
  }

  /** Pods of all namespaces. */
  async pods(labelSelector: string): Promise<readonly V1Pod[]> {
    return await this.#all(
      "list its pods",
      (page, options) => this.#core.listPodForAllNamespaces({ ...page, labelSelector }, options),
    );
  }

  async namespaces(labelSelector: string): Promise<readonly V1Namespace[]> {
    return await this.#all(
      "list its namespaces",
      (page, options) => this.#core.listNamespace({ ...page, labelSelector }, options),
    );
  }

  async namespace(name: string): Promise<V1Namespace | undefined> {
    return await this.#find(
      `read namespace ${name}`,
      (options) => this.#core.readNamespace({ name }, options),
    );
  }

  async createNamespace(body: V1Namespace): Promise<V1Namespace> {
    return await this.#call(
      `create namespace ${body.metadata?.name}`,
      (options) => this.#core.createNamespace({ body }, options),
    );
  }

  /** Sets annotations; with `resourceVersion`, only if nobody changed it since. */
  async annotate(
    name: string,
    annotations: Readonly<Record<string, string>>,
    resourceVersion?: string,
  ): Promise<V1Namespace> {
    const metadata = { annotations, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    return await this.#call(
      `annotate namespace ${name}`,
      (options) => this.#core.patchNamespace({ name, body: { metadata } }, options),
      PatchStrategy.MergePatch,
    );
  }

  /** Fine when it is on its way out already. */
  async deleteNamespace(name: string): Promise<void> {
    try {
      await this.#find(
        `delete namespace ${name}`,
        (options) => this.#core.deleteNamespace({ name }, options),
      );
    } catch (error) {
      if (!isSeedmintError(error, "conflict")) throw error;
    }
  }

  async createSecret(namespace: string, body: V1Secret): Promise<void> {
    await this.#call(
      `create a secret in ${namespace}`,
      (options) => this.#core.createNamespacedSecret({ namespace, body }, options),
    );
  }

  async createQuota(namespace: string, body: V1ResourceQuota): Promise<void> {
    await this.#call(
      `create a quota in ${namespace}`,
      (options) => this.#core.createNamespacedResourceQuota({ namespace, body }, options),
    );
  }

  async createPolicy(namespace: string, body: V1NetworkPolicy): Promise<void> {
    await this.#call(
      `create a network policy in ${namespace}`,
      (options) => this.#network.createNamespacedNetworkPolicy({ namespace, body }, options),
    );
  }

  async createService(namespace: string, body: V1Service): Promise<void> {
    await this.#call(
      `create a service in ${namespace}`,
      (options) => this.#core.createNamespacedService({ namespace, body }, options),
    );
  }

  async createTemplate(namespace: string, body: V1PodTemplate): Promise<void> {
    await this.#call(
      `create a pod template in ${namespace}`,
      (options) => this.#core.createNamespacedPodTemplate({ namespace, body }, options),
    );
  }

  async template(namespace: string, name: string): Promise<V1PodTemplate | undefined> {
    return await this.#find(
      `read the pod template of ${namespace}`,
      (options) => this.#core.readNamespacedPodTemplate({ namespace, name }, options),
    );
  }

  async pod(namespace: string, name: string): Promise<V1Pod | undefined> {
    return await this.#find(
      `read the pod of ${namespace}`,
      (options) => this.#core.readNamespacedPod({ namespace, name }, options),
    );
  }

  async createPod(namespace: string, body: V1Pod): Promise<void> {
    await this.#call(
      `create a pod in ${namespace}`,
      (options) => this.#core.createNamespacedPod({ namespace, body }, options),
    );
  }

  async deletePod(namespace: string, name: string): Promise<void> {
    await this.#find(
      `delete the pod of ${namespace}`,
      (options) => this.#core.deleteNamespacedPod({ namespace, name }, options),
    );
  }

  /** The end of a container's log: at most so many lines and bytes. */
  async log(
    namespace: string,
    options: {
      readonly pod: string;
      readonly container: string;
      readonly lineCount: number;
      readonly bytesMax: number;
    },
  ): Promise<string> {
    const text = await this.#call(
      `read the log of ${namespace}`,
      (more) =>
        this.#core.readNamespacedPodLog({
          namespace,
          name: options.pod,
          container: options.container,
          tailLines: options.lineCount,
          limitBytes: options.bytesMax,
        }, more),
    );
    return text ?? "";
  }

  /** What a node's kubelet says of its pods; undefined where we may not ask, or it does not answer. */
  async nodeSummary(node: string): Promise<unknown> {
    try {
      const text = await this.#call(
        `ask node ${node}`,
        (options) =>
          this.#core.connectGetNodeProxyWithPath(
            { name: node, path: "stats/summary", path2: "stats/summary" },
            options,
          ),
      );
      return typeof text === "string" ? JSON.parse(text) : text;
    } catch {
      return undefined;
    }
  }

  /** Runs a command in a container, see {@link runExec}. */
  async exec(
    target: { readonly namespace: string; readonly pod: string; readonly container: string },
    command: readonly string[],
    options: {
      readonly timeoutMs: number;
      readonly signal?: AbortSignal;
      readonly outputBytesMax: number;
    },
  ): Promise<ExecResult> {
    const channel: ExecChannel = (stdout, stderr, onStatus) =>
      new Exec(this.#config).exec(
        target.namespace,
        target.pod,
        target.container,
        [...command],
        stdout,
        stderr,
        null,
        false,
        onStatus,
      );
    return await runExec(channel, { ...options, clock: this.#clock, name: target.namespace });
  }

  async #all<T>(
    what: string,
    read: (page: { limit: number; _continue?: string }, options: Options) => Promise<Page<T>>,
  ): Promise<T[]> {
    const found: T[] = [];
    let next: string | undefined;
    for (let page = 0; page < PAGE_COUNT_MAX; page++) {
      const from = next === undefined ? {} : { _continue: next };
      const { items, metadata } = await this.#call(
        what,
        (options) => read({ limit: PAGE_COUNT, ...from }, options),
      );
      found.push(...items);
      next = metadata?._continue || undefined;
      if (next === undefined) return found;
    }
    throw new SeedmintError("protocol", `Cannot ${what}: the list does not end`);
  }

  async #find<T>(what: string, work: (options: Options) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#call(what, work);
    } catch (error) {
      if (isSeedmintError(error, "not-found")) return undefined;
      throw error;
    }
  }

  async #call<T>(
    what: string,
    work: (options: Options) => Promise<T>,
    contentType?: string,
  ): Promise<T> {
    const controller = new AbortController();
    const stop = this.#clock.timer(CALL_MS_MAX, () => controller.abort());
    try {
      return await work(optionsOf(controller.signal, contentType));
    } catch (error) {
      throw failure(what, error);
    } finally {
      stop();
    }
  }
}

/** What the client's own loader does, without the environment: a node may not read it. */
function inCluster(): Parameters<KubeConfig["loadFromOptions"]>[0] {
  const name = "in-cluster";
  return {
    clusters: [{
      name,
      server: "https://kubernetes.default.svc",
      caFile: `${ACCOUNT}/ca.crt`,
      skipTLSVerify: false,
    }],
    users: [{
      name,
      authProvider: { name: "tokenFile", config: { tokenFile: `${ACCOUNT}/token` } },
    }],
    contexts: [{ name, cluster: name, user: name }],
    currentContext: name,
  };
}

/** A deadline for one request, and the kind of its body where the client would take another. */
function optionsOf(signal: AbortSignal, contentType: string | undefined): Options {
  const middleware: ObservableMiddleware = {
    pre: (request) => {
      request.setSignal(signal);
      if (contentType !== undefined) request.setHeaderParam("Content-Type", contentType);
      return new Observable(Promise.resolve(request));
    },
    post: (response) => new Observable(Promise.resolve(response)),
  };
  return { middleware: [middleware], middlewareMergeStrategy: "append" };
}

function failure(what: string, error: unknown): SeedmintError {
  if (!(error instanceof ApiException)) {
    // What a request failed by is behind it: a name, a port, a certificate.
    const why = messageOf((error as { cause?: unknown }).cause ?? error).slice(0, 200);
    return new SeedmintError(
      "unavailable",
      `Cannot ${what}: the API server does not answer (${why})`,
      { retryable: true },
    );
  }
  const status = error.code;
  const said = saidBy(error.body).slice(0, 400);
  const code = status === 404
    ? "not-found"
    : status === 409
    ? "conflict"
    : status === 401 || status === 403
    ? "denied"
    : status === 400 || status === 422
    ? "invalid"
    : "unavailable";
  return new SeedmintError(code, `Cannot ${what}: the API server answered ${status}: ${said}`, {
    retryable: code === "unavailable",
  });
}

/** The message of a `Status` object. */
function saidBy(body: unknown): string {
  let status = body;
  if (typeof body === "string") {
    try {
      status = JSON.parse(body);
    } catch {
      return body;
    }
  }
  const { message } = (status ?? {}) as { message?: unknown };
  return typeof message === "string" ? message : "it said nothing";
}
