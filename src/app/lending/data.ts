/** What a node keeps on this machine, and removing it: only what is known to be a node's. */
import { basename, join } from "node:path";
import { messageOf, SeedmintError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import { ProcessLock } from "../../sqlite/mod.ts";
import { LeaseJournal } from "../../../provisioning/leases/mod.ts";
import { LeaseBook } from "../../../provisioning/consumer/mod.ts";
import type { Config } from "../config/settings.ts";
import { openBackend } from "../lifecycle/provider/backend.ts";
import { runningWatchdog } from "../lifecycle/provider/watchdog.ts";
import { lendingLine, mayLend } from "../permissions.ts";

/** One thing that is a node's. */
export interface DataPart {
  readonly path: string;
  readonly bytes: number;
  /** For people. */
  readonly what: string;
}

/** What was found. */
export interface NodeData {
  readonly parts: readonly DataPart[];
  readonly bytes: number;
  /** Beside them, and left alone. */
  readonly kept: readonly string[];
  readonly hasWallet: boolean;
  /** Leases of the provider's journal that something will still happen to. */
  readonly lentOpenCount: number;
  /** Leases of the lessee's book that are not over. */
  readonly rentedCount: number;
  /** Leases that the engine has, by name. */
  readonly running: readonly string[];
  /** Locks of whoever works on it. */
  readonly locks: readonly string[];
}

/** What stands in a data directory, by the form of its name. */
const KNOWN: readonly (readonly [RegExp, string])[] = [
  [/^seed$/, "the twelve words of all keys"],
  [/^wallet$/, "the wallet"],
  [/^store$/, "blobs"],
  [/^(cascade|uploads|lending|watchdog)$/, "work in progress"],
  [/^provider$/, "the journal of leases that are lent"],
  [/^lessee\.sqlite/, "the book of leases that are rented"],
  [/^ssh$/, "SSH keys of rented leases"],
  [
    /^(adverts|scores|relay|registry|receipts|catalogs|lessee_seen|agents|agents_seen)\.sqlite/,
    "what the node knows",
  ],
  [/^(prices\.json|control\.(sock|token)|known_hosts)$/, "what the node knows"],
];

/** What an engine's directory of ours has. */
const STATE_PARTS = /^(images|leases|locks|runc|server|watchdog|provider\.lock|watchdog\.pid)$/;

/** How often it is looked whether the watchdog is gone, and the pause in between. */
const WATCHDOG_TRIES_MAX = 100;
const WATCHDOG_POLL_MS = 50;

/** The settings that say where all of it is. */
export type DataSettings =
  & Pick<Config, "data" | "providerState">
  & Parameters<typeof openBackend>[0];

/**
 * Looks at what is there; changes nothing.
 *
 * @throws {SeedmintError} `denied` if the directory is not a node's, though names of a node's are in it.
 */
export async function lookAtData(
  config: DataSettings,
  options: { readonly keepsSeed: boolean },
): Promise<NodeData> {
  const parts: DataPart[] = [];
  const kept: string[] = [];
  for (const name of await namesIn(config.data)) {
    const path = join(config.data, name);
    const what = KNOWN.find(([pattern]) => pattern.test(name))?.[1];
    if (what === undefined || (name === "seed" && options.keepsSeed)) kept.push(path);
    else parts.push({ path, bytes: await sizeOf(path), what });
  }
  if (parts.length > 0 && !await isNodeData(config.data)) {
    throw new SeedmintError(
      "denied",
      `Cannot reset ${config.data}: it is no node's data, for neither a seed nor a database is in it; ` +
        "name the right directory with --data",
    );
  }
  const stateNames = await namesIn(config.providerState);
  const isState = stateNames.includes("leases") && stateNames.includes("images");
  for (const name of isState ? stateNames : []) {
    const path = join(config.providerState, name);
    if (!STATE_PARTS.test(name)) kept.push(path);
    else parts.push({ path, bytes: await sizeOf(path), what: "disks and images of leases" });
  }
  const has = (...names: string[]) => isThere(join(config.data, ...names));
  const journal = join(config.data, "provider", "leases.sqlite");
  const book = join(config.data, "lessee.sqlite");
  return {
    parts,
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
    kept,
    hasWallet: await has("wallet"),
    lentOpenCount: await has("provider", "leases.sqlite") ? countLent(journal) : 0,
    rentedCount: await has("lessee.sqlite") ? countRented(book) : 0,
    running: isState ? await runningLeases(config) : [],
    locks: [
      join(config.data, "store", "lock"),
      join(config.data, "provider", "lock"),
      join(config.data, "lessee.sqlite.lock"),
      ...(isState ? [join(config.providerState, "provider.lock")] : []),
    ],
  };
}

/** Makes sure that nobody works on it meanwhile. @throws {SeedmintError} `locked` */
export function takeLocks(found: NodeData): Disposable {
  using stack = new DisposableStack();
  for (const path of found.locks) {
    try {
      Deno.lstatSync(path);
    } catch {
      continue;
    }
    stack.use(ProcessLock.take(path, path));
  }
  return stack.move();
}

/** Ends what the engine has of leases. */
export async function endLeases(
  config: DataSettings,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  await using backend = await openBackend(config, "watchdog");
  for (const { leaseId } of await backend.list()) {
    options.signal.throwIfAborted();
    await backend.destroy(leaseId);
  }
}

/** Ends the process that watches leases, of which there are none any more. */
export async function endWatchdog(config: DataSettings, clock: Clock): Promise<void> {
  for (let tries = 0; tries < WATCHDOG_TRIES_MAX; tries++) {
    const pid = await runningWatchdog(config);
    if (pid === undefined) return;
    if (tries === 0) Deno.kill(pid, "SIGTERM");
    await clock.sleep(WATCHDOG_POLL_MS);
  }
}

/** Removes it; the directories go, too, when nothing else is in them. */
export async function removeData(found: NodeData): Promise<void> {
  const folders = new Set<string>();
  // The seed goes last: what was cut short is known for a node's the next time.
  const isSeed = ({ path }: DataPart) => basename(path) === "seed";
  const parts = [...found.parts].sort((a, b) => Number(isSeed(a)) - Number(isSeed(b)));
  for (const { path } of parts) {
    try {
      await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      throw new SeedmintError("storage", `Cannot remove ${path}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    folders.add(join(path, ".."));
  }
  for (const folder of folders) {
    // Something else is in it, and it stays.
    await Deno.remove(folder).catch(() => {});
  }
}

/** Names such as `wallet` and `store` stand in many a home: what only a node makes must be there, too. */
async function isNodeData(folder: string): Promise<boolean> {
  const names = await namesIn(folder);
  if (names.includes("seed") || names.some((name) => /^control\.(sock|token)$/.test(name))) {
    return true;
  }
  const inside = await Promise.all(
    ["store", "wallet", "provider"].map(async (name) =>
      names.includes(name) && (await Deno.lstat(join(folder, name))).isDirectory
        ? await namesIn(join(folder, name))
        : []
    ),
  );
  const own = names.filter((name) => KNOWN.some(([pattern]) => pattern.test(name)));
  return [...own, ...inside.flat()].some((name) => /\.sqlite(-wal|-shm|\.lock)?$/.test(name));
}

function countLent(path: string): number {
  using journal = LeaseJournal.open({ path });
  return journal.leases.openCount();
}

function countRented(path: string): number {
  using book = LeaseBook.open({ path });
  return book.leases.open().length;
}

async function runningLeases(config: DataSettings): Promise<readonly string[]> {
  if (!mayLend()) {
    throw new SeedmintError(
      "usage",
      `Cannot tell whether leases run here: this process may not run programs; run: ${lendingLine()} ` +
        "system reset",
    );
  }
  await using backend = await openBackend(config, "watchdog");
  return (await backend.list()).map(({ leaseId }) => leaseId);
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) names.push(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new SeedmintError("storage", `Cannot list ${folder}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return names.sort();
}

async function sizeOf(path: string): Promise<number> {
  const facts = await Deno.lstat(path);
  if (!facts.isDirectory) return facts.size;
  let bytes = 0;
  for (const name of await namesIn(path)) bytes += await sizeOf(join(path, name));
  return bytes;
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
