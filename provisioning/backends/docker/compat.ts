/** What docker and podman have in common: the Docker Engine API, without its version. */
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type { ExecResult } from "../../ports.ts";
import {
  type ContainerLook,
  containerName,
  type ContainerOrder,
  type ContainerSummary,
  type Engine,
  type EngineCommand,
  type EngineFacts,
  type ExecOptions,
  UnixHttp,
} from "../engine/mod.ts";
import { runExec } from "./exec.ts";
import { LOOK_MS_MAX } from "./limits.ts";

const LABEL = "org.seedmint";

/** The labels of a container; `tag` is its provider's. */
export function labelsOf(order: ContainerOrder, tag: string): Record<string, string> {
  return {
    [`${LABEL}.provider`]: tag,
    [`${LABEL}.lease`]: order.leaseId,
    [`${LABEL}.owner`]: order.owner,
    // As ordered: labels never change. The record beside the lease's disk has the end as it is.
    [`${LABEL}.expires`]: String(order.expiresMs),
    [`${LABEL}.port`]: String(order.hostPort),
  };
}

/** What of a container's inspection is read. */
export interface Inspection {
  readonly State: { readonly Status: string; readonly Pid: number };
  readonly GraphDriver?: { readonly Data?: Readonly<Record<string, string>> | null };
}

/** An engine behind its socket, with the calls that both answer alike. */
export abstract class CompatEngine implements Engine {
  readonly name: "docker" | "podman";
  protected readonly http: UnixHttp;
  /** Tells this provider's containers from others'. */
  protected readonly tag: string;

  constructor(
    name: "docker" | "podman",
    options: { readonly socketPath: string; readonly tag: string },
  ) {
    this.name = name;
    this.http = new UnixHttp(name, options.socketPath);
    this.tag = options.tag;
  }

  abstract facts(): Promise<EngineFacts>;
  abstract ready(): Promise<{ readonly idBase: number }>;
  abstract create(order: ContainerOrder, options: { readonly signal: AbortSignal }): Promise<void>;
  abstract rootTargets(leaseId: string): Promise<readonly string[]>;

  /** The name of a lease's container. */
  protected containerOf(leaseId: string): string {
    return containerName(this.tag, leaseId);
  }

  /** @returns undefined if there is no such container. */
  protected async inspect(leaseId: string): Promise<Inspection | undefined> {
    try {
      const path = `/containers/${this.containerOf(leaseId)}/json`;
      return await this.http.must("GET", path, { timeoutMs: LOOK_MS_MAX }) as Inspection;
    } catch (error) {
      if (isSeedmintError(error, "not-found")) return undefined;
      throw error;
    }
  }

  async look(leaseId: string): Promise<ContainerLook> {
    const found = await this.inspect(leaseId);
    if (found === undefined) return { status: "none", pid: 0 };
    const status = statusOf(found.State?.Status);
    if (status === "unknown") {
      throw new SeedmintError("unavailable", `Cannot tell what ${leaseId} does`, {
        retryable: true,
      });
    }
    return { status, pid: found.State.Pid };
  }

  async start(leaseId: string): Promise<void> {
    await this.#post(leaseId, "start");
  }

  async kill(leaseId: string): Promise<void> {
    try {
      await this.#post(leaseId, "kill?signal=SIGKILL");
    } catch (error) {
      // It ended by itself, or never ran.
      if (!isSeedmintError(error, "not-found") && !isSeedmintError(error, "conflict")) throw error;
    }
  }

  async remove(leaseId: string): Promise<void> {
    try {
      await this.http.must("DELETE", `/containers/${this.containerOf(leaseId)}?force=true&v=true`);
    } catch (error) {
      if (!isSeedmintError(error, "not-found")) throw error;
    }
  }

  async pause(leaseId: string): Promise<void> {
    await this.#post(leaseId, "pause");
  }

  async resume(leaseId: string): Promise<void> {
    await this.#post(leaseId, "unpause");
  }

  /** Labels never change: the record has the end. */
  noteEnd(): Promise<void> {
    return Promise.resolve();
  }

  async list(): Promise<readonly ContainerSummary[]> {
    const label = `${LABEL}.provider=${this.tag}`;
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const found = await this.http.must("GET", `/containers/json?all=true&filters=${filters}`, {
      timeoutMs: LOOK_MS_MAX,
    });
    if (!Array.isArray(found)) {
      throw new SeedmintError("unavailable", "The engine lists its containers in no known form");
    }
    // What is in the list is swept if no lease has it: whose it is must not hang on a filter alone.
    const own = found.filter(({ Labels }) => Labels?.[`${LABEL}.provider`] === this.tag);
    return own.map(({ Labels, State }) => {
      const status = statusOf(State);
      return {
        leaseId: String(Labels?.[`${LABEL}.lease`]),
        owner: String(Labels?.[`${LABEL}.owner`] ?? ""),
        expiresMs: Number(Labels?.[`${LABEL}.expires`] ?? 0) || 0,
        hostPort: Number(Labels?.[`${LABEL}.port`] ?? 0) || 0,
        state: status === "paused" ? "running" : status,
      };
    });
  }

  async spawn(leaseId: string, command: EngineCommand): Promise<void> {
    const { Id } = await this.http.must("POST", `/containers/${this.containerOf(leaseId)}/exec`, {
      body: {
        AttachStdout: false,
        AttachStderr: false,
        Cmd: command.args,
        Env: command.env,
        User: `${command.uid}:${command.gid}`,
        WorkingDir: command.cwd,
      },
    }) as { readonly Id: string };
    await this.http.must("POST", `/exec/${Id}/start`, { body: { Detach: true, Tty: false } });
  }

  async exec(
    leaseId: string,
    command: readonly string[],
    options: ExecOptions,
  ): Promise<ExecResult> {
    const container = this.containerOf(leaseId);
    return await runExec(this.http, { leaseId, container }, { command, ...options });
  }

  [Symbol.dispose](): void {
    this.http[Symbol.dispose]();
  }

  async #post(leaseId: string, verb: string): Promise<void> {
    await this.http.must("POST", `/containers/${this.containerOf(leaseId)}/${verb}`);
  }
}

function statusOf(status: unknown): "running" | "paused" | "stopped" | "unknown" {
  switch (status) {
    case "running":
    case "paused":
      return status;
    case "created":
    case "configured":
    case "initialized":
    case "exited":
    case "stopped":
    case "dead":
    case "removing":
      return "stopped";
    // On their way to either.
    case "stopping":
    case "restarting":
      return "running";
    default:
      return "unknown";
  }
}
