/** What a root file system needs so that a lessee can log in: user, home, keys, shell. */
import type { Random } from "../../src/core/ports.ts";
import type { InstanceSpec } from "../ports.ts";
import type { Owner, RootedTree } from "../unpack/mod.ts";
import { authorizedKeysText } from "./authorized_keys.ts";
import { hashPassword } from "./password_hash.ts";

/** The files of users are read up to this size; larger ones are made anew. */
const USER_FILE_BYTES_MAX = 256 * 1024;

const NEW_UID = 1000;

interface User extends Owner {
  readonly name: string;
  readonly home: string;
  readonly shell: string;
}

/**
 * Makes `ssh.user` able to log in by its keys, and by its password if one is set.
 *
 * @param spareShell Where a shell is for images that have none; undefined if there is no such.
 * @throws {SyntaxError} If a key or the user's name cannot be used.
 */
export function prepareLogin(
  tree: RootedTree,
  ssh: InstanceSpec["ssh"],
  options: { readonly spareShell: string | undefined; readonly random: Random },
): void {
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(ssh.user)) {
    throw new SyntaxError(
      `Cannot use "${
        ssh.user.slice(0, 40)
      }" as SSH user: small letters, digits, - and _ are possible, 32 at most`,
    );
  }
  const lines = linesOf(tree, "/etc/passwd", ["root:x:0:0:root:/root:/bin/sh"]);
  const user = userIn(lines, ssh.user);
  const shell = tree.find(user.shell) === undefined && options.spareShell !== undefined
    ? options.spareShell
    : user.shell;
  const kept = lines.filter((line) => !line.startsWith(`${user.name}:`));
  const line = `${user.name}:x:${user.uid}:${user.gid}:${user.name}:${user.home}:${shell}`;
  write(tree, "/etc/passwd", [line, ...kept], 0o644);
  writeGroup(tree, user);
  writeShadow(tree, user, ssh.password, options.random);
  if (shell !== user.shell || tree.find("/etc/shells") !== undefined) {
    const shells = linesOf(tree, "/etc/shells", ["/bin/sh"]);
    if (!shells.includes(shell)) write(tree, "/etc/shells", [...shells, shell], 0o644);
  }
  // The server refuses keys that lie where others could write.
  tree.makeFolder(user.home, user, user.name === "root" ? 0o700 : 0o755);
  tree.makeFolder(`${user.home}/.ssh`, user, 0o700);
  tree.writeFile(`${user.home}/.ssh/authorized_keys`, authorizedKeysText(ssh.authorizedKeys), {
    mode: 0o600,
    owner: user,
  });
}

function userIn(lines: readonly string[], name: string): User {
  for (const line of lines) {
    const fields = line.split(":");
    if (fields[0] !== name || fields.length < 7) continue;
    const [uid, gid] = [Number(fields[2]), Number(fields[3])];
    if (!isId(uid) || !isId(gid)) break;
    const home = isPlainPath(fields[5]!) ? fields[5]! : homeOf(name);
    return { name, uid, gid, home, shell: isPlainPath(fields[6]!) ? fields[6]! : "/bin/sh" };
  }
  if (name === "root") return { name, uid: 0, gid: 0, home: "/root", shell: "/bin/sh" };
  const taken = new Set(lines.map((line) => Number(line.split(":")[2])));
  let uid = NEW_UID;
  while (taken.has(uid)) uid++;
  return { name, uid, gid: uid, home: homeOf(name), shell: "/bin/sh" };
}

function homeOf(name: string): string {
  return name === "root" ? "/root" : `/home/${name}`;
}

function isId(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id < 65_534;
}

function isPlainPath(path: string): boolean {
  return /^\/[\x21-\x7e]{1,200}$/.test(path) && !path.split("/").includes("..");
}

function writeGroup(tree: RootedTree, user: User): void {
  const lines = linesOf(tree, "/etc/group", ["root:x:0:"]);
  if (lines.some((line) => line.split(":")[2] === String(user.gid))) return;
  write(tree, "/etc/group", [...lines, `${user.name}:x:${user.gid}:`], 0o644);
}

function writeShadow(
  tree: RootedTree,
  user: User,
  password: string | undefined,
  random: Random,
): void {
  const hash = password === undefined ? "*" : hashPassword(password, random);
  const lines = linesOf(tree, "/etc/shadow", []).filter((line) =>
    !line.startsWith(`${user.name}:`)
  );
  write(tree, "/etc/shadow", [`${user.name}:${hash}:19000:0:99999:7:::`, ...lines], 0o600);
}

function linesOf(tree: RootedTree, path: string, otherwise: readonly string[]): string[] {
  const text = tree.readFile(path, USER_FILE_BYTES_MAX);
  return text === undefined ? [...otherwise] : text.split("\n").filter((line) => line !== "");
}

function write(tree: RootedTree, path: string, lines: readonly string[], mode: number): void {
  tree.writeFile(path, lines.map((line) => `${line}\n`).join(""), { mode });
}
