/** An engine in memory. Its instances outlive the provider, as containers do. */
import { SeedmintError } from "../../../src/core/errors.ts";
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
} from "../../../provisioning/ports.ts";

/** One instance. */
export interface MemoryInstance {
  readonly spec: InstanceSpec;
  state: "running" | "stopped" | "paused";
  expiresMs: number;
}

/** An engine in memory. */
export class MemoryBackend implements Backend {
  readonly name = "runc";
  readonly publicHost = "203.0.113.5";
  readonly instances: Map<string, MemoryInstance>;
  total: Resources = { cpuMillicores: 10_000, memoryMb: 10_240, diskMb: 102_400 };
  /** Whether the engine answers. */
  isReachable = true;
  /** Calls that fail, by name. */
  readonly broken = new Set<string>();
  /** Calls, by name. */
  readonly calls: string[] = [];
  /** What may not have happened and did. */
  readonly mistakes: string[] = [];

  /** @param instances What the engine has already, as after a restart of the provider. */
  constructor(instances: Map<string, MemoryInstance> = new Map()) {
    this.instances = instances;
  }

  probe(): Promise<BackendProbe> {
    return this.#do("probe", () => ({
      ok: true,
      description: "memory",
      isolation: "shared-kernel" as const,
      capabilities: ["oci"],
    }));
  }

  capacity(): Promise<Resources> {
    return this.#do("capacity", () => this.total);
  }

  prepare(_image: Image): Promise<void> {
    return this.#do("prepare", () => {});
  }

  create(spec: InstanceSpec): Promise<void> {
    return this.#do("create", () => {
      const known = this.instances.get(spec.leaseId);
      if (known?.spec.owner === spec.owner) return;
      if (known !== undefined) {
        throw new SeedmintError("conflict", `Cannot create ${spec.leaseId}: it is another's lease`);
      }
      const used = new Set([...this.instances.values()].flatMap(({ spec }) => portsOf(spec)));
      const doubled = portsOf(spec).find((port) => used.has(port));
      if (doubled !== undefined) this.mistakes.push(`port ${doubled} is used twice`);
      this.instances.set(spec.leaseId, { spec, state: "stopped", expiresMs: spec.expiresMs });
    });
  }

  start(leaseId: string): Promise<void> {
    return this.#do("start", () => void (this.#get(leaseId).state = "running"));
  }

  restart(leaseId: string): Promise<void> {
    return this.#do("restart", () => void (this.#get(leaseId).state = "running"));
  }

  pause(leaseId: string): Promise<void> {
    return this.#do("pause", () => void (this.#get(leaseId).state = "paused"));
  }

  resume(leaseId: string): Promise<void> {
    return this.#do("resume", () => void (this.#get(leaseId).state = "running"));
  }

  destroy(leaseId: string): Promise<void> {
    return this.#do("destroy", () => void this.instances.delete(leaseId));
  }

  async state(leaseId: string): Promise<InstanceState> {
    if (!this.isReachable) return "unknown";
    return await this.#do("state", () => {
      const instance = this.instances.get(leaseId);
      if (instance === undefined) return "absent";
      return instance.state === "stopped" ? "stopped" : "running";
    });
  }

  extend(leaseId: string, expiresMs: number): Promise<void> {
    return this.#do("extend", () => void (this.#get(leaseId).expiresMs = expiresMs));
  }

  stats(leaseId: string): Promise<InstanceStats> {
    return this.#do("stats", () => {
      this.#get(leaseId);
      return { cpuMs: 1, memoryMb: 1, pidCount: 1, diskMb: 1, rxBytes: 1, txBytes: 1 };
    });
  }

  logs(leaseId: string, options: { readonly lineCount: number }): Promise<string> {
    return this.#do("logs", () => {
      this.#get(leaseId);
      return `${options.lineCount} lines of ${leaseId}\n`;
    });
  }

  exec(leaseId: string, command: readonly string[]): Promise<ExecResult> {
    return this.#do("exec", () => {
      this.#get(leaseId);
      return { stdout: command.join(" "), stderr: "", exitCode: 0, isTruncated: false };
    });
  }

  list(): Promise<readonly InstanceSummary[]> {
    return this.#do(
      "list",
      () =>
        [...this.instances].map(([leaseId, { spec, state, expiresMs }]) => ({
          leaseId,
          owner: spec.owner,
          expiresMs,
          state: state === "stopped" ? "stopped" as const : "running" as const,
        })),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #get(leaseId: string): MemoryInstance {
    const instance = this.instances.get(leaseId);
    if (instance === undefined) {
      throw new SeedmintError("not-found", `Cannot find instance ${leaseId}`);
    }
    return instance;
  }

  // deno-lint-ignore require-await
  async #do<T>(name: string, work: () => T): Promise<T> {
    this.calls.push(name);
    if (!this.isReachable || this.broken.has(name)) {
      throw new SeedmintError("unavailable", `Cannot ${name}: the engine does not answer`);
    }
    return work();
  }
}

function portsOf(spec: InstanceSpec): number[] {
  return [spec.ssh.hostPort, ...spec.ports.map((port) => port.hostPort)];
}
