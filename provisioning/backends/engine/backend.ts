/**
 * Leases on an engine with a daemon. All that is a lease's lies below one directory of ours; the engine
 * runs a container over it, which can be made again when somebody removed it.
 */
import type { Clock, Random } from "../../../src/core/ports.ts";
import { isSeedmintError, messageOf, SeedmintError } from "../../../src/core/errors.ts";
import { isThere, removeTree } from "../../machine/mod.ts";
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
import { type ServerBundle, serverBundle } from "../../ssh/mod.ts";
import { UnpackedImages } from "../../unpack/mod.ts";
import {
  checkLeaseId,
  checkPortsFree,
  checkSpec,
  connectLease,
  disconnectLease,
  EXEC_OUTPUT_BYTES_MAX,
  guardLease,
  isLeaseId,
  isRecordOf,
  type LeaseRecord,
  LOG_LINES_MAX,
  logPath,
  machineCapacity,
  machineProblem,
  NAME_SERVERS,
  readRecord,
  tailOf,
  unmountDisk,
  withLease,
  writeRecord,
} from "../host/mod.ts";
import { confinementProblem } from "./confinement.ts";
import type { ContainerLook, Engine } from "./engine.ts";
import { type InstancePaths, instancePaths, makeInstance, readPlan } from "./instance.ts";
import { statsOf, summaries } from "./facts.ts";
import { END_TRIES_MAX, WAIT_MS } from "./limits.ts";
import { attachRoot, detachRoot, mountRoot } from "./root.ts";

/** How leases on an engine are run. */
export interface EngineOptions {
  /** All that is kept; its path may hold letters, digits and `/._-` only. */
  readonly stateDir: string;
  /** Where lessees connect. */
  readonly publicHost: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Resolvers of names, on public addresses: leases reach no others. */
  readonly nameServers?: readonly string[];
  /** Of one lease, each way. */
  readonly bandwidthBytesPerS?: number;
  /** The largest image, unpacked. */
  readonly imageBytesMax?: number;
}

/** One engine as a backend. */
export class EngineBackend implements Backend {
  readonly name: Engine["name"];
  readonly publicHost: string;
  readonly #engine: Engine;
  readonly #options: EngineOptions;
  #ground: Promise<{ readonly idBase: number; readonly images: UnpackedImages }> | undefined;
  #server: Promise<ServerBundle> | undefined;

  /** Makes the state directory if it is not there. */
  protected constructor(engine: Engine, options: EngineOptions) {
    this.name = engine.name;
    this.publicHost = options.publicHost;
    this.#engine = engine;
    this.#options = options;
    checkStateDir(options.stateDir);
    for (const folder of ["", "/images", "/leases", "/locks", "/server"]) {
      Deno.mkdirSync(options.stateDir + folder, { recursive: true });
      // A lease's root is let through to its own files, and may list nothing.
      Deno.chmodSync(options.stateDir + folder, folder === "/locks" ? 0o700 : 0o711);
    }
  }

  /** Removes what an earlier process left half done; only for the process that lends. */
  protected async clean(): Promise<void> {
    const { stateDir } = this.#options;
    await new UnpackedImages(`${stateDir}/images`, { idOffset: 0 }).clean();
    for await (const { name } of Deno.readDir(`${stateDir}/leases`)) {
      if (name.startsWith("gone-")) await removeTree(`${stateDir}/leases/${name}`);
    }
  }

  async probe(): Promise<BackendProbe> {
    let description: string = this.name;
    let problem = await machineProblem(this.#options.stateDir, []);
    try {
      const facts = await this.#engine.facts();
      description = facts.description;
      problem ??= facts.problem;
      if (problem === undefined) await this.#ready();
    } catch (error) {
      problem ??= messageOf(error);
    }
    return {
      ok: problem === undefined,
      ...(problem === undefined ? {} : { problem }),
      description,
      isolation: "shared-kernel",
      capabilities: ["oci"],
    };
  }

  async capacity(): Promise<Resources> {
    let leaseDiskBytes = 0;
    for (const id of await this.#leaseIds()) {
      const facts = await Deno.stat(this.#paths(id).file).catch(() => undefined);
      leaseDiskBytes += (facts?.blocks ?? 0) * 512;
    }
    return await machineCapacity(this.#options.stateDir, leaseDiskBytes);
  }

  async prepare(image: Image, options: { readonly signal: AbortSignal }): Promise<void> {
    const { images } = await this.#ready();
    await images.unpack(image, options);
  }

  async create(spec: InstanceSpec, options: { readonly signal: AbortSignal }): Promise<void> {
    checkSpec(spec);
    const { images, idBase } = await this.#ready();
    await images.unpack(spec.image, options);
    const server = await this.#serverFiles();
    await this.#hold(spec.leaseId, async (guard) => {
      const paths = this.#paths(spec.leaseId);
      const there = await readRecord(paths.folder);
      if (there?.phase === "made") {
        if (isRecordOf(there, spec)) return;
        throw taken(spec.leaseId);
      }
      await this.#refuseForeign(spec, there);
      await this.#wipe(spec.leaseId, there?.hostPort);
      options.signal.throwIfAborted();
      checkPortsFree(spec);
      try {
        await makeInstance(spec, paths, {
          imageRoot: images.rootOf(spec.image.digest),
          server,
          idBase,
          nameServers: this.#options.nameServers ?? NAME_SERVERS,
          random: this.#options.random,
          guard,
          create: (order) => this.#engine.create(order, options),
        });
      } catch (error) {
        await this.#wipe(spec.leaseId, spec.ssh.hostPort);
        throw error;
      }
    });
  }

  async start(leaseId: string): Promise<void> {
    await this.#hold(
      leaseId,
      async (guard) => await this.#start(await this.#record(leaseId), guard),
    );
  }

