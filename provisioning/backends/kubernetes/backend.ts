/**
 * Leases on a Kubernetes cluster: a namespace each, found again by its labels. What is in the cluster
 * outlives this process; nothing of it is kept here.
 */
import type { Clock, Random } from "../../../src/core/ports.ts";
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type {
  Backend,
  BackendProbe,
  ExecResult,
  Image,
  InstanceSpec,
  InstanceState,
  InstanceStats,
  InstanceSummary,
  Resources,
} from "../../ports.ts";
import {
  checkLeaseId,
  checkSpec,
  EXEC_OUTPUT_BYTES_MAX,
  LOG_LINES_MAX,
  NAME_SERVERS,
} from "../host/mod.ts";
import { CONTINUE_ALL, END_ALL, HALT_ALL } from "../../ssh/mod.ts";
import type { V1Pod } from "./client_node.d.ts";
import { ClusterApi } from "./cluster_api.ts";
import {
  CLUSTER_RIGHTS,
  clusterCapacity,
  haveUserNamespaces,
  leaseNodes,
} from "./cluster_facts.ts";
import type { ClusterImages } from "./cluster_images.ts";
import { policyObject, PORT_RANGES_MINOR } from "./egress.ts";
import { diskUsedMb, readStats, shellCommand, STATS_SCRIPT, timedCommand } from "./inside.ts";
import {
  checkPool,
  endAnnotation,
  ENDING_MARK,
  isRecordOf,
  type LeaseRecord,
  MADE,
  namespaceOf,
  pausedAnnotation,
  poolSelector,
  recordOf,
} from "./labels.ts";
import { DESTROY_MS_MAX, INSPECT_MS_MAX, LOG_BYTES_MAX, POLL_MS } from "./limits.ts";
import {
  type Exposure,
  NAME,
  namespaceObject,
  type ObjectOptions,
  quotaObject,
  secretObject,
  serviceObject,
  templateObject,
} from "./objects.ts";
import { stateOf } from "./pod_state.ts";
import { serverImage } from "./server_image.ts";
import { startPod } from "./start.ts";

/** How leases on a cluster are run. */
export interface KubernetesOptions {
  /** A kubeconfig file; without one, the account of the pod that we run in. */
  readonly kubeconfig?: string;
  /** A context of that file other than its current one. */
  readonly context?: string;
  /** Holds the files of our SSH server. */
  readonly stateDir: string;
  /** Where lessees connect: a node, or what stands in front of all of them. */
  readonly publicHost: string;
  readonly clock: Clock;
  readonly random: Random;
  /** How nodes come by images. */
  readonly images: ClusterImages;
  /** An image of our SSH server that nodes can pull; without one it is made and put to the images. */
  readonly serverImage?: string;
  /** Tells the leases of several providers on one cluster apart. @default {"default"} */
  readonly pool?: string;
  /** @default {"node-port"} */
  readonly exposure?: Exposure;
  /** Labels of the nodes that take leases. */
  readonly nodeSelector?: Readonly<Record<string, string>>;
  /** Of a stronger sandbox, such as `gvisor` or `kata`. */
  readonly runtimeClass?: string;
  /** Whether root inside is a plain user outside. @default where version and runtime have it */
  readonly hasUserNamespaces?: boolean;
  /** Resolvers of names, on public addresses: leases reach no others. */
  readonly nameServers?: readonly string[];
  /** Ranges that leases may not reach besides the private ones. */
  readonly closedRanges?: readonly string[];
  /** Of one lease, each way, where the network plugin knows limits. @default {BANDWIDTH_BYTES_PER_S} */
  readonly bandwidthBytesPerS?: number;
  /** The longest that any lease may run, extensions included: the cluster itself ends it then. */
  readonly longestLeaseMs?: number;
}

/** Leases on a cluster. */
export class KubernetesBackend implements Backend {
  readonly name = "kubernetes";
  readonly publicHost: string;
  readonly #options: KubernetesOptions;
  readonly #api: ClusterApi;
  readonly #pool: string;
  /** The last piece of work on each lease. */
  readonly #lanes = new Map<string, Promise<unknown>>();
  #server: Promise<Image> | undefined;

