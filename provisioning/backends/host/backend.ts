/**
 * Leases on this machine, however their containers are run. All that is a lease's lies below one
 * directory of ours and outlives this process; another one finds it by its record.
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../../src/core/errors.ts";
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
import { checkLeaseId, checkPortsFree, checkSpec, isLeaseId } from "./check_spec.ts";
import type { ContainerLook, Containers } from "./containers.ts";
import { logPath, unmountDisk } from "./disk.ts";
import { NAME_SERVERS } from "./inside.ts";
import { isCommandDue } from "./image_commands.ts";
import { type LeasePaths, leasePaths, makeInstance } from "./instance.ts";
import { withLease } from "./lease_lock.ts";
import { LOG_LINES_MAX } from "./limits.ts";
import { tailOf } from "./log_tail.ts";
import { machineCapacity, machineProblem } from "./machine_facts.ts";
import { HostNetwork } from "./host_network.ts";
import type { HostOptions } from "./host_options.ts";
import { checkLinkFree, disconnectLease, trafficOf } from "./network.ts";
import { isRecordOf, type LeaseRecord, readRecord, writeRecord } from "./records.ts";
import { raiseSharedLimits } from "./shared_limits.ts";
import { summaries } from "./summaries.ts";

const MIB = 1024 * 1024;

/** Containers as a backend. */
export class HostBackend implements Backend {
  readonly name: Backend["name"];
  readonly publicHost: string;
  readonly #containers: Containers;
  readonly #options: HostOptions;
  readonly #network: HostNetwork;
  #ground: Promise<{ readonly idBase: number; readonly images: UnpackedImages }> | undefined;
  #server: Promise<ServerBundle> | undefined;

  /** Makes the state directory if it is not there. */
  protected constructor(containers: Containers, options: HostOptions) {
    this.name = containers.name;
    this.publicHost = options.publicHost;
    this.#containers = containers;
    this.#options = options;
    this.#network = new HostNetwork(options);
    checkStateDir(options.stateDir);
    for (const folder of ["", "/images", "/leases", "/locks", "/server", ...containers.folders]) {
      Deno.mkdirSync(options.stateDir + folder, { recursive: true });
      // A lease's root is let through to its own files, and may list nothing.
      Deno.chmodSync(options.stateDir + folder, folder === "/locks" ? 0o700 : 0o711);
    }
  }

  /** Removes what an earlier process left half done; only for the process that lends. */
  protected async clean(): Promise<void> {
    this.#network.lend();
    const { stateDir } = this.#options;
    await new UnpackedImages(`${stateDir}/images`, { idOffset: 0 }).clean();
    for await (const { name } of Deno.readDir(`${stateDir}/leases`)) {
      if (name.startsWith("gone-")) await removeTree(`${stateDir}/leases/${name}`);
    }
  }

