/**
 * Leases on `runc`: no daemon, nothing but files below one directory, a container, a link and a table
 * of packet rules for each. Containers outlive this process; another one finds them by their records.
 */
import { createHash } from "node:crypto";
import type { Clock, Random } from "../../../src/core/ports.ts";
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import { diskOf, isThere, removeTree } from "../../machine/mod.ts";
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
  guardLease,
  isLeaseId,
  isRecordOf,
  type LeaseRecord,
  LOG_LINES_MAX,
  logPath,
  machineCapacity,
  machineProblem,
  mountDisk,
  NAME_SERVERS,
  readRecord,
  sweepGroups,
  tailOf,
  trafficOf,
  unmountDisk,
  withLease,
  writeRecord,
} from "../host/mod.ts";
import { runInLease } from "./exec.ts";
import { type InstancePaths, instancePaths, makeInstance } from "./instance.ts";
import { Runtime, type RuntimeState } from "./runtime.ts";

/** How leases on this machine are run. */
export interface RuncOptions {
  /** All that is kept; its path may hold letters, digits and `/._-` only. */
  readonly stateDir: string;
  /** Where lessees connect. */
  readonly publicHost: string;
  readonly clock: Clock;
  readonly random: Random;
  /** The first of 65 536 users of the host that leases get, groups alike. @default {200000} */
  readonly idBase?: number;
  /** Resolvers of names, on public addresses: leases reach no others. */
  readonly nameServers?: readonly string[];
  /** Of one lease, each way. @default {BANDWIDTH_BYTES_PER_S} */
  readonly bandwidthBytesPerS?: number;
  /** The largest image, unpacked. @default {IMAGE_BYTES_MAX} */
  readonly imageBytesMax?: number;
}

const MIB = 1024 * 1024;

/** The embedded backend. */
export class RuncBackend implements Backend {
  readonly name = "runc";
  readonly publicHost: string;
  readonly #options: RuncOptions;
  readonly #idBase: number;
  readonly #runtime: Runtime;
  readonly #images: UnpackedImages;
  readonly #tag: string;
  /** Commands of images that are being started. */
  readonly #starting = new Set<Promise<void>>();
  #server: Promise<ServerBundle> | undefined;

