/** Containers of leases on `runc`: no daemon; a container is made at each start from its bundle. */
import { createHash } from "node:crypto";
import type { Clock } from "../../../src/core/ports.ts";
import { messageOf } from "../../../src/core/errors.ts";
import type { ExecResult, InstanceSpec } from "../../ports.ts";
import {
  type ContainerLook,
  type Containers,
  type ContainersFacts,
  type ContainerUse,
  type Ground,
  type LeaseRecord,
  type ListedContainer,
  logPath,
  mountDisk,
  type RunOptions,
  type StartOptions,
  sweepGroups,
} from "../host/mod.ts";
import { bundlePaths, makeBundle } from "./bundle_files.ts";
import { runInLease } from "./exec.ts";
import { Runtime, type RuntimeState } from "./runtime.ts";

/** The containers below one state directory. */
export class RuncContainers implements Containers {
  readonly name = "runc";
  readonly programs = [["runc", "runc"]] as const;
  readonly folders = ["/runc"];
  readonly #clock: Clock;
  readonly #idBase: number;
  readonly #runtime: Runtime;
  readonly #tag: string;
  /** Commands of images that are being started. */
  readonly #starting = new Set<Promise<void>>();

  constructor(
    options: { readonly stateDir: string; readonly clock: Clock; readonly idBase: number },
  ) {
    this.#clock = options.clock;
    this.#idBase = options.idBase;
    this.#runtime = new Runtime(`${options.stateDir}/runc`, { clock: options.clock });
    this.#tag = createHash("sha256").update(options.stateDir).digest("hex").slice(0, 8);
  }

  async facts(): Promise<ContainersFacts> {
    return { description: await this.#runtime.version().catch(() => "runc") };
  }

  ready(): Promise<{ readonly idBase: number }> {
    return Promise.resolve({ idBase: this.#idBase });
  }

  /** The runtime's state is ours alone. */
  isTaken(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async make(spec: InstanceSpec, ground: Ground): Promise<void> {
    await makeBundle(spec, ground, { cgroupsPath: this.#groups(spec.leaseId) });
  }

  async start(record: LeaseRecord, options: StartOptions): Promise<void> {
    const { leaseId } = record;
    const { paths, guard } = options;
    if (await this.#runtime.mayKnow(leaseId)) {
      const { status } = await this.#runtime.state(leaseId);
      if (status === "running" || status === "paused") return;
    }
    await this.end(leaseId);
    await mountDisk(paths, options.imageRoot, options);
    const { bundle, processFile } = bundlePaths(paths);
    const files = { bundle, log: logPath(paths), guard };
    const [pid] = await Promise.all([
      this.#runtime.create(leaseId, files),
      options.guardNetwork(),
    ]);
    await options.connect(pid);
    await this.#runtime.start(leaseId, { guard });
    if (record.hasCommand) this.#startCommand(leaseId, { ...files, processFile });
  }

  async look(leaseId: string): Promise<ContainerLook> {
    const state = await this.#runtime.state(leaseId);
    const { status, pid } = state;
    return { status: status === "none" || status === "paused" ? status : stateOf(state), pid };
  }

  pause(leaseId: string): Promise<void> {
    return this.#runtime.pause(leaseId);
  }

  resume(leaseId: string): Promise<void> {
    return this.#runtime.resume(leaseId);
  }

  /** Those that the runtime lost, too; it forgets the container, which is made anew from its bundle. */
  async end(leaseId: string): Promise<void> {
    await this.#runtime.remove(leaseId);
    await sweepGroups(this.#groups(leaseId), this.#clock);
  }

  /** There are no labels. */
  labelledPort(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** An ended container is forgotten already. */
  remove(): Promise<void> {
    return Promise.resolve();
  }

  /** The record has the end. */
  noteEnd(): Promise<void> {
    return Promise.resolve();
  }

  use(leaseId: string): Promise<ContainerUse> {
    return this.#runtime.stats(leaseId);
  }

  async exec(
    leaseId: string,
    command: readonly string[],
    { paths, cwd, timeoutMs, signal }: RunOptions,
  ): Promise<ExecResult> {
    const folder = bundlePaths(paths).bundle;
    return await runInLease(this.#runtime, leaseId, command, { folder, cwd, timeoutMs, signal });
  }

  async list(): Promise<readonly ListedContainer[]> {
    const states = await this.#runtime.states();
    return [...states].map(([leaseId, state]) => ({ leaseId, state: stateOf(state) }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#starting);
  }

  /** Starts what the image itself runs, beside the SSH server; that it fails is told in the log. */
  #startCommand(
    leaseId: string,
    files: {
      readonly bundle: string;
      readonly log: string;
      readonly processFile: string;
      readonly guard: string;
    },
  ): void {
    const starting = this.#runtime.spawn(leaseId, files)
      .catch(async (error) => {
        const line = `${messageOf(error)}\n`;
        // It may be destroyed by now.
        await Deno.writeTextFile(files.log, line, { append: true, create: false }).catch(() => {});
      })
      .finally(() => this.#starting.delete(starting));
    this.#starting.add(starting);
  }

  #groups(leaseId: string): string {
    return `/seedmint-${this.#tag}-${leaseId}`;
  }
}

function stateOf(state: RuntimeState): "running" | "stopped" {
  return state.status === "running" || state.status === "paused" ? "running" : "stopped";
}
