/** What the runtime reads of a lease, beside the lease's disk. */
import { readIfThere, writeWhole } from "../../machine/mod.ts";
import type { InstanceSpec } from "../../ports.ts";
import {
  architecture,
  environment,
  type Ground,
  imageCommand,
  type LeasePaths,
  openFilesMax,
  serverCommand,
  serverEnvironment,
  userOf,
} from "../host/mod.ts";
import { bundleConfig, processConfig } from "./bundle.ts";

/** Where the runtime's files of a lease are. */
export interface BundlePaths {
  readonly bundle: string;
  /** The image's own command. */
  readonly processFile: string;
  /** What commands have in their environment besides what the server has. */
  readonly envFile: string;
}

/** The runtime's files of a lease. */
export function bundlePaths(paths: LeasePaths): BundlePaths {
  const bundle = `${paths.folder}/bundle`;
  return { bundle, processFile: `${bundle}/process.json`, envFile: `${bundle}/env.json` };
}

/** See {@link BundlePaths.envFile}; leases of earlier versions have none. */
export async function commandEnvironment({ envFile }: BundlePaths): Promise<readonly string[]> {
  return JSON.parse(await readIfThere(envFile) ?? "[]") as string[];
}

/** Writes the bundle over the prepared root of a lease. */
export async function makeBundle(
  spec: InstanceSpec,
  ground: Ground,
  options: { readonly cgroupsPath: string },
): Promise<void> {
  const { paths, tree } = ground;
  const { bundle, processFile, envFile } = bundlePaths(paths);
  await Deno.mkdir(bundle, { recursive: true });
  await Deno.chmod(bundle, 0o711);
  const openFiles = await openFilesMax();
  const config = bundleConfig(spec, {
    rootfs: paths.rootfs,
    serverFolder: ground.server.folder,
    leaseFolder: paths.own,
    cgroupsPath: options.cgroupsPath,
    idBase: ground.idBase,
    openFilesMax: openFiles,
    architecture: architecture(),
    args: serverCommand(spec),
  });
  await Deno.writeTextFile(`${bundle}/config.json`, JSON.stringify(config), { mode: 0o600 });
  const env = environment(spec.image.config, spec.env);
  const shared = new Set(serverEnvironment(env));
  await writeWhole(envFile, JSON.stringify(env.filter((line) => !shared.has(line))));
  const args = imageCommand(spec.image.config);
  if (args === undefined) return;
  const process = { args, ...userOf(tree, spec.image.config), cwd: ground.workingDir };
  await writeWhole(processFile, JSON.stringify(processConfig(process, env, openFiles)));
}
