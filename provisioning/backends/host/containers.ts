/**
 * How the containers of leases are run: an engine with a daemon or a program. All else that a lease is
 * (record, disk, network, image) is the same below any of them, see {@link HostBackend}.
 */
import type { Backend, ExecResult, InstanceSpec } from "../../ports.ts";
import type { ServerBundle } from "../../ssh/mod.ts";
import type { RootedTree } from "../../unpack/mod.ts";
import type { LeasePaths } from "./instance.ts";
import type { LeaseRecord } from "./records.ts";

/** What is known before anything is asked for. */
export interface ContainersFacts {
  /** Name and version, for people. */
  readonly description: string;
  /** Why leases cannot run, with what to do. */
  readonly problem?: string;
}

/** What one container does. */
export interface ContainerLook {
  readonly status: "none" | "stopped" | "running" | "paused";
  /** Of its first process, as the host counts; 0 when it does not run. */
  readonly pid: number;
}

/** A container that is there. */
export interface ListedContainer {
  readonly leaseId: string;
  readonly state: "running" | "stopped" | "unknown";
  /** What its labels say, where containers have labels. */
  readonly owner?: string;
  readonly expiresMs?: number;
  readonly hostPort?: number;
}

/** What the processes of a container use. */
export interface ContainerUse {
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly pidCount: number;
}

/** What is there when a container is made: the disk is mounted, its root prepared. */
export interface Ground {
  readonly paths: LeasePaths;
  readonly tree: RootedTree;
  /** Of the image's own command. */
  readonly workingDir: string;
  readonly server: ServerBundle;
  /** The first user of the host that leases get. */
  readonly idBase: number;
  /** Resolvers of names. */
  readonly nameServers: readonly string[];
  readonly signal: AbortSignal;
}

/** What a start needs. */
export interface StartOptions {
  readonly paths: LeasePaths;
  /** The unpacked image below the lease's disk. */
  readonly imageRoot: string;
  readonly idBase: number;
  /** Guards the programs that are run, see `CommandOptions`. */
  readonly guard: string;
  /** Puts up the rules for the lease's packets. */
  readonly guardNetwork: () => Promise<void>;
  /** Links the namespace of this process to the host: not before the rules are up. */
  readonly connect: (pid: number) => Promise<void>;
}

/** How a command is run to its end. */
export interface RunOptions {
  readonly paths: LeasePaths;
  readonly cwd: string;
  /** The container's first process. */
  readonly pid: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Containers by the ids of their leases. Calls throw `SeedmintError`, `unavailable` when it cannot be
 * told what is; each may be repeated after a crash in its midst.
 */
export interface Containers extends AsyncDisposable {
  readonly name: Backend["name"];
  /** Programs that must be installed, with the Debian package that has them. */
  readonly programs: readonly (readonly [program: string, packageName: string])[];
  /** Folders that it wants below the state directory, each with a slash before it. */
  readonly folders: readonly string[];
  facts(): Promise<ContainersFacts>;
  /** Makes what is needed once. @returns The host's user that is root inside; groups alike. */
  ready(): Promise<{ readonly idBase: number }>;
  /** Whether a container of that name is there; asked only where no record of ours tells of it. */
  isTaken(leaseId: string): Promise<boolean>;
  /** Makes the container, or all that is needed to make it at its start. */
  make(spec: InstanceSpec, ground: Ground): Promise<void>;
  /** Mounts and starts it; fine when it runs, and a start that was cut off is begun again. */
  start(record: LeaseRecord, options: StartOptions): Promise<void>;
  /** Starts the image's own command in a container that runs, unless it was, once SSH answers there. */
  beginCommand(record: LeaseRecord, options: Pick<StartOptions, "paths" | "guard">): Promise<void>;
  look(leaseId: string): Promise<ContainerLook>;
  pause(leaseId: string): Promise<void>;
  resume(leaseId: string): Promise<void>;
  /** Ends all its processes and returns once they are gone; fine when there are none. */
  end(leaseId: string): Promise<void>;
  /** The port in the labels of a container whose record is lost. */
  labelledPort(leaseId: string): Promise<number | undefined>;
  /** Forgets an ended container, and lets go of its root; fine when it is gone. */
  remove(leaseId: string, paths: LeasePaths): Promise<void>;
  /** Writes the end to the container's labels, where they can be changed. */
  noteEnd(leaseId: string, expiresMs: number): Promise<void>;
  use(leaseId: string): Promise<ContainerUse>;
  /** Runs a command as root of the lease. @throws {SeedmintError} `timeout`, `aborted`. */
  exec(leaseId: string, command: readonly string[], options: RunOptions): Promise<ExecResult>;
  list(): Promise<readonly ListedContainer[]>;
}
