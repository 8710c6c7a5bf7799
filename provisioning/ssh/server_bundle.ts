/**
 * The SSH server that is given to leases: dropbear with its loader and its libraries, copied from the
 * host into one directory that is mounted read-only. It starts through its own loader, so that any
 * root file system will do, one of another C library or none, too.
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";
import { isThere, mustRun, removeTree } from "../machine/mod.ts";

/** The server's directory on the host. */
export interface ServerBundle {
  readonly folder: string;
  /** Whether a shell is in it, for images that have none. */
  readonly hasShell: boolean;
}

/** Where programs of the system are looked for. */
const PROGRAM_FOLDERS = [
  "/usr/sbin",
  "/usr/bin",
  "/usr/local/sbin",
  "/usr/local/bin",
  "/sbin",
  "/bin",
];

/** Where the server is found. @returns undefined if it is not installed. */
export async function dropbearPath(): Promise<string | undefined> {
  return await programPath("dropbear");
}

/**
 * Puts the server below `folder`, once for each version of its files.
 *
 * @throws {SeedmintError} `unavailable` if the host has no dropbear.
 */
export async function serverBundle(folder: string): Promise<ServerBundle> {
  const program = await dropbearPath();
  if (program === undefined) {
    throw new SeedmintError(
      "unavailable",
      "Cannot give leases an SSH server: dropbear is not installed; install dropbear-bin",
    );
  }
  const { loader, libraries } = await partsOf(program);
  const shell = await staticShell();
  const files = [
    [program, "dropbear"],
    [loader, "ld.so"],
    ...libraries.map((path) => [path, `lib/${basename(path)}`]),
    ...(shell === undefined ? [] : [[shell, "busybox"]]),
  ] as [string, string][];
  const digest = createHash("sha256");
  for (const [source, name] of files) digest.update(name).update(await Deno.readFile(source));
  const target = `${folder}/${digest.digest("hex").slice(0, 16)}`;
  if (!await isThere(target)) await copyAll(files, target);
  return { folder: target, hasShell: shell !== undefined };
}

/** The arguments that start the server where its directory is mounted at `at`. */
export function serverArguments(
  at: string,
  options: {
    readonly port: number;
    readonly hostKeyPath: string;
    readonly isPasswordTaken: boolean;
  },
): string[] {
  return [
    `${at}/ld.so`,
    "--library-path",
    `${at}/lib`,
    // A name that cannot be opened: the server would start itself again through it, past its loader.
    "--argv0",
    "dropbear",
    `${at}/dropbear`,
    "-F", // in the foreground
    // No `-E`: strangers who knock would fill the lease's disk with lines of the log.
    "-e", // sessions see the lease's environment
    ...(options.isPasswordTaken ? [] : ["-s"]),
    "-r",
    options.hostKeyPath,
    "-p",
    `0.0.0.0:${options.port}`,
  ];
}

async function copyAll(files: readonly (readonly [string, string])[], target: string) {
  const part = `${target}.${crypto.randomUUID()}`;
  await Deno.mkdir(`${part}/lib`, { recursive: true, mode: 0o755 });
  for (const [source, name] of files) {
    await Deno.copyFile(source, `${part}/${name}`);
    await Deno.chmod(`${part}/${name}`, 0o755);
  }
  await Deno.chmod(part, 0o755);
  await Deno.chmod(`${part}/lib`, 0o755);
  try {
    await Deno.rename(part, target);
  } catch (error) {
    await removeTree(part);
    // Another process was quicker.
    if (!await isThere(target)) throw error;
  }
}

/** The loader and the libraries of a program, as the loader itself finds them. */
async function partsOf(program: string): Promise<{ loader: string; libraries: string[] }> {
  const loader = await loaderOf(program);
  const listed = await mustRun([loader, "--list", program]);
  const libraries = listed.split("\n")
    .map((line) => /=>\s+(\/\S+)/.exec(line)?.[1])
    .filter((path) => path !== undefined);
  return { loader, libraries: [...new Set(libraries)] };
}

/** What the program's ELF header names as its interpreter (System V ABI, PT_INTERP). */
async function loaderOf(program: string): Promise<string> {
  const bytes = await Deno.readFile(program);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 64 || view.getUint32(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) {
    throw unusable(program, "it is no 64-bit ELF program");
  }
  const tableAt = Number(view.getBigUint64(32, true));
  const entryBytes = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  for (let index = 0; index < count; index++) {
    const at = tableAt + index * entryBytes;
    if (view.getUint32(at, true) !== 3) continue;
    const offset = Number(view.getBigUint64(at + 8, true));
    const size = Number(view.getBigUint64(at + 32, true));
    const text = new TextDecoder().decode(bytes.subarray(offset, offset + size));
    return text.replace(/\0.*$/s, "");
  }
  throw unusable(program, "it names no loader");
}

async function staticShell(): Promise<string | undefined> {
  const path = await programPath("busybox");
  if (path === undefined) return undefined;
  try {
    await loaderOf(path);
    return undefined; // it needs libraries that an image may not have
  } catch {
    return path;
  }
}

async function programPath(name: string): Promise<string | undefined> {
  for (const folder of PROGRAM_FOLDERS) {
    if (await isThere(`${folder}/${name}`)) return `${folder}/${name}`;
  }
  return undefined;
}

function unusable(program: string, why: string): SeedmintError {
  return new SeedmintError("unavailable", `Cannot use ${program} as SSH server: ${why}`);
}
