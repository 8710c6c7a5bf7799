/** What an engine is told of a lease, kept so that it can be told again. */
import { SeedmintError } from "../../../src/core/errors.ts";
import { readIfThere, writeWhole } from "../../machine/mod.ts";
import type { InstanceSpec } from "../../ports.ts";
import type { RootedTree } from "../../unpack/mod.ts";
import {
  environment,
  type Ground,
  imageCommand,
  LEASE_AT,
  type LeasePaths,
  logPath,
  openFilesMax,
  SERVER_AT,
  serverCommand,
  serverEnvironment,
  userOf,
} from "../host/mod.ts";
import type { ContainerOrder, EngineCommand } from "./engine.ts";

/** Where the log of the image's own command is inside. */
const LOG_AT = "/.seedmint/log";

/** A container, and what is started in it. */
export interface Plan {
  readonly order: ContainerOrder;
  /** Of commands; leases of earlier versions have that of the order alone. */
  readonly env?: readonly string[];
  /** The image's own command, started beside our SSH server. */
  readonly command?: EngineCommand;
}

/** Keeps what is to be run over the prepared root of a lease. */
export async function makePlan(spec: InstanceSpec, ground: Ground): Promise<Plan> {
  const { paths, tree, idBase } = ground;
  // Whoever is inside, as whatever user, may add to the log, which lies on the lease's disk.
  await Deno.chmod(logPath(paths), 0o622);
  await Deno.chown(logPath(paths), idBase, idBase);
  makeMountPoints(tree);
  const order = await orderOf(spec, ground);
  const env = environment(spec.image.config, spec.env);
  const command = commandOf(spec, ground, env);
  const plan: Plan = { order, env, ...(command === undefined ? {} : { command }) };
  await writeWhole(placeOf(paths), JSON.stringify(plan));
  return plan;
}

/** What the engine is told of a lease. @throws {SeedmintError} `storage` if it is lost. */
export async function readPlan(paths: LeasePaths): Promise<Plan> {
  try {
    return JSON.parse(await readIfThere(placeOf(paths)) ?? "") as Plan;
  } catch (error) {
    throw new SeedmintError("storage", `Cannot read ${placeOf(paths)}: destroy the lease`, {
      cause: error,
    });
  }
}

function placeOf(paths: LeasePaths): string {
  return `${paths.folder}/plan.json`;
}

async function orderOf(spec: InstanceSpec, ground: Ground): Promise<ContainerOrder> {
  const { paths, server, idBase, nameServers } = ground;
  return {
    leaseId: spec.leaseId,
    owner: spec.owner,
    expiresMs: spec.expiresMs,
    hostPort: spec.ssh.hostPort,
    args: serverCommand(spec),
    env: serverEnvironment(environment(spec.image.config, spec.env)),
    resources: spec.resources,
    openFilesMax: await openFilesMax(),
    nameServers,
    idBase,
    rootfs: paths.rootfs,
    mounts: [
      { source: server.folder, target: SERVER_AT, isReadOnly: true, isExecutable: true },
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
  { tree, workingDir, server }: Ground,
  env: readonly string[],
): EngineCommand | undefined {
  const args = imageCommand(spec.image.config);
  if (args === undefined) return undefined;
  const shell = server.hasShell ? [`${SERVER_AT}/busybox`, "sh"] : ["/bin/sh"];
  return {
    ...userOf(tree, spec.image.config),
    args: [...shell, "-c", `exec >>${LOG_AT} 2>&1; exec "$@"`, "sh", ...args],
    cwd: workingDir,
    env,
  };
}
