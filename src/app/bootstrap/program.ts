/**
 * What is brought to a host: this program's own files, its packages as they run here, and the runtime.
 * A version is named by its files, so that the same files are the same version wherever they come from.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { SeedmintError } from "../../core/errors.ts";
import { isThere, mustRun } from "../../../provisioning/machine/mod.ts";
import { archiveOf } from "./archive.ts";
import { LOOK_MS_MAX, OUTPUT_BYTES_MAX, TREE_BYTES_MAX, TREE_FILES_MAX } from "./limits.ts";
import { importedPackages, type NeededPackage, trimManifest } from "./packages.ts";

/** What a version is made of, below the root of the program, besides its manifest. */
const PARTS = [
  "LICENSE",
  "devnet",
  "mod.ts",
  "node.ts",
  "provisioning",
  "src",
  "swarm",
  "trust",
  "wallet",
];

/** What no program reads: types, and maps for debuggers. */
const LEFT_OUT = /\.(d\.[cm]?ts|map)$/;

const VERSION_CHARS = 16;

/** One file of a version. */
export interface ProgramFile {
  /** With slashes, below the version's directory. */
  readonly path: string;
  readonly hash: string;
  readonly bytes: number;
  readonly open: () => Promise<Uint8Array<ArrayBuffer>>;
}

/** A version of the program. */
export interface ProgramVersion {
  /** 16 hex digits of {@link hash}. */
  readonly id: string;
  /** SHA-256 of what `sha256sum` prints for all files, in the order of its lines. */
  readonly hash: string;
  readonly fileCount: number;
  readonly bytes: number;
  /** A compressed archive of all files. */
  archive(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/**
 * Reads the program that runs here, and its packages.
 *
 * @param root Its directory.
 * @throws {SeedmintError} `unavailable` if its files or packages are not here.
 */
export async function readProgram(root: URL): Promise<ProgramVersion> {
  const files: ProgramFile[] = [];
  for (const part of PARTS) await readPart(new URL(part, root), part, files);
  if (!files.some(({ path }) => path === "node.ts")) {
    throw new SeedmintError(
      "unavailable",
      "Cannot bring this program to another host: its files are not here; run bootstrap from a " +
        "checkout of the source",
    );
  }
  const used = new Set<string>();
  for (const file of files) {
    if (!/\.ts$/.test(file.path) || file.path.includes("/assembly/")) continue;
    for (const name of importedPackages(new TextDecoder().decode(await file.open()))) {
      used.add(name);
    }
  }
  const [config, lock] = await Promise.all(
    ["deno.json", "deno.lock"].map((name) => Deno.readTextFile(new URL(name, root))),
  );
  const manifest = trimManifest(config!, lock!, used);
  files.push(textFile("deno.json", manifest.config), textFile("deno.lock", manifest.lock));
  await readPackages(manifest.packages, files);
  return versionOf(files);
}

/** A version of these files. */
export function versionOf(files: readonly ProgramFile[]): ProgramVersion {
  const sorted = [...files].sort((a, b) => a.path < b.path ? -1 : 1);
  // As the host computes it: one line for each file, in the order of the lines.
  const lines = sorted.map(({ path, hash }) => `${hash}  ./${path}\n`).sort();
  const hash = sha256(new TextEncoder().encode(lines.join("")));
  return {
    id: hash.slice(0, VERSION_CHARS),
    hash,
    fileCount: sorted.length,
    bytes: sorted.reduce((sum, { bytes }) => sum + bytes, 0),
    archive: () =>
      ReadableStream.from(archiveOf(sorted)).pipeThrough(new CompressionStream("gzip")),
  };
}

/** A file that was never on a disk. */
export function textFile(path: string, text: string): ProgramFile {
  const bytes = new TextEncoder().encode(text);
  return { path, hash: sha256(bytes), bytes: bytes.length, open: () => Promise.resolve(bytes) };
}

/** A file of this machine, to be brought as it is. */
export interface LocalFile {
  readonly path: string;
  readonly hash: string;
  readonly bytes: number;
  open(): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
}

/** Reads a file's hash; it is read again when it is brought. */
export async function readLocalFile(path: string): Promise<LocalFile> {
  const hash = createHash("sha256");
  let bytes = 0;
  using file = await Deno.open(path, { read: true });
  for await (const chunk of file.readable) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return {
    path,
    hash: hash.digest("hex"),
    bytes,
    open: async () => (await Deno.open(path, { read: true })).readable,
  };
}

async function readPackages(
  packages: readonly NeededPackage[],
  files: ProgramFile[],
): Promise<void> {
  const text = await mustRun([Deno.execPath(), "info", "--json"], {
    timeoutMs: LOOK_MS_MAX,
    outputBytesMax: OUTPUT_BYTES_MAX,
  });
  const { npmCache } = JSON.parse(text) as { npmCache: string };
  const registries = await foldersOf(npmCache);
  for (const { name, version } of packages) {
    const path = `${name}/${version}`;
    const registry = await firstWith(registries, (one) => isThere(join(npmCache, one, path)));
    if (registry === undefined) {
      throw new SeedmintError(
        "unavailable",
        `Cannot bring the package ${name} ${version} to another host: it is not in Deno's cache ` +
          "here; run deno install in the checkout",
      );
    }
    const folder = new URL(`file://${join(npmCache, registry, path)}`);
    await readPart(folder, `npm/${registry}/${path}`, files);
  }
}

/** Folders of Deno's cache, one for each registry that packages came from, in a fixed order. */
async function foldersOf(npmCache: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(npmCache)) {
      if (isDirectory) names.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

async function firstWith<T>(
  items: readonly T[],
  isRight: (item: T) => Promise<boolean>,
): Promise<T | undefined> {
  for (const item of items) if (await isRight(item)) return item;
  return undefined;
}

async function readPart(url: URL, path: string, files: ProgramFile[]): Promise<void> {
  const facts = await Deno.lstat(url).catch(() => undefined);
  if (facts === undefined || facts.isSymlink || LEFT_OUT.test(path)) return;
  if (facts.isFile) {
    files.push({
      path,
      hash: sha256(await Deno.readFile(url)),
      bytes: facts.size,
      open: () => Deno.readFile(url),
    });
  } else {
    for await (const { name } of Deno.readDir(url)) {
      await readPart(new URL(`${url.href}/${encodeURIComponent(name)}`), `${path}/${name}`, files);
    }
  }
  if (files.length > TREE_FILES_MAX || facts.size > TREE_BYTES_MAX) {
    throw new SeedmintError(
      "usage",
      `Cannot bring this program to another host: ${path} is one file too many, or too large; run ` +
        "bootstrap from a clean checkout",
    );
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
