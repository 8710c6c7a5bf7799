/** What a development network consists of, and where: kept in its folder, so that URLs stay. */
import { join } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";

/** Most mints of one network. */
export const MINTS_MAX = 8;

/** The file in the network's folder. */
const FILE = "devnet.json";

/** The first port that is tried when nobody says which. */
const PORT_DEFAULT = 7780;

/** Where one mint lives. */
export interface MintPlan {
  /** Also the name of its Lightning node. */
  readonly name: string;
  readonly port: number;
  readonly adminPort: number;
  /** Of the fault proxy in front of it, used with `--faults`. */
  readonly proxyPort: number;
  readonly proxyAdminPort: number;
}

/** Where everything lives. */
export interface NetPlan {
  readonly version: 1;
  /** The first port that was asked for; asking for another one moves everything. */
  readonly firstPort: number;
  readonly relayPort: number;
  readonly lightningPort: number;
  readonly mints: readonly MintPlan[];
}

/**
 * The plan of the network in `directory`, made if there is none and extended to `mintCount` mints.
 * Ports are `port` and those after it, without those that are taken now; they stay, unless another
 * `port` is asked for.
 *
 * @throws {SeedmintError} `storage` if the plan there is damaged.
 */
export async function loadPlan(
  directory: string,
  { mintCount, port }: { readonly mintCount: number | undefined; readonly port?: number },
): Promise<NetPlan> {
  const known = await readPlan(directory);
  const count = Math.max(mintCount ?? 2, known?.mints.length ?? 0);
  const firstPort = port ?? known?.firstPort ?? PORT_DEFAULT;
  const old = known?.firstPort === firstPort ? known : undefined;
  if (old !== undefined && old.mints.length >= count) return old;
  const free = freePorts(firstPort, portsOf(old).slice(1));
  const plan: NetPlan = {
    version: 1,
    firstPort,
    relayPort: old?.relayPort ?? free(),
    lightningPort: old?.lightningPort ?? free(),
    mints: [
      ...old?.mints ?? [],
      ...Array.from({ length: count - (old?.mints.length ?? 0) }, (_, index) => ({
        name: String.fromCharCode(65 + (old?.mints.length ?? 0) + index),
        port: free(),
        adminPort: free(),
        proxyPort: free(),
        proxyAdminPort: free(),
      })),
    ],
  };
  await Deno.writeTextFile(join(directory, FILE), JSON.stringify(plan, undefined, 2) + "\n");
  return plan;
}

/** The plan in `directory`, or undefined if there is no network. */
export async function readPlan(directory: string): Promise<NetPlan | undefined> {
  const path = join(directory, FILE);
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  try {
    const plan = JSON.parse(text) as NetPlan;
    const isWhole = plan.version === 1 && Array.isArray(plan.mints) &&
      portsOf(plan).every((port) => Number.isInteger(port) && port > 0 && port < 65536);
    if (isWhole) return plan;
  } catch {
    // Told below.
  }
  throw new SeedmintError("storage", `Cannot read ${path}: it is damaged; remove it or its folder`);
}

function portsOf(plan: NetPlan | undefined): number[] {
  if (plan === undefined) return [];
  return [
    plan.firstPort,
    plan.relayPort,
    plan.lightningPort,
    ...plan.mints.flatMap((mint) => [
      ...[mint.port, mint.adminPort, mint.proxyPort, mint.proxyAdminPort],
    ]),
  ];
}

/** Gives one port after the other, from `first` up, that nobody listens on and no plan has. */
function freePorts(first: number, taken: readonly number[]): () => number {
  let next = first;
  return () => {
    for (; next < 65536; next++) {
      if (taken.includes(next) || !isFree(next)) continue;
      return next++;
    }
    throw new SeedmintError(
      "unavailable",
      `No port from ${first} up is free; choose another --port`,
    );
  };
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch {
    return false;
  }
}
