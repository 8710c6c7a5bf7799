/** The files of one lease on an engine, and what the engine is told of it. */
import type { Random } from "../../../src/core/ports.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import { readIfThere, writeWhole } from "../../machine/mod.ts";
import type { InstanceSpec } from "../../ports.ts";
import type { ServerBundle } from "../../ssh/mod.ts";
import { RootedTree } from "../../unpack/mod.ts";
import {
  type DiskPaths,
  environment,
  imageCommand,
  LEASE_AT,
  logPath,
  makeDisk,
  makeOwnFolder,
  mountDisk,
  openFilesMax,
  prepareTree,
  recordOf,
  SERVER_AT,
  serverCommand,
  userOf,
  workingDirIn,
  writeRecord,
} from "../host/mod.ts";
import type { ContainerOrder, EngineCommand } from "./engine.ts";

/** Where the log of the image's own command is inside. */
const LOG_AT = "/.seedmint/log";

/** Where the parts of a lease are. */
export interface InstancePaths extends DiskPaths {
  readonly folder: string;
  /** Mounted read-only into the lease. */
  readonly own: string;
  /** What the engine is told. */
  readonly plan: string;
}

/** What an engine is told of a lease, kept so that it can be told again. */
export interface Plan {
  readonly order: ContainerOrder;
  /** The image's own command, started beside our SSH server. */
  readonly command?: EngineCommand;
}

/** What making an instance needs besides its specification. */
export interface InstanceOptions {
  readonly imageRoot: string;
  readonly server: ServerBundle;
  readonly idBase: number;
  readonly nameServers: readonly string[];
  readonly random: Random;
  readonly guard: string;
  readonly create: (order: ContainerOrder) => Promise<void>;
}

/** The parts of the lease whose folder is `folder`. */
export function instancePaths(folder: string): InstancePaths {
  return {
    folder,
    own: `${folder}/own`,
    plan: `${folder}/plan.json`,
    file: `${folder}/disk.img`,
    mount: `${folder}/disk`,
    rootfs: `${folder}/rootfs`,
  };
}

/** Makes the files of an instance and its container. */
export async function makeInstance(
  spec: InstanceSpec,
  paths: InstancePaths,
  options: InstanceOptions,
): Promise<void> {
  await Deno.mkdir(paths.folder, { recursive: true });
  await Deno.chmod(paths.folder, 0o711);
  const record = recordOf(spec);
  await writeRecord(paths.folder, record);
  await makeDisk(paths, spec.resources.diskMb, options);
  await mountDisk(paths, options.imageRoot, options);
  // Whoever is inside, as whatever user, may add to the log, which lies on the lease's disk.
  await Deno.chmod(logPath(paths), 0o622);
  await Deno.chown(logPath(paths), options.idBase, options.idBase);
  const tree = new RootedTree(paths.rootfs, { idOffset: options.idBase });
  prepareTree(tree, spec, options);
  await makeOwnFolder(paths.own, spec, options);
  makeMountPoints(tree);
  const workingDir = workingDirIn(tree, spec.image.config);
  const order = await orderOf(spec, paths, options);
  const command = commandOf(spec, tree, { workingDir, env: order.env, server: options.server });
  const plan: Plan = { order, ...(command === undefined ? {} : { command }) };
  await writeWhole(paths.plan, JSON.stringify(plan));
  await options.create(order);
  await writeRecord(paths.folder, {
    ...record,
    phase: "made",
    workingDir,
    hasCommand: command !== undefined,
  });
}

/** What the engine is told of a lease. @throws {SeedmintError} `storage` if it is lost. */
export async function readPlan(paths: InstancePaths): Promise<Plan> {
  try {
    return JSON.parse(await readIfThere(paths.plan) ?? "") as Plan;
  } catch (error) {
    throw new SeedmintError("storage", `Cannot read ${paths.plan}: destroy the lease`, {
      cause: error,
    });
  }
}

async function orderOf(
  spec: InstanceSpec,
  paths: InstancePaths,
  options: InstanceOptions,
): Promise<ContainerOrder> {
  return {
    leaseId: spec.leaseId,
    owner: spec.owner,
    expiresMs: spec.expiresMs,
    hostPort: spec.ssh.hostPort,
    args: serverCommand(spec),
    env: environment(spec.image.config, spec.env),
    resources: spec.resources,
    openFilesMax: await openFilesMax(),
    nameServers: options.nameServers,
    idBase: options.idBase,
    rootfs: paths.rootfs,
    mounts: [
      { source: options.server.folder, target: SERVER_AT, isReadOnly: true, isExecutable: true },
      { source: paths.own, target: LEASE_AT, isReadOnly: true, isExecutable: false },
      { source: logPath(paths), target: LOG_AT, isReadOnly: false, isExecutable: false },
    ],
  };
}

/** Ours, in the lease's root: an image may have links at these names, which are not followed outside. */
function makeMountPoints(tree: RootedTree): void {
  const place = tree.place([".seedmint"], { isMade: true })!;
  tree.clear(place);
  for (const folder of [SERVER_AT, LEASE_AT]) tree.makeFolder(folder);
  tree.writeFile(LOG_AT, "", { mode: 0o644 });
}

/** The image's own command, with what it says going to the log. */
function commandOf(
  spec: InstanceSpec,
  tree: RootedTree,
  options: {
    readonly workingDir: string;
    readonly env: readonly string[];
    readonly server: ServerBundle;
  },
): EngineCommand | undefined {
  const args = imageCommand(spec.image.config);
  if (args === undefined) return undefined;
  const shell = options.server.hasShell ? [`${SERVER_AT}/busybox`, "sh"] : ["/bin/sh"];
  return {
    ...userOf(tree, spec.image.config),
    args: [...shell, "-c", `exec >>${LOG_AT} 2>&1; exec "$@"`, "sh", ...args],
    cwd: options.workingDir,
    env: options.env,
  };
}
