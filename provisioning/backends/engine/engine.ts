/** What a daemon must be able to do for leases; one file a daemon implements it. */
import type { ExecResult, Resources } from "../../ports.ts";
import type { ContainerLook, ContainersFacts } from "../host/mod.ts";

export type { ContainerLook };

/** What is known of an engine before anything is asked of it. */
export type EngineFacts = ContainersFacts;

/** A container as the engine is told to make it. */
export interface ContainerOrder {
  readonly leaseId: string;
  readonly owner: string;
  readonly expiresMs: number;
  readonly hostPort: number;
  /** What runs first: our SSH server. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly resources: Resources;
  /** Open files of one process. */
  readonly openFilesMax: number;
  readonly nameServers: readonly string[];
  /** The host's user that is root inside. */
  readonly idBase: number;
  /** Its root file system, mounted by us. */
  readonly rootfs: string;
  readonly mounts: readonly {
    readonly source: string;
    readonly target: string;
    readonly isReadOnly: boolean;
    readonly isExecutable: boolean;
  }[];
}

/** A container with our labels, and with this provider's tag. */
export interface ContainerSummary {
  readonly leaseId: string;
  readonly owner: string;
  readonly expiresMs: number;
  readonly hostPort: number;
  readonly state: "running" | "stopped" | "unknown";
}

/** A process that is left running in a container. */
export interface EngineCommand {
  readonly args: readonly string[];
  readonly uid: number;
  readonly gid: number;
  readonly cwd: string;
  readonly env: readonly string[];
}

/** How a command is run to its end. */
export interface ExecOptions {
  readonly cwd: string;
  readonly env: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Of each stream. */
  readonly outputBytesMax: number;
  /** The container's first process, to know its processes by. */
  readonly pid: number;
}

/**
 * One daemon. Calls throw `SeedmintError`: `unavailable` when it does not answer, `not-found` for a
 * container that it does not have.
 */
export interface Engine extends Disposable {
  readonly name: "docker" | "podman" | "lxd" | "incus";
  /** @throws {SeedmintError} `unavailable` */
  facts(): Promise<EngineFacts>;
  /**
   * Makes what is needed once: an empty image, a pool.
   *
   * @returns The host's user that is root inside of its containers; groups alike.
   */
  ready(): Promise<{ readonly idBase: number }>;
  /** Makes a container that does not run. */
  create(order: ContainerOrder, options: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * Where the engine looks for the container's root: our directory is mounted there, one over the
   * other, before each start. Empty if it was told the directory itself.
   */
  rootTargets(leaseId: string): Promise<readonly string[]>;
  start(leaseId: string): Promise<void>;
  look(leaseId: string): Promise<ContainerLook>;
  /** Ends all its processes; fine when there are none. Need not wait for their end. */
  kill(leaseId: string): Promise<void>;
  /** Forgets a container that does not run; fine when it is gone. */
  remove(leaseId: string): Promise<void>;
  pause(leaseId: string): Promise<void>;
  resume(leaseId: string): Promise<void>;
  /** Writes the end to the container's labels, where an engine can change them. */
  noteEnd(leaseId: string, expiresMs: number): Promise<void>;
  /** Starts a process that outlives the call and us. */
  spawn(leaseId: string, command: EngineCommand): Promise<void>;
  /** Runs a command as the container's root. @throws {SeedmintError} `timeout`, `aborted`. */
  exec(leaseId: string, command: readonly string[], options: ExecOptions): Promise<ExecResult>;
  /** All containers with our labels. */
  list(): Promise<readonly ContainerSummary[]>;
}
