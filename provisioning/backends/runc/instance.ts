/** The files of one lease: made whole or not at all, mounted, taken away. */
import type { Clock, Random } from "../../../src/core/ports.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import { writeWhole } from "../../machine/mod.ts";
import type { ImageConfig, InstanceSpec } from "../../ports.ts";
import { dropbearKey, prepareLogin, serverArguments, type ServerBundle } from "../../ssh/mod.ts";
import { RootedTree } from "../../unpack/mod.ts";
import {
  bundleConfig,
  environment,
  imageCommand,
  LEASE_AT,
  processConfig,
  SERVER_AT,
  SSH_PORT_INSIDE,
} from "./bundle.ts";
import { type DiskPaths, makeDisk, mountDisk } from "./disk.ts";
import { architecture, openFilesMax } from "./machine_facts.ts";
import { type LeaseRecord, recordOf, writeRecord } from "./records.ts";

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
  await makeOwnFolder(spec, paths, options);
  const openFiles = await openFilesMax();
  const config = bundleConfig(spec, {
    rootfs: paths.rootfs,
    serverFolder: options.server.folder,
    leaseFolder: paths.own,
    cgroupsPath: options.cgroupsPath,
    idBase: options.idBase,
    openFilesMax: openFiles,
    architecture: architecture(),
    args: serverArguments(SERVER_AT, {
      port: SSH_PORT_INSIDE,
      hostKeyPath: `${LEASE_AT}/host_key`,
      isPasswordTaken: spec.ssh.password !== undefined,
    }),
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

function prepareTree(tree: RootedTree, spec: InstanceSpec, options: InstanceOptions): void {
  const spareShell = options.server.hasShell ? "/bin/sh" : undefined;
  if (spareShell !== undefined && tree.find("/bin/sh") === undefined) {
    const folder = tree.makeFolder("/bin");
    // Seen from inside; on the host it leads nowhere.
    Deno.symlinkSync(`${SERVER_AT}/busybox`, `${folder}/sh`);
  }
  prepareLogin(tree, spec.ssh, { spareShell, random: options.random });
  const servers = options.nameServers.map((server) => `nameserver ${server}\n`).join("");
  tree.writeFile("/etc/resolv.conf", servers, { mode: 0o644 });
  tree.writeFile("/etc/hostname", `${spec.leaseId}\n`, { mode: 0o644 });
  tree.writeFile("/etc/hosts", `127.0.0.1\tlocalhost ${spec.leaseId}\n`, { mode: 0o644 });
  if (tree.find("/tmp") === undefined) tree.makeFolder("/tmp", { uid: 0, gid: 0 }, 0o1777);
}

async function makeOwnFolder(
  spec: InstanceSpec,
  paths: InstancePaths,
  options: InstanceOptions,
): Promise<void> {
  await Deno.mkdir(paths.own);
  await Deno.chmod(paths.own, 0o755);
  const key = `${paths.own}/host_key`;
  await Deno.writeFile(key, dropbearKey(spec.ssh.hostKey), { mode: 0o600 });
  await Deno.chown(key, options.idBase, options.idBase);
}

/** The image's working directory as it is without links: a link could lead to the host's files. */
function workingDirIn(tree: RootedTree, config: ImageConfig): string {
  const wanted = config.workingDir ?? "/";
  if (wanted === "" || wanted === "/" || /^\/+(proc|sys|dev)(\/|$)/.test(wanted)) return "/";
  const place = tree.makeFolder(wanted).slice(tree.root.length);
  return place === "" || /^\/(proc|sys|dev)(\/|$)/.test(place) ? "/" : place;
}

/** The image's user: numbers, or names of its own `/etc/passwd` and `/etc/group`. */
function userOf(tree: RootedTree, config: ImageConfig): { uid: number; gid: number } {
  const [user = "", group] = (config.user ?? "").split(":");
  if (user === "") return { uid: 0, gid: 0 };
  const passwd = fieldsIn(tree, "/etc/passwd");
  const entry = passwd.find((fields) => fields[0] === user || fields[2] === user);
  const uid = /^\d{1,5}$/.test(user) ? Number(user) : Number(entry?.[2] ?? NaN);
  let gid = Number(entry?.[3] ?? 0);
  if (group !== undefined && group !== "") {
    const found = fieldsIn(tree, "/etc/group").find((fields) => fields[0] === group);
    gid = /^\d{1,5}$/.test(group) ? Number(group) : Number(found?.[2] ?? NaN);
  }
  if (!(uid >= 0 && uid < 65_536 && gid >= 0 && gid < 65_536)) {
    throw new SeedmintError(
      "invalid",
      `Cannot run the image: its user ${(config.user ?? "").slice(0, 60)} is not in it`,
    );
  }
  return { uid, gid };
}

function fieldsIn(tree: RootedTree, path: string): string[][] {
  const text = tree.readFile(path, 256 * 1024) ?? "";
  return text.split("\n").map((line) => line.split(":"));
}
