/** Containers of leases on `runc`: no daemon; a container is made at each start from its bundle. */
import { createHash } from "node:crypto";
import type { Clock } from "../../../src/core/ports.ts";
import type { ExecResult, InstanceSpec } from "../../ports.ts";
import {
  type ContainerLook,
  type Containers,
  type ContainersFacts,
  type ContainerUse,
  type Ground,
  ImageCommands,
  type LeaseRecord,
  type ListedContainer,
  logPath,
  mountDisk,
  type RunOptions,
  type StartOptions,
  sweepGroups,
} from "../host/mod.ts";
import { bundlePaths, commandEnvironment, makeBundle } from "./bundle_files.ts";
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
  readonly #commands: ImageCommands;

  constructor(
    options: { readonly stateDir: string; readonly clock: Clock; readonly idBase: number },
  ) {
    this.#clock = options.clock;
    this.#idBase = options.idBase;
    this.#commands = new ImageCommands(options);
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
    const files = { bundle: bundlePaths(paths).bundle, log: logPath(paths), guard };
    if (await this.#runtime.mayKnow(leaseId)) {
      const { status } = await this.#runtime.state(leaseId);
      if (status === "running" || status === "paused") {
        return await this.beginCommand(record, options);
      }
    }
    await this.end(leaseId);
    await this.#commands.renew(leaseId, paths, record.hasCommand);
    await mountDisk(paths, options.imageRoot, options);
    const [pid] = await Promise.all([
      this.#runtime.create(leaseId, files),
      options.guardNetwork(),
    ]);
    await options.connect(pid);
    await this.#runtime.start(leaseId, { guard });
    await this.beginCommand(record, options);
  }

  beginCommand(
    { leaseId, hostPort, hasCommand }: LeaseRecord,
    { paths, guard }: Pick<StartOptions, "paths" | "guard">,
  ): Promise<void> {
    if (hasCommand) {
      const { bundle, processFile } = bundlePaths(paths);
      const files = { bundle, log: logPath(paths), guard, processFile };
      const spawn = () => this.#runtime.spawn(leaseId, files);
      this.#commands.begin({ record: { leaseId, hostPort }, paths, spawn });
    }
    return Promise.resolve();
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
    this.#commands.stop(leaseId);
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
    const files = bundlePaths(paths);
    return await runInLease(this.#runtime, leaseId, command, {
      folder: files.bundle,
      cwd,
      timeoutMs,
      signal,
      env: await commandEnvironment(files),
    });
  }

  async list(): Promise<readonly ListedContainer[]> {
    const states = await this.#runtime.states();
    return [...states].map(([leaseId, state]) => ({ leaseId, state: stateOf(state) }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#commands[Symbol.asyncDispose]();
  }

  #groups(leaseId: string): string {
    return `/seedmint-${this.#tag}-${leaseId}`;
  }
}

function stateOf(state: RuntimeState): "running" | "stopped" {
  return state.status === "running" || state.status === "paused" ? "running" : "stopped";
}