  private constructor(options: KubernetesOptions) {
    this.#options = options;
    this.publicHost = options.publicHost;
    this.#pool = options.pool ?? "default";
    checkPool(this.#pool);
    this.#api = ClusterApi.open(options, options.clock);
  }

  /** Reads the credentials; the cluster is asked by {@link KubernetesBackend.probe}. */
  static open(options: KubernetesOptions): Promise<KubernetesBackend> {
    return Promise.resolve().then(() => new KubernetesBackend(options));
  }

  async probe(): Promise<BackendProbe> {
    const facts = { isolation: "shared-kernel", capabilities: ["oci"] } as const;
    try {
      const { minor, text } = await this.#api.version();
      const description = `Kubernetes ${text}`;
      const missing = await this.#api.missing(CLUSTER_RIGHTS);
      if (missing.length > 0) {
        const list = missing.map(({ verb, resource, subresource }) =>
          `${verb} ${resource}${subresource === undefined ? "" : `/${subresource}`}`
        );
        const problem = `the account may not ${list.join(", ")}; give it a ClusterRole that may`;
        return { ok: false, problem, description, ...facts };
      }
      if ((await this.#nodes()).length === 0) {
        return { ok: false, problem: "no node takes leases now", description, ...facts };
      }
      await this.#serverReference(new AbortController().signal);
      const mail = minor < PORT_RANGES_MINOR ? ", too old to close ports of mail" : "";
      return { ok: true, description: description + mail, ...facts };
    } catch (error) {
      if (!isSeedmintError(error)) throw error;
      return { ok: false, problem: error.message, description: "Kubernetes", ...facts };
    }
  }

  async capacity(): Promise<Resources> {
    return await clusterCapacity(this.#api, await this.#nodes(), this.#pool);
  }

  async prepare(image: Image, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#options.images.publish(image, options);
  }

  async create(spec: InstanceSpec, options: { readonly signal: AbortSignal }): Promise<void> {
    checkSpec(spec);
    await this.prepare(spec.image, options);
    const objects = await this.#objectOptions(spec.image, options);
    await this.#hold(spec.leaseId, async () => {
      const there = await this.#find(spec.leaseId);
      if (there?.isMade && !there.isEnding) {
        if (isRecordOf(there, spec)) return;
        throw new SeedmintError(
          "conflict",
          `Cannot create ${spec.leaseId}: another lease of that name is on the cluster; destroy it first`,
        );
      }
      await this.#wipe(spec.leaseId);
      options.signal.throwIfAborted();
      await this.#make(spec, objects);
    });
  }

  async start(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      await this.#existing(leaseId);
      await this.#start(leaseId);
    });
  }

  /** Ends all of the lease's processes and starts them again; what was written stays. */
  async restart(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      const record = await this.#existing(leaseId);
      if (stateOf(await this.#pod(leaseId)) !== "running") return await this.#start(leaseId);
      if (record.isPaused) await this.#mark(leaseId, false);
      await this.#inspect(leaseId, END_ALL);
    });
  }

  /** Halts all of the lease's processes: the API has nothing that freezes a pod. */
  async pause(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      const record = await this.#existing(leaseId);
      if (record.isPaused || stateOf(await this.#pod(leaseId)) !== "running") return;
      await this.#mark(leaseId, true);
      await this.#inspect(leaseId, HALT_ALL);
    });
  }

  async resume(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      const record = await this.#existing(leaseId);
      if (!record.isPaused) return;
      if (stateOf(await this.#pod(leaseId)) === "running") {
        await this.#inspect(leaseId, CONTINUE_ALL);
      }
      await this.#mark(leaseId, false);
    });
  }

  async destroy(leaseId: string): Promise<void> {
    checkLeaseId(leaseId);
    await this.#hold(leaseId, () => this.#wipe(leaseId));
  }

  /** Destroys what is past its end, unless it was extended meanwhile. @returns Whether it did. */
  async destroyExpired(leaseId: string, graceMs: number): Promise<boolean> {
    checkLeaseId(leaseId);
    return await this.#hold(leaseId, async () => {
      const record = await this.#find(leaseId);
      if (record === undefined || record.expiresMs === 0) return false;
      if (this.#options.clock.nowMs() < record.expiresMs + graceMs) return false;
      try {
        await this.#wipe(leaseId, record.version);
        return true;
      } catch (error) {
        if (isSeedmintError(error, "conflict")) return false;
        throw error;
      }
    });
  }

  async state(leaseId: string): Promise<InstanceState> {
    try {
      checkLeaseId(leaseId);
      const record = await this.#find(leaseId);
      return record === undefined ? "absent" : stateOf(await this.#pod(leaseId));
    } catch (error) {
      if (isSeedmintError(error)) return "unknown";
      throw error;
    }
  }

  async extend(leaseId: string, expiresMs: number): Promise<void> {
    await this.#existing(leaseId);
    await this.#api.annotate(this.#namespace(leaseId), endAnnotation(expiresMs));
  }

  /** The disk is told where the account may ask the nodes (`get nodes/proxy`), and is 0 elsewhere. */
  async stats(leaseId: string): Promise<InstanceStats> {
    await this.#existing(leaseId);
    const pod = await this.#pod(leaseId);
    if (stateOf(pod) !== "running") {
      return { cpuMs: 0, memoryMb: 0, pidCount: 0, diskMb: 0, rxBytes: 0, txBytes: 0 };
    }
    const [{ stdout }, summary] = await Promise.all([
      this.#inspect(leaseId, STATS_SCRIPT),
      this.#api.nodeSummary(pod!.spec!.nodeName!),
    ]);
    return { ...readStats(stdout), diskMb: diskUsedMb(summary, this.#namespace(leaseId)) ?? 0 };
  }

  async logs(leaseId: string, options: { readonly lineCount: number }): Promise<string> {
    await this.#existing(leaseId);
    const target = { pod: NAME, container: NAME, bytesMax: LOG_BYTES_MAX };
    let lineCount = Math.max(1, Math.min(options.lineCount, LOG_LINES_MAX));
    for (;;) {
      let text: string;
      try {
        text = await this.#api.log(this.#namespace(leaseId), { ...target, lineCount });
      } catch (error) {
        // There is none yet, or its container has not begun.
        if (isSeedmintError(error, "not-found") || isSeedmintError(error, "invalid")) return "";
        throw error;
      }
      // The server cuts at the end: fewer lines, so that the last ones are whole.
      if (text.length < LOG_BYTES_MAX / 2 || lineCount === 1) return text;
      lineCount = Math.ceil(lineCount / 2);
    }
  }

  async exec(
    leaseId: string,
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<ExecResult> {
    const record = await this.#existing(leaseId);
    if (command.length === 0 || command.some((word) => word.includes("\0"))) {
      throw new SeedmintError(
        "invalid",
        `Cannot run a command in ${leaseId}: it is empty or no text`,
      );
    }
    const state = record.isPaused ? "paused" : stateOf(await this.#pod(leaseId));
    if (state !== "running") {
      throw new SeedmintError("conflict", `Cannot run a command in ${leaseId}: it is ${state}`);
    }
    return await this.#api.exec(this.#target(leaseId), timedCommand(command, options.timeoutMs), {
      ...options,
      outputBytesMax: EXEC_OUTPUT_BYTES_MAX,
    });
  }

  async list(): Promise<readonly InstanceSummary[]> {
    const selector = poolSelector(this.#pool);
    const [namespaces, pods] = await Promise.all([
      this.#api.namespaces(selector),
      this.#api.pods(selector),
    ]);
    const podOf = new Map(pods.map((pod) => [pod.metadata?.namespace, pod]));
    return namespaces.flatMap((namespace) => {
      const record = recordOf(namespace, this.#pool);
      if (record === undefined) return [];
      const { leaseId, owner, expiresMs } = record;
      // Whose it is cannot be told; that it is here must be.
      const state = owner === "" ? "unknown" : stateOf(podOf.get(namespace.metadata?.name));
      return [{ leaseId, owner, expiresMs, state }];
    });
  }

  /** Leaves the leases running. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#lanes.values());
  }

  async #make(spec: InstanceSpec, options: ObjectOptions & { minor: number }): Promise<void> {
    const namespace = this.#namespace(spec.leaseId);
    const service = serviceObject(spec, options);
    const policy = policyObject(spec, { ...this.#options, minor: options.minor });
    await this.#api.createNamespace(namespaceObject(spec, options));
    try {
      // Before all else: a pod must never run without them.
      await this.#api.createPolicy(namespace, policy);
      await Promise.all([
        this.#api.createQuota(namespace, quotaObject(spec, options)),
        this.#api.createSecret(namespace, secretObject(spec, options)),
        this.#api.createTemplate(namespace, templateObject(spec, options)),
        service === undefined ? undefined : this.#api.createService(namespace, service),
      ]);
      await this.#api.annotate(namespace, MADE);
    } catch (error) {
      await this.#wipe(spec.leaseId).catch(() => {});
      throw error;
    }
  }

  async #start(leaseId: string): Promise<void> {
    const namespace = this.#namespace(leaseId);
    if ((await this.#find(leaseId))?.isPaused) await this.#mark(leaseId, false);
    await startPod(this.#api, namespace, this.#options.clock);
  }

  /**
   * Removes a lease: its pod first, since a namespace that still has one is tried again ever later.
   *
   * @throws {SeedmintError} `conflict` if it was changed since `version`.
   */
  async #wipe(leaseId: string, version?: string): Promise<void> {
    const namespace = this.#namespace(leaseId);
    const endMs = this.#options.clock.monotonicMs() + DESTROY_MS_MAX;
    const goneWithin = async (isThere: () => Promise<boolean>) => {
      while (await isThere()) {
        if (this.#options.clock.monotonicMs() > endMs) throw stuck(leaseId, namespace);
        await this.#options.clock.sleep(POLL_MS);
      }
    };
    const record = await this.#find(leaseId);
    if (record === undefined) return;
    if (!record.isEnding) await this.#endAnnotated(namespace, version);
    await this.#api.deletePod(namespace, NAME);
    await goneWithin(async () => await this.#api.pod(namespace, NAME) !== undefined);
    await this.#api.deleteNamespace(namespace);
    await goneWithin(async () => await this.#api.namespace(namespace) !== undefined);
  }

  async #endAnnotated(namespace: string, version: string | undefined): Promise<void> {
    try {
      await this.#api.annotate(namespace, ENDING_MARK, version);
    } catch (error) {
      // Somebody else removed it meanwhile.
      if (!isSeedmintError(error, "not-found")) throw error;
    }
  }

  async #objectOptions(
    image: Image,
    options: { readonly signal: AbortSignal },
  ): Promise<ObjectOptions & { minor: number }> {
    const { images, random } = this.#options;
    const [serverImage, { minor }, nodes] = await Promise.all([
      this.#serverReference(options.signal),
      this.#api.version(),
      this.#nodes(),
    ]);
    return {
      ...this.#options,
      minor,
      random,
      pool: this.#pool,
      image: images.referenceOf(image),
      serverImage,
      exposure: this.#options.exposure ?? "node-port",
      architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
      nameServers: this.#options.nameServers ?? NAME_SERVERS,
      nodeSelector: this.#options.nodeSelector ?? {},
      hasUserNamespace: this.#options.hasUserNamespaces ?? haveUserNamespaces(nodes, minor),
    };
  }

  async #serverReference(signal: AbortSignal): Promise<string> {
    if (this.#options.serverImage !== undefined) return this.#options.serverImage;
    this.#server ??= serverImage(`${this.#options.stateDir}/server`);
    try {
      const image = await this.#server;
      await this.#options.images.publish(image, { signal });
      return this.#options.images.referenceOf(image);
    } catch (error) {
      this.#server = undefined;
      throw error;
    }
  }

  async #nodes() {
    return await leaseNodes(this.#api, this.#options.nodeSelector ?? {});
  }

  /** Runs a script of ours as root of the lease. */
  async #inspect(leaseId: string, script: string): Promise<ExecResult> {
    return await this.#api.exec(this.#target(leaseId), shellCommand(script), {
      timeoutMs: INSPECT_MS_MAX,
      outputBytesMax: EXEC_OUTPUT_BYTES_MAX,
    });
  }

  async #mark(leaseId: string, isPaused: boolean): Promise<void> {
    await this.#api.annotate(this.#namespace(leaseId), pausedAnnotation(isPaused));
  }

  async #pod(leaseId: string): Promise<V1Pod | undefined> {
    return await this.#api.pod(this.#namespace(leaseId), NAME);
  }

  async #existing(leaseId: string): Promise<LeaseRecord> {
    checkLeaseId(leaseId);
    const record = await this.#find(leaseId);
    if (record?.isMade && !record.isEnding) return record;
    throw new SeedmintError(
      "not-found",
      `Cannot find ${leaseId}: no such lease is on the cluster`,
    );
  }

  /** @throws {SeedmintError} `conflict` if its name is taken by a namespace that is not ours. */
  async #find(leaseId: string): Promise<LeaseRecord | undefined> {
    const name = this.#namespace(leaseId);
    const namespace = await this.#api.namespace(name);
    if (namespace === undefined) return undefined;
    const record = recordOf(namespace, this.#pool);
    if (record?.leaseId === leaseId) return record;
    throw new SeedmintError(
      "conflict",
      `Cannot use namespace ${name}: it is there and none of our leases; choose another pool`,
    );
  }

  #namespace(leaseId: string): string {
    return namespaceOf(this.#pool, leaseId);
  }

  #target(leaseId: string) {
    return { namespace: this.#namespace(leaseId), pod: NAME, container: NAME };
  }

  /** One piece of work on a lease at a time. */
  async #hold<T>(leaseId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#lanes.get(leaseId) ?? Promise.resolve();
    const mine = before.then(work, work);
    const tail = mine.catch(() => {});
    this.#lanes.set(leaseId, tail);
    try {
      return await mine;
    } finally {
      if (this.#lanes.get(leaseId) === tail) this.#lanes.delete(leaseId);
    }
  }
}

function stuck(leaseId: string, namespace: string): SeedmintError {
  return new SeedmintError(
    "unavailable",
    `Cannot destroy ${leaseId}: namespace ${namespace} is still there after ${DESTROY_MS_MAX} ms; look at its node`,
    { retryable: true },
  );
}