  async probe(): Promise<BackendProbe> {
    let description: string = this.name;
    let problem = await machineProblem(this.#options.stateDir, this.#containers.programs);
    try {
      const facts = await this.#containers.facts();
      description = facts.description;
      problem ??= facts.problem;
      if (problem === undefined) {
        await this.#ready();
        problem = await this.#network.problem();
      }
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
      // A container of that name which is not ours is left alone.
      if (there === undefined && await this.#containers.isTaken(spec.leaseId)) {
        throw taken(spec.leaseId);
      }
      // A network comes with the first start only: none of this port is of this lease.
      await this.#wipe(spec.leaseId);
      options.signal.throwIfAborted();
      checkPortsFree(spec);
      // Asked while the disk is made.
      const isFree = checkLinkFree(spec.leaseId, spec.ssh.hostPort);
      isFree.catch(() => {});
      const nameServers = this.#options.nameServers ?? NAME_SERVERS;
      try {
        await makeInstance(spec, paths, {
          imageRoot: images.rootOf(spec.image.digest),
          server,
          idBase,
          nameServers,
          random: this.#options.random,
          guard,
          makeContainer: async (made) => {
            const { signal } = options;
            await isFree;
            await this.#containers.make(spec, {
              ...made,
              paths,
              server,
              idBase,
              nameServers,
              signal,
            });
          },
        });
      } catch (error) {
        await this.#wipe(spec.leaseId);
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
      await this.#containers.end(leaseId);
      await this.#start(record, guard);
    });
  }

  async pause(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      const { status } = await this.#existing(leaseId);
      if (status === "running") await this.#containers.pause(leaseId);
    });
  }

  async resume(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      const { status } = await this.#existing(leaseId);
      if (status === "paused") await this.#containers.resume(leaseId);
    });
  }

  async destroy(leaseId: string): Promise<void> {
    checkLeaseId(leaseId);
    await this.#hold(leaseId, async () => {
      const record = await readRecord(this.#paths(leaseId).folder);
      await this.#wipe(leaseId, await this.#portOf(leaseId, record));
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
      await this.#wipe(leaseId, await this.#portOf(leaseId, record));
      return true;
    });
  }

  async state(leaseId: string): Promise<InstanceState> {
    try {
      checkLeaseId(leaseId);
      const record = await readRecord(this.#paths(leaseId).folder);
      const { status } = await this.#containers.look(leaseId);
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
        await this.#containers.noteEnd(leaseId, expiresMs);
      } catch (error) {
        // The record is what counts, and a container that somebody removed has no labels.
        if (!isSeedmintError(error)) throw error;
      }
    }, { isRecordOnly: true });
  }

  async stats(leaseId: string): Promise<InstanceStats> {
    const record = await this.#record(leaseId);
    const [used, traffic, disk] = await Promise.all([
      this.#containers.use(leaseId),
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
    const { status, pid } = await this.#containers.look(leaseId);
    if (status !== "running") {
      throw new SeedmintError("conflict", `Cannot run a command in ${leaseId}: it is ${status}`);
    }
    return await this.#containers.exec(leaseId, command, {
      ...options,
      paths: this.#paths(leaseId),
      cwd: workingDir,
      pid,
    });
  }

  async list(): Promise<readonly InstanceSummary[]> {
    const containers = await this.#containers.list();
    return await summaries(await this.#leaseIds(), {
      containers,
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

  /**
   * Puts back what running leases lack of their network, as after a firewall was loaded anew: first what
   * keeps the host closed, then rules, then links. A start that was cut off is finished.
   */
  async repair(): Promise<readonly string[]> {
    const { state, said } = await this.#network.repairGuard();
    const lines = [...said];
    const ports = new Set<number>();
    for (const leaseId of await this.#leaseIds()) {
      try {
        const record = await readRecord(this.#paths(leaseId).folder);
        if (record === undefined) continue;
        ports.add(record.hostPort);
        if (record.phase !== "made") continue;
        const { hasRules, hasLink } = await this.#network.presenceOf(record, state);
        if (!(hasRules && hasLink) && await this.#reconnect(leaseId)) {
          lines.push(`${leaseId} ran without its packet rules or its link; they are back`);
        }
        if (await isCommandDue(this.#paths(leaseId))) await this.#beginCommand(leaseId);
      } catch (error) {
        lines.push(`The network of ${leaseId} cannot be put back: ${messageOf(error)}`);
      }
    }
    // Whose record cannot be read may have any port.
    if (lines.length === said.length) await this.#network.sweep(state, ports);
    // Last: what cannot be opened keeps nothing from being closed.
    return [...lines, ...await this.#network.open(state)];
  }

  /** Leaves the leases running. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#containers[Symbol.asyncDispose]();
    if ((await this.#leaseIds()).length === 0) await this.#network.close();
  }

  /** @returns Whether it runs, and lacked something. */
  async #reconnect(leaseId: string): Promise<boolean> {
    // Those that do not run need nothing, and are not waited for.
    if (!isUp(await this.#containers.look(leaseId))) return false;
    return await this.#hold(leaseId, async (guard) => {
      const record = await readRecord(this.#paths(leaseId).folder);
      if (record?.phase !== "made") return false;
      const { hasRules, hasLink } = await this.#network.presenceOf(record);
      if ((hasRules && hasLink) || !isUp(await this.#containers.look(leaseId))) return false;
      const network = this.#network.of(record, guard);
      await network.guardNetwork();
      if (hasLink) return true;
      // Where a start was cut off before its link was made, it is begun again, and makes it.
      await this.#start(record, guard);
      if ((await this.#network.presenceOf(record)).hasLink) return true;
      await network.connect((await this.#containers.look(leaseId)).pid);
      return true;
    });
  }

  /** What a process that was killed, or that gave up waiting, has left to do. */
  async #beginCommand(leaseId: string): Promise<void> {
    // One that is being started gets it by itself, and is not waited for.
    if ((await this.#containers.look(leaseId)).status !== "running") return;
    const paths = this.#paths(leaseId);
    await this.#hold(leaseId, async (guard) => {
      const record = await readRecord(paths.folder);
      const { status } = await this.#containers.look(leaseId);
      if (record?.phase !== "made" || status !== "running") return;
      await this.#containers.beginCommand(record, { paths, guard });
    });
  }

  async #start(record: LeaseRecord, guard: string): Promise<void> {
    const { images, idBase } = await this.#ready();
    await this.#containers.start(record, {
      paths: this.#paths(record.leaseId),
      imageRoot: images.rootOf(record.image),
      idBase,
      guard,
      ...this.#network.of(record, guard),
    });
  }

  /** The port whose link and rules may be there; one that was never made whole has none. */
  async #portOf(leaseId: string, record: LeaseRecord | undefined): Promise<number | undefined> {
    if (record === undefined) return await this.#containers.labelledPort(leaseId);
    return record.phase === "made" ? record.hostPort : undefined;
  }

  async #wipe(leaseId: string, hostPort?: number): Promise<void> {
    const paths = this.#paths(leaseId);
    await this.#containers.end(leaseId);
    await this.#containers.remove(leaseId, paths);
    if (hostPort !== undefined) await disconnectLease(hostPort);
    await unmountDisk(paths, this.#options.clock);
    if (!await isThere(paths.folder)) return;
    // Away at once: what is half removed must not look like a lease.
    const gone = `${this.#options.stateDir}/leases/gone-${crypto.randomUUID()}`;
    await Deno.rename(paths.folder, gone);
    await removeTree(gone);
  }

  async #existing(leaseId: string): Promise<ContainerLook> {
    await this.#record(leaseId);
    return await this.#containers.look(leaseId);
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

  #hold<T>(
    leaseId: string,
    work: (guard: string) => Promise<T>,
    options: { readonly isRecordOnly?: boolean } = {},
  ): Promise<T> {
    return withLease(`${this.#options.stateDir}/locks`, leaseId, work, options);
  }

  async #ready() {
    this.#ground ??= this.#containers.ready().then(async ({ idBase }) => {
      await raiseSharedLimits();
      const { stateDir, imageBytesMax, keptImages, disk } = this.#options;
      const images = new UnpackedImages(`${stateDir}/images`, {
        idOffset: idBase,
        ...(imageBytesMax === undefined ? {} : { imageBytesMax }),
        ...(disk === undefined ? {} : { disk }),
        ...(keptImages === undefined ? {} : { makeRoom: () => this.prune(keptImages()) }),
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

  #paths(leaseId: string): LeasePaths {
    return leasePaths(`${this.#options.stateDir}/leases/${leaseId}`);
  }
}

function checkStateDir(stateDir: string): void {
  if (/^\/[A-Za-z0-9/._-]+$/.test(stateDir)) return;
  throw new SeedmintError(
    "usage",
    `Cannot keep leases in ${stateDir}: an absolute path of letters, digits and /._- is wanted`,
  );
}

function isUp({ status }: ContainerLook): boolean {
  return status === "running" || status === "paused";
}

function taken(leaseId: string): SeedmintError {
  return new SeedmintError(
    "conflict",
    `Cannot create ${leaseId}: another lease of that name is here; destroy it first`,
  );
}
