/** Containers of leases on an engine with a daemon, which can be made again when somebody removed one. */
import type { Clock } from "../../../src/core/ports.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import { readIfThere } from "../../machine/mod.ts";
import type { ExecResult, InstanceSpec } from "../../ports.ts";
import {
  type Containers,
  type ContainerUse,
  EXEC_OUTPUT_BYTES_MAX,
  type Ground,
  ImageCommands,
  type LeasePaths,
  type LeaseRecord,
  type RunOptions,
  type StartOptions,
} from "../host/mod.ts";
import { groupFacts } from "./cgroups.ts";
import { confinementProblem } from "./confinement.ts";
import type { ContainerLook, ContainerSummary, Engine, EngineFacts } from "./engine.ts";
import { END_TRIES_MAX, WAIT_MS } from "./limits.ts";
import { makePlan, readPlan } from "./plan.ts";
import { attachRoot, detachRoot, mountRoot } from "./root.ts";

/** One engine's containers. */
export class EngineContainers implements Containers {
  readonly name: Engine["name"];
  readonly programs = [];
  readonly folders = [];
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #commands: ImageCommands;

  constructor(engine: Engine, options: { readonly clock: Clock }) {
    this.name = engine.name;
    this.#engine = engine;
    this.#clock = options.clock;
    this.#commands = new ImageCommands(options);
  }

  facts(): Promise<EngineFacts> {
    return this.#engine.facts();
  }

  ready(): Promise<{ readonly idBase: number }> {
    return this.#engine.ready();
  }

  async isTaken(leaseId: string): Promise<boolean> {
    return (await this.#engine.look(leaseId)).status !== "none";
  }

  async make(spec: InstanceSpec, ground: Ground): Promise<void> {
    const { order } = await makePlan(spec, ground);
    await this.#engine.create(order, ground);
  }

  async start(record: LeaseRecord, options: StartOptions): Promise<void> {
    const { leaseId } = record;
    const { paths, imageRoot, idBase, guard } = options;
    const { order, command } = await readPlan(paths);
    const before = await this.#engine.look(leaseId);
    if (before.status === "running" || before.status === "paused") {
      if (await readIfThere(noteOf(paths)) === String(before.pid)) {
        return await this.beginCommand(record, options);
      }
      // Cut off in its midst, or started by somebody else: how far it came nobody can tell.
      await this.end(leaseId);
    }
    await this.#commands.renew(leaseId, paths, command !== undefined);
    await mountRoot(paths, imageRoot, { idBase, guard });
    // Somebody removed the container; what it held is here.
    if (before.status === "none") {
      await this.#engine.create({ ...order, expiresMs: record.expiresMs }, {
        signal: new AbortController().signal,
      });
    }
    const targets = await this.#engine.rootTargets(leaseId);
    await attachRoot(paths.rootfs, targets, guard);
    await options.guardNetwork();
    try {
      try {
        await this.#engine.start(leaseId);
      } finally {
        // It has a mount of its own by now; what an operator removes by hand is not to be this one.
        if (targets.length > 0) await detachRoot(paths.rootfs);
      }
      const { pid, status } = await this.#engine.look(leaseId);
      const problem = status === "running"
        ? await confinementProblem(pid, { resources: order.resources, idBase })
        : `it is ${status} at once`;
      if (problem !== undefined) throw unconfined(leaseId, this.name, problem);
      // Not before it is known that it is kept apart.
      await options.connect(pid);
      await Deno.writeTextFile(noteOf(paths), String(pid));
      await this.beginCommand(record, options);
    } catch (error) {
      await this.end(leaseId);
      throw error;
    }
  }

  async beginCommand(record: LeaseRecord, { paths }: Pick<StartOptions, "paths">): Promise<void> {
    const { command } = await readPlan(paths);
    if (command === undefined) return;
    const spawn = () => this.#engine.spawn(record.leaseId, command);
    this.#commands.begin({ record, paths, spawn });
  }

  look(leaseId: string): Promise<ContainerLook> {
    return this.#engine.look(leaseId);
  }

  pause(leaseId: string): Promise<void> {
    return this.#engine.pause(leaseId);
  }

  resume(leaseId: string): Promise<void> {
    return this.#engine.resume(leaseId);
  }

  async end(leaseId: string): Promise<void> {
    this.#commands.stop(leaseId);
    for (let tries = 0;; tries++) {
      const { status } = await this.#engine.look(leaseId);
      if (status === "none" || status === "stopped") return;
      if (tries === END_TRIES_MAX) {
        throw new SeedmintError("unavailable", `Cannot end ${leaseId}: it stays ${status}`, {
          retryable: true,
        });
      }
      // Frozen processes do not even die.
      if (status === "paused") await this.#engine.resume(leaseId);
      if (tries % 20 === 0) await this.#engine.kill(leaseId);
      await this.#clock.sleep(WAIT_MS);
    }
  }

  async labelledPort(leaseId: string): Promise<number | undefined> {
    const container = (await this.#engine.list()).find((each) => each.leaseId === leaseId);
    const port = container?.hostPort;
    return port !== undefined && Number.isInteger(port) && port > 0 ? port : undefined;
  }

  async remove(leaseId: string, paths: LeasePaths): Promise<void> {
    await detachRoot(paths.rootfs);
    await this.#engine.remove(leaseId);
  }

  noteEnd(leaseId: string, expiresMs: number): Promise<void> {
    return this.#engine.noteEnd(leaseId, expiresMs);
  }

  async use(leaseId: string): Promise<ContainerUse> {
    const { pid, status } = await this.#engine.look(leaseId);
    return status === "running" || status === "paused"
      ? await groupFacts(pid)
      : { cpuMs: 0, memoryBytes: 0, pidCount: 0 };
  }

  async exec(
    leaseId: string,
    command: readonly string[],
    { paths, cwd, pid, timeoutMs, signal }: RunOptions,
  ): Promise<ExecResult> {
    const { order, env = order.env } = await readPlan(paths);
    return await this.#engine.exec(leaseId, command, {
      cwd,
      pid,
      timeoutMs,
      signal,
      env,
      outputBytesMax: EXEC_OUTPUT_BYTES_MAX,
    });
  }

  list(): Promise<readonly ContainerSummary[]> {
    return this.#engine.list();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#commands[Symbol.asyncDispose]();
    this.#engine[Symbol.dispose]();
  }
}

/** Tells of the process whose start came to its end. */
function noteOf({ folder }: LeasePaths): string {
  return `${folder}/started`;
}

function unconfined(leaseId: string, engine: string, problem: string): SeedmintError {
  return new SeedmintError(
    "unavailable",
    `Cannot start ${leaseId}: ${problem}; look at the configuration of ${engine}`,
  );
}
