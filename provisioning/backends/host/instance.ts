/** The files of one lease: made whole or not at all, its root file system mounted at the end. */
import type { Random } from "../../../src/core/ports.ts";
import type { InstanceSpec } from "../../ports.ts";
import type { ServerBundle } from "../../ssh/mod.ts";
import { RootedTree } from "../../unpack/mod.ts";
import { type DiskPaths, makeDisk, mountDisk } from "./disk.ts";
import { imageCommand } from "./inside.ts";
import { makeOwnFolder, prepareTree, workingDirIn } from "./lease_tree.ts";
import { recordOf, writeRecord } from "./records.ts";

/** Where the parts of a lease are. */
export interface LeasePaths extends DiskPaths {
  readonly folder: string;
  /** Mounted read-only into the lease. */
  readonly own: string;
}

/** What making an instance needs besides its specification. */
export interface InstanceOptions {
  readonly imageRoot: string;
  readonly server: ServerBundle;
  readonly idBase: number;
  readonly nameServers: readonly string[];
  readonly random: Random;
  /** Guards the programs that are run, see `CommandOptions`. */
  readonly guard: string;
  /** Makes the container over the prepared root. */
  readonly makeContainer: (made: {
    readonly tree: RootedTree;
    readonly workingDir: string;
  }) => Promise<void>;
}

/** The parts of the lease whose folder is `folder`. */
export function leasePaths(folder: string): LeasePaths {
  return {
    folder,
    own: `${folder}/own`,
    file: `${folder}/disk.img`,
    mount: `${folder}/disk`,
    rootfs: `${folder}/rootfs`,
  };
}

/** Makes an instance; its record says `made` once all of it is. */
export async function makeInstance(
  spec: InstanceSpec,
  paths: LeasePaths,
  options: InstanceOptions,
): Promise<void> {
  await Deno.mkdir(paths.folder, { recursive: true });
  await Deno.chmod(paths.folder, 0o711);
  const record = recordOf(spec);
  await writeRecord(paths.folder, record);
  await makeDisk(paths, spec.resources.diskMb, options);
  await mountDisk(paths, options.imageRoot, { ...options, isFresh: true });
  const tree = new RootedTree(paths.rootfs, { idOffset: options.idBase });
  prepareTree(tree, spec, options);
  await makeOwnFolder(paths.own, spec, options);
  const workingDir = workingDirIn(tree, spec.image.config);
  await options.makeContainer({ tree, workingDir });
  await writeRecord(paths.folder, {
    ...record,
    phase: "made",
    workingDir,
    hasCommand: imageCommand(spec.image.config) !== undefined,
  });
}
