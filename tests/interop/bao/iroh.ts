/**
 * The npm package `@number0/iroh` 0.35.0, in a throwaway project: hashes, and the outboards that its
 * store keeps. It is installed by npm because Deno's resolver refuses packages whose optional
 * platform builds are missing; it runs under Deno.
 */
import { bytesOf, isInstalled, outboardOf, type PartReport, run, SIZES, WORK } from "./suite.ts";

const VERSION = "0.35.0";
const NAME = `@number0/iroh ${VERSION}`;
const PROJECT = new URL("iroh/", WORK);

/** Imports files of the interesting sizes there and compares hash and outboard. */
export async function compareIroh(): Promise<PartReport> {
  const skipped = await install();
  if (skipped !== undefined) return { name: NAME, compared: 0, mismatches: [], skipped };
  const folder = new URL("files/", PROJECT);
  const store = new URL("store/", PROJECT);
  for (const each of [folder, store]) {
    await Deno.remove(each, { recursive: true }).catch(() => {});
    await Deno.mkdir(each, { recursive: true });
  }
  for (const size of SIZES) await Deno.writeFile(new URL(`${size}`, folder), bytesOf(size));
  const [program, ...args] = await offline([
    ...[Deno.execPath(), "run", "-A", "--node-modules-dir=manual", "import.mjs"],
    ...[store.pathname, folder.pathname],
  ]);
  const { success, output } = await run(program!, args, { cwd: PROJECT });
  if (!success) return { name: NAME, compared: 0, mismatches: ["its import failed"] };
  const hashes = output.trim().split("\n").map((line): { name: string; hash: string } =>
    JSON.parse(line)
  );
  const mismatches: string[] = [];
  if (hashes.length !== SIZES.length) mismatches.push(`it imported ${hashes.length} files`);
  const database = await Deno.readFile(new URL("blobs/blobs.db", store));
  let outboardCount = 0;
  for (const { name, hash } of hashes) {
    const ours = outboardOf(bytesOf(Number(name)));
    if (ours.hash !== hash) mismatches.push(`${name} bytes: hash ${hash}, ours ${ours.hash}`);
    if (ours.parents.length === 0) continue;
    outboardCount++;
    if (!await holdsOutboard(store, database, ours.hash, ours.parents)) {
      mismatches.push(`${name} bytes: outboard`);
    }
  }
  return { name: NAME, compared: hashes.length + outboardCount, mismatches };
}

/** iroh keeps outboards of more than 16 KiB as `.obao4` files, smaller ones in its database. */
async function holdsOutboard(
  store: URL,
  database: Uint8Array,
  hash: string,
  parents: Uint8Array,
): Promise<boolean> {
  const file = new URL(`blobs/data/${hash}.obao4`, store);
  const stored = await Deno.readFile(file).catch(() => undefined);
  if (stored !== undefined) {
    return stored.length === parents.length && indexOf(stored, parents) === 0;
  }
  return parents.length <= 16_384 && indexOf(database, parents) >= 0;
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}

/** Sets the project up, or says why not. */
async function install(): Promise<string | undefined> {
  const { os, arch } = Deno.build;
  if (os !== "linux" || arch !== "x86_64") return `its build for ${os} ${arch} is not set up here`;
  await Deno.mkdir(PROJECT, { recursive: true });
  await Deno.copyFile(new URL("iroh/import.mjs", import.meta.url), new URL("import.mjs", PROJECT));
  const binary = new URL("node_modules/@number0/iroh-linux-x64-gnu/package.json", PROJECT);
  if (await Deno.stat(binary).then(() => true, () => false)) return undefined;
  if (!await isInstalled("npm", "--version")) return "npm is not installed";
  await Deno.writeTextFile(
    new URL("package.json", PROJECT),
    JSON.stringify({ name: "iroh-reference", private: true }),
  );
  const packages = [`@number0/iroh@${VERSION}`, `@number0/iroh-linux-x64-gnu@${VERSION}`];
  for (const each of packages) {
    const args = ["install", "--omit=optional", "--save-exact", "--no-audit", "--no-fund", each];
    const { success } = await run("npm", args, { cwd: PROJECT });
    if (!success) return `npm could not install ${each}`;
  }
  return undefined;
}

/** The command in a network namespace of its own where the system allows one: iroh calls home. */
async function offline(command: readonly string[]): Promise<readonly string[]> {
  if (!await isInstalled("unshare", "-rn", "true")) return command;
  return ["unshare", "-rn", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", ...command];
}