  async restart(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async (guard) => {
      const record = await this.#record(leaseId);
      await this.#end(leaseId);
      await this.#start(record, guard);
    });
  }

  async pause(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      const { status } = await this.#existing(leaseId);
      if (status === "running") await this.#engine.pause(leaseId);
    });
  }

  async resume(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      const { status } = await this.#existing(leaseId);
      if (status === "paused") await this.#engine.resume(leaseId);
    });
  }

  async destroy(leaseId: string): Promise<void> {
    checkLeaseId(leaseId);
    await this.#hold(leaseId, async () => {
      const record = await readRecord(this.#paths(leaseId).folder);
      await this.#wipe(leaseId, record?.hostPort);
    });
  }

  /** Destroys what is past its end, unless it was extended meanwhile. @returns Whether it did. */
  async destroyExpired(leaseId: string, graceMs: number): Promise<boolean> {
    checkLeaseId(leaseId);
    return await this.#hold(leaseId, async () => {
      const record = await readRecord(this.#paths(leaseId).folder);
      // A container without a record is another's, or its end may have moved: the provider sweeps it.
      if (record === undefined) return false;
      if (this.#options.clock.nowMs() < record.expiresMs + graceMs) return false;
      await this.#wipe(leaseId, record.hostPort);
      return true;
    });
  }

  async state(leaseId: string): Promise<InstanceState> {
    try {
      checkLeaseId(leaseId);
      const record = await readRecord(this.#paths(leaseId).folder);
      const { status } = await this.#engine.look(leaseId);
      if (status === "none") return record === undefined ? "absent" : "stopped";
      return status === "stopped" ? "stopped" : "running";
    } catch (error) {
      if (isSeedmintError(error)) return "unknown";
      throw error;
    }
  }

  async extend(leaseId: string, expiresMs: number): Promise<void> {
    await this.#hold(leaseId, async () => {
      const record = await this.#record(leaseId);
      await writeRecord(this.#paths(leaseId).folder, { ...record, expiresMs });
      try {
        await this.#engine.noteEnd(leaseId, expiresMs);
      } catch (error) {
        // The record is what counts, and a container that somebody removed has no labels.
        if (!isSeedmintError(error)) throw error;
      }
    });
  }

  async stats(leaseId: string): Promise<InstanceStats> {
    const record = await this.#record(leaseId);
    const { pid, status } = await this.#engine.look(leaseId);
    return await statsOf(record, {
      pid: status === "running" || status === "paused" ? pid : undefined,
      mount: this.#paths(leaseId).mount,
    });
  }

  async logs(leaseId: string, options: { readonly lineCount: number }): Promise<string> {
    await this.#record(leaseId);
    const path = logPath(this.#paths(leaseId));
    return await tailOf(path, Math.min(options.lineCount, LOG_LINES_MAX));
  }

  async exec(
    leaseId: string,
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<ExecResult> {
    const { workingDir } = await this.#record(leaseId);
    if (command.length === 0 || command.some((word) => word.includes("\0"))) {
      throw new SeedmintError(
        "invalid",
        `Cannot run a command in ${leaseId}: it is empty or no text`,
      );
    }
    const { status, pid } = await this.#engine.look(leaseId);
    if (status !== "running") {
      throw new SeedmintError("conflict", `Cannot run a command in ${leaseId}: it is ${status}`);
    }
    const { order } = await readPlan(this.#paths(leaseId));
    return await this.#engine.exec(leaseId, command, {
      ...options,
      cwd: workingDir,
      env: order.env,
      pid,
      outputBytesMax: EXEC_OUTPUT_BYTES_MAX,
    });
  }

  async list(): Promise<readonly InstanceSummary[]> {
    return await summaries(await this.#leaseIds(), {
      containers: await this.#engine.list(),
      recordOf: (leaseId) => readRecord(this.#paths(leaseId).folder),
    });
  }

  /** Removes unpacked images that no lease stands on, except those in `keep`. */
  async prune(keep: ReadonlySet<string>): Promise<void> {
    const { images } = await this.#ready();
    const used = new Set<string>(keep);
    for (const leaseId of await this.#leaseIds()) {
      const record = await readRecord(this.#paths(leaseId).folder);
      if (record !== undefined) used.add(record.image);
    }
    for (const digest of await images.list()) {
      if (!used.has(digest)) await images.remove(digest);
    }
  }

  /** Leaves the leases running. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#engine[Symbol.dispose]();
    return Promise.resolve();
  }

  async #start(record: LeaseRecord, guard: string): Promise<void> {
    const { leaseId } = record;
    const paths = this.#paths(leaseId);
    const { images, idBase } = await this.#ready();
    const { order, command } = await readPlan(paths);
    const before = await this.#engine.look(leaseId);
    if (before.status === "running" || before.status === "paused") return;
    await mountRoot(paths, images.rootOf(record.image), { idBase, guard });
    // Somebody removed the container; what it held is here.
    if (before.status === "none") {
      await this.#engine.create({ ...order, expiresMs: record.expiresMs }, {
        signal: new AbortController().signal,
      });
    }
    const targets = await this.#engine.rootTargets(leaseId);
    await attachRoot(paths.rootfs, targets, guard);
    const { bandwidthBytesPerS } = this.#options;
    await guardLease(record, {
      guard,
      ...(bandwidthBytesPerS === undefined ? {} : { bandwidthBytesPerS }),
    });
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
      await connectLease(record.hostPort, pid, { guard });
      if (command !== undefined) await this.#engine.spawn(leaseId, command);
    } catch (error) {
      await this.#end(leaseId);
      throw error;
    }
  }

  /** Ends all processes of a lease and waits until they are gone. */
  async #end(leaseId: string): Promise<void> {
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
      await this.#options.clock.sleep(WAIT_MS);
    }
  }

  async #wipe(leaseId: string, hostPort: number | undefined): Promise<void> {
    const paths = this.#paths(leaseId);
    await this.#end(leaseId);
    const port = hostPort ?? await this.#labelledPort(leaseId);
    await detachRoot(paths.rootfs);
    await this.#engine.remove(leaseId);
    if (port !== undefined) await disconnectLease(port);
    await unmountDisk(paths, this.#options.clock);
    if (!await isThere(paths.folder)) return;
    // Away at once: what is half removed must not look like a lease.
    const gone = `${this.#options.stateDir}/leases/gone-${crypto.randomUUID()}`;
    await Deno.rename(paths.folder, gone);
    await removeTree(gone);
  }

  /** A container of that name which is not ours is left alone. */
  async #refuseForeign(spec: InstanceSpec, there: LeaseRecord | undefined): Promise<void> {
    const { status } = await this.#engine.look(spec.leaseId);
    if (status === "none" || there !== undefined) return;
    throw taken(spec.leaseId);
  }

  async #labelledPort(leaseId: string): Promise<number | undefined> {
    const container = (await this.#engine.list()).find((each) => each.leaseId === leaseId);
    const port = container?.hostPort;
    return port !== undefined && Number.isInteger(port) && port > 0 ? port : undefined;
  }

  async #existing(leaseId: string): Promise<ContainerLook> {
    await this.#record(leaseId);
    return await this.#engine.look(leaseId);
  }

  async #record(leaseId: string): Promise<LeaseRecord> {
    checkLeaseId(leaseId);
    const record = await readRecord(this.#paths(leaseId).folder);
    if (record?.phase === "made") return record;
    throw new SeedmintError(
      "not-found",
      `Cannot find ${leaseId}: no such lease is on ${this.name} here`,
    );
  }

  async #leaseIds(): Promise<string[]> {
    const found: string[] = [];
    for await (const { name } of Deno.readDir(`${this.#options.stateDir}/leases`)) {
      if (isLeaseId(name)) found.push(name);
    }
    return found.sort();
  }

  #hold<T>(leaseId: string, work: (guard: string) => Promise<T>): Promise<T> {
    return withLease(`${this.#options.stateDir}/locks`, leaseId, work);
  }

  async #ready() {
    this.#ground ??= this.#engine.ready().then(({ idBase }) => {
      const { stateDir, imageBytesMax } = this.#options;
      const images = new UnpackedImages(`${stateDir}/images`, {
        idOffset: idBase,
        ...(imageBytesMax === undefined ? {} : { imageBytesMax }),
      });
      return { idBase, images };
    });
    try {
      return await this.#ground;
    } catch (error) {
      this.#ground = undefined;
      throw error;
    }
  }

  async #serverFiles(): Promise<ServerBundle> {
    this.#server ??= serverBundle(`${this.#options.stateDir}/server`);
    try {
      return await this.#server;
    } catch (error) {
      this.#server = undefined;
      throw error;
    }
  }

  #paths(leaseId: string): InstancePaths {
    return instancePaths(`${this.#options.stateDir}/leases/${leaseId}`);
  }
}

function checkStateDir(stateDir: string): void {
  if (/^\/[A-Za-z0-9/._-]+$/.test(stateDir)) return;
  throw new SeedmintError(
    "usage",
    `Cannot keep leases in ${stateDir}: an absolute path of letters, digits and /._- is wanted`,
  );
}

function taken(leaseId: string): SeedmintError {
  return new SeedmintError(
    "conflict",
    `Cannot create ${leaseId}: another lease of that name is here; destroy it first`,
  );
}

function unconfined(leaseId: string, engine: string, problem: string): SeedmintError {
  return new SeedmintError(
    "unavailable",
    `Cannot start ${leaseId}: ${problem}; look at the configuration of ${engine}`,
  );
}