  private constructor(options: RuncOptions) {
    this.#options = options;
    this.publicHost = options.publicHost;
    this.#idBase = options.idBase ?? 200_000;
    this.#runtime = new Runtime(`${options.stateDir}/runc`, { clock: options.clock });
    this.#images = new UnpackedImages(`${options.stateDir}/images`, {
      idOffset: this.#idBase,
      ...(options.imageBytesMax === undefined ? {} : { imageBytesMax: options.imageBytesMax }),
    });
    this.#tag = createHash("sha256").update(options.stateDir).digest("hex").slice(0, 8);
  }

  /**
   * Opens the state directory, and makes it if it is not there. One process at a time may unpack
   * images; {@link RuncBackend.attach} is for others.
   */
  static async open(options: RuncOptions): Promise<RuncBackend> {
    const backend = await RuncBackend.attach(options);
    await backend.#images.clean();
    for await (const { name } of Deno.readDir(`${options.stateDir}/leases`)) {
      if (name.startsWith("gone-")) await removeTree(`${options.stateDir}/leases/${name}`);
    }
    return backend;
  }

  /** Works on the leases beside the process that opened the directory, as the watchdog does. */
  static async attach(options: RuncOptions): Promise<RuncBackend> {
    const { stateDir } = options;
    if (!/^\/[A-Za-z0-9/._-]+$/.test(stateDir)) {
      throw new SeedmintError(
        "usage",
        `Cannot keep leases in ${stateDir}: an absolute path of letters, digits and /._- is wanted`,
      );
    }
    for (const folder of ["", "/images", "/leases", "/locks", "/runc", "/server"]) {
      await Deno.mkdir(stateDir + folder, { recursive: true });
      // A lease's root is let through to its own files, and may list nothing.
      await Deno.chmod(stateDir + folder, folder === "/locks" ? 0o700 : 0o711);
    }
    return new RuncBackend(options);
  }

  async probe(): Promise<BackendProbe> {
    const problem = await machineProblem(this.#options.stateDir, [["runc", "runc"]]);
    const description = await this.#runtime.version().catch(() => "runc");
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
    await this.#images.unpack(image, options);
  }

  async create(spec: InstanceSpec, options: { readonly signal: AbortSignal }): Promise<void> {
    checkSpec(spec);
    await this.#images.unpack(spec.image, options);
    const server = await this.#serverFiles();
    await this.#hold(spec.leaseId, async (guard) => {
      const paths = this.#paths(spec.leaseId);
      const there = await readRecord(paths.folder);
      if (there?.phase === "made") {
        if (isRecordOf(there, spec)) return;
        throw new SeedmintError(
          "conflict",
          `Cannot create ${spec.leaseId}: another lease of that name is here; destroy it first`,
        );
      }
      await this.#wipe(spec.leaseId, there?.hostPort);
      options.signal.throwIfAborted();
      checkPortsFree(spec);
      try {
        await makeInstance(spec, paths, {
          imageRoot: this.#images.rootOf(spec.image.digest),
          server,
          idBase: this.#idBase,
          cgroupsPath: this.#groups(spec.leaseId),
          nameServers: this.#options.nameServers ?? NAME_SERVERS,
          random: this.#options.random,
          clock: this.#options.clock,
          guard,
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
      if (status === "running") await this.#runtime.pause(leaseId);
    });
  }

  async resume(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      const { status } = await this.#existing(leaseId);
      if (status === "paused") await this.#runtime.resume(leaseId);
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
      const state = await this.#runtime.state(leaseId);
      if (state.status === "none") return record === undefined ? "absent" : "stopped";
      return stateOf(state);
    } catch (error) {
      if (isSeedmintError(error)) return "unknown";
      throw error;
    }
  }

  async extend(leaseId: string, expiresMs: number): Promise<void> {
    await this.#hold(leaseId, async () => {
      const record = await this.#record(leaseId);
      await writeRecord(this.#paths(leaseId).folder, { ...record, expiresMs });
    }, { isRecordOnly: true });
  }

  async stats(leaseId: string): Promise<InstanceStats> {
    const record = await this.#record(leaseId);
    const [used, traffic, disk] = await Promise.all([
      this.#runtime.stats(leaseId),
      trafficOf(record.hostPort),
      diskOf(this.#paths(leaseId).mount),
    ]);
    return {
      cpuMs: used.cpuMs,
      memoryMb: Math.ceil(used.memoryBytes / MIB),
      pidCount: used.pidCount,
      diskMb: Math.ceil(disk.usedBytes / MIB),
      ...traffic,
    };
  }

  async logs(leaseId: string, options: { readonly lineCount: number }): Promise<string> {
    await this.#record(leaseId);
    return await tailOf(
      logPath(this.#paths(leaseId)),
      Math.min(options.lineCount, LOG_LINES_MAX),
    );
  }

  async exec(
    leaseId: string,
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<ExecResult> {
    const record = await this.#record(leaseId);
    const { status } = await this.#existing(leaseId);
    if (status !== "running") {
      throw new SeedmintError("conflict", `Cannot run a command in ${leaseId}: it is ${status}`);
    }
    return await runInLease(this.#runtime, leaseId, command, {
      ...options,
      cwd: record.workingDir,
      folder: this.#paths(leaseId).bundle,
    });
  }

  async list(): Promise<readonly InstanceSummary[]> {
    const states = await this.#runtime.states();
    const found: InstanceSummary[] = [];
    for (const leaseId of await this.#leaseIds()) {
      let record: LeaseRecord | undefined;
      try {
        record = await readRecord(this.#paths(leaseId).folder);
      } catch {
        // Whose it is cannot be told; that it is here must be.
        found.push({ leaseId, owner: "", expiresMs: 0, state: "unknown" });
        continue;
      }
      if (record === undefined) continue;
      const state = states.get(leaseId);
      found.push({
        leaseId,
        owner: record.owner,
        expiresMs: record.expiresMs,
        state: state === undefined ? "stopped" : stateOf(state),
      });
    }
    return found;
  }

  /** Removes unpacked images that no lease stands on, except those in `keep`. */
  async prune(keep: ReadonlySet<string>): Promise<void> {
    const used = new Set<string>(keep);
    for (const leaseId of await this.#leaseIds()) {
      const record = await readRecord(this.#paths(leaseId).folder);
      if (record !== undefined) used.add(record.image);
    }
    for (const digest of await this.#images.list()) {
      if (!used.has(digest)) await this.#images.remove(digest);
    }
  }

  /** Leaves the leases running. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#starting);
  }

  async #start(record: LeaseRecord, guard: string): Promise<void> {
    const { leaseId } = record;
    const paths = this.#paths(leaseId);
    if (await this.#runtime.mayKnow(leaseId)) {
      const { status } = await this.#runtime.state(leaseId);
      if (status === "running" || status === "paused") return;
    }
    await this.#end(leaseId);
    await mountDisk(paths, this.#images.rootOf(record.image), {
      idBase: this.#idBase,
      guard,
    });
    const files = { bundle: paths.bundle, log: logPath(paths), guard };
    const { bandwidthBytesPerS } = this.#options;
    const [pid] = await Promise.all([
      this.#runtime.create(leaseId, files),
      guardLease(record, {
        guard,
        ...(bandwidthBytesPerS === undefined ? {} : { bandwidthBytesPerS }),
      }),
    ]);
    await connectLease(record.hostPort, pid, { guard });
    await this.#runtime.start(leaseId, { guard });
    if (record.hasCommand) this.#startCommand(leaseId, paths, guard);
  }

  /** Starts what the image itself runs, beside the SSH server; that it fails is told in the log. */
  #startCommand(leaseId: string, paths: InstancePaths, guard: string): void {
    const files = {
      bundle: paths.bundle,
      log: logPath(paths),
      processFile: paths.processFile,
      guard,
    };
    const starting = this.#runtime.spawn(leaseId, files)
      .catch(async (error) => {
        const line = `${error instanceof Error ? error.message : String(error)}\n`;
        // It may be destroyed by now.
        await Deno.writeTextFile(files.log, line, { append: true, create: false }).catch(() => {});
      })
      .finally(() => this.#starting.delete(starting));
    this.#starting.add(starting);
  }

  /** Ends all processes of a lease, those that the runtime lost, too. */
  async #end(leaseId: string): Promise<void> {
    await this.#runtime.remove(leaseId);
    await sweepGroups(this.#groups(leaseId), this.#options.clock);
  }

  #groups(leaseId: string): string {
    return `/seedmint-${this.#tag}-${leaseId}`;
  }

  async #wipe(leaseId: string, hostPort: number | undefined): Promise<void> {
    const paths = this.#paths(leaseId);
    await this.#end(leaseId);
    if (hostPort !== undefined) await disconnectLease(hostPort);
    await unmountDisk(paths, this.#options.clock);
    if (!await isThere(paths.folder)) return;
    // Away at once: what is half removed must not look like a lease.
    const gone = `${this.#options.stateDir}/leases/gone-${crypto.randomUUID()}`;
    await Deno.rename(paths.folder, gone);
    await removeTree(gone);
  }

  async #existing(leaseId: string): Promise<RuntimeState> {
    await this.#record(leaseId);
    return await this.#runtime.state(leaseId);
  }

  async #record(leaseId: string): Promise<LeaseRecord> {
    checkLeaseId(leaseId);
    const record = await readRecord(this.#paths(leaseId).folder);
    if (record?.phase === "made") return record;
    throw new SeedmintError("not-found", `Cannot find ${leaseId}: no such lease is on runc here`);
  }

  async #leaseIds(): Promise<string[]> {
    const found: string[] = [];
    for await (const { name } of Deno.readDir(`${this.#options.stateDir}/leases`)) {
      if (isLeaseId(name)) found.push(name);
    }
    return found.sort();
  }

  #hold<T>(
    leaseId: string,
    work: (guard: string) => Promise<T>,
    options: { readonly isRecordOnly?: boolean } = {},
  ): Promise<T> {
    return withLease(`${this.#options.stateDir}/locks`, leaseId, work, options);
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

function stateOf(state: RuntimeState): "running" | "stopped" {
  return state.status === "running" || state.status === "paused" ? "running" : "stopped";
}
