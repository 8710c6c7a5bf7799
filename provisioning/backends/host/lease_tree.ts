/** What is put into a lease's root before it starts: a login, names, and our server's key beside it. */
import type { Random } from "../../../src/core/ports.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { ImageConfig, InstanceSpec } from "../../ports.ts";
import { dropbearKey, prepareLogin, serverArguments, type ServerBundle } from "../../ssh/mod.ts";
import type { RootedTree } from "../../unpack/mod.ts";
import { LEASE_AT, SERVER_AT, SSH_PORT_INSIDE } from "./inside.ts";

/** Prepares the root of a lease for its first start. */
export function prepareTree(
  tree: RootedTree,
  spec: InstanceSpec,
  options: {
    readonly server: ServerBundle;
    readonly nameServers: readonly string[];
    readonly random: Random;
  },
): void {
  const spareShell = options.server.hasShell ? "/bin/sh" : undefined;
  if (spareShell !== undefined && tree.find("/bin/sh") === undefined) {
    const folder = tree.makeFolder("/bin");
    // Seen from inside; on the host it leads nowhere.
    Deno.symlinkSync(`${SERVER_AT}/busybox`, `${folder}/sh`);
  }
  // The loader of our server would heed it, too, and an image could keep it from answering.
  const preloaded = tree.place(["etc", "ld.so.preload"], { isMade: false });
  if (preloaded !== undefined) tree.clear(preloaded);
  prepareLogin(tree, spec.ssh, { spareShell, random: options.random });
  const servers = options.nameServers.map((server) => `nameserver ${server}\n`).join("");
  tree.writeFile("/etc/resolv.conf", servers, { mode: 0o644 });
  tree.writeFile("/etc/hostname", `${spec.leaseId}\n`, { mode: 0o644 });
  tree.writeFile("/etc/hosts", `127.0.0.1\tlocalhost ${spec.leaseId}\n`, { mode: 0o644 });
  if (tree.find("/tmp") === undefined) tree.makeFolder("/tmp", { uid: 0, gid: 0 }, 0o1777);
}

/** Makes the directory that is mounted at {@link LEASE_AT}: the host's key, for the lease's root only. */
export async function makeOwnFolder(
  folder: string,
  spec: InstanceSpec,
  options: { readonly idBase: number },
): Promise<void> {
  await Deno.mkdir(folder);
  await Deno.chmod(folder, 0o755);
  const key = `${folder}/host_key`;
  await Deno.writeFile(key, dropbearKey(spec.ssh.hostKey), { mode: 0o600 });
  await Deno.chown(key, options.idBase, options.idBase);
}

/** The image's working directory as it is without links: a link could lead to the host's files. */
export function workingDirIn(tree: RootedTree, config: ImageConfig): string {
  const wanted = config.workingDir ?? "/";
  if (wanted === "" || wanted === "/" || /^\/+(proc|sys|dev)(\/|$)/.test(wanted)) return "/";
  const place = tree.makeFolder(wanted).slice(tree.root.length);
  return place === "" || /^\/(proc|sys|dev)(\/|$)/.test(place) ? "/" : place;
}

/** The image's user: numbers, or names of its own `/etc/passwd` and `/etc/group`. */
export function userOf(tree: RootedTree, config: ImageConfig): { uid: number; gid: number } {
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

/** The arguments that start our SSH server in a lease. */
export function serverCommand(spec: Pick<InstanceSpec, "ssh">): string[] {
  return serverArguments(SERVER_AT, {
    port: SSH_PORT_INSIDE,
    hostKeyPath: `${LEASE_AT}/host_key`,
    isPasswordTaken: spec.ssh.password !== undefined,
  });
}
