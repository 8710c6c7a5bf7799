/** The files of one lease: made whole or not at all, mounted, taken away. */
import type { Clock, Random } from "../../../src/core/ports.ts";
import { writeWhole } from "../../machine/mod.ts";
import type { InstanceSpec } from "../../ports.ts";
import type { ServerBundle } from "../../ssh/mod.ts";
import { RootedTree } from "../../unpack/mod.ts";
import {
  architecture,
  type DiskPaths,
  environment,
  imageCommand,
  type LeaseRecord,
  makeDisk,
  makeOwnFolder,
  mountDisk,
  openFilesMax,
  prepareTree,
  recordOf,
  serverCommand,
  userOf,
  workingDirIn,
  writeRecord,
} from "../host/mod.ts";
import { bundleConfig, processConfig } from "./bundle.ts";

/** Where the parts of a lease are. */
export interface InstancePaths extends DiskPaths {
  readonly folder: string;
  readonly bundle: string;
  /** Mounted read-only into the lease. */
  readonly own: string;
  /** The image's own command, for the runtime. */
  readonly processFile: string;
}

/** What making an instance needs besides its specification. */
export interface InstanceOptions {
  readonly imageRoot: string;
  readonly server: ServerBundle;
  readonly idBase: number;
  readonly cgroupsPath: string;
  readonly nameServers: readonly string[];
  readonly random: Random;
  readonly clock: Clock;
  /** Guards the programs that are run, see `CommandOptions`. */
  readonly guard: string;
}

/** The parts of the lease whose folder is `folder`. */
export function instancePaths(folder: string): InstancePaths {
  return {
    folder,
    bundle: `${folder}/bundle`,
    own: `${folder}/own`,
    processFile: `${folder}/bundle/process.json`,
    file: `${folder}/disk.img`,
    mount: `${folder}/disk`,
    rootfs: `${folder}/rootfs`,
  };
}

/** Makes the files of an instance, its root file system mounted at the end. */
export async function makeInstance(
  spec: InstanceSpec,
  paths: InstancePaths,
  options: InstanceOptions,
): Promise<LeaseRecord> {
  await Deno.mkdir(paths.bundle, { recursive: true });
  await Deno.chmod(paths.folder, 0o711);
  await Deno.chmod(paths.bundle, 0o711);
  const record = recordOf(spec);
  await writeRecord(paths.folder, record);
  await makeDisk(paths, spec.resources.diskMb, options);
  await mountDisk(paths, options.imageRoot, options);
  const tree = new RootedTree(paths.rootfs, { idOffset: options.idBase });
  prepareTree(tree, spec, options);
  await makeOwnFolder(paths.own, spec, options);
  const openFiles = await openFilesMax();
  const config = bundleConfig(spec, {
    rootfs: paths.rootfs,
    serverFolder: options.server.folder,
    leaseFolder: paths.own,
    cgroupsPath: options.cgroupsPath,
    idBase: options.idBase,
    openFilesMax: openFiles,
    architecture: architecture(),
    args: serverCommand(spec),
  });
  await Deno.writeTextFile(`${paths.bundle}/config.json`, JSON.stringify(config), { mode: 0o600 });
  const workingDir = workingDirIn(tree, spec.image.config);
  const args = imageCommand(spec.image.config);
  if (args !== undefined) {
    const process = { args, ...userOf(tree, spec.image.config), cwd: workingDir };
    const env = environment(spec.image.config, spec.env);
    await writeWhole(paths.processFile, JSON.stringify(processConfig(process, env, openFiles)));
  }
  const made: LeaseRecord = {
    ...record,
    phase: "made",
    workingDir,
    hasCommand: args !== undefined,
  };
  await writeRecord(paths.folder, made);
  return made;
}
