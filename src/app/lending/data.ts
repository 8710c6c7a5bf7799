/** What a node keeps on this machine, and removing it: only what is known to be a node's. */
import { basename, join } from "node:path";
import { messageOf, SeedmintError } from "../../core/errors.ts";
import { ProcessLock } from "../../sqlite/mod.ts";
import { LeaseJournal } from "../../../provisioning/leases/mod.ts";
import { LeaseBook } from "../../../provisioning/consumer/mod.ts";
import type { Config } from "../config/settings.ts";
import { nostrPublicKey } from "../../nostr/nostr.ts";
import { openIdentity } from "../identity.ts";
import { isRemote, openBackend, type WatchedBackend } from "../lifecycle/provider/backend.ts";
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
  /** Whether an engine was lent from here, so that it may have leases whatever is left of their books. */
  readonly wasLent: boolean;
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

/** What a directory of ours has, whatever the engine. */
const STATE_PARTS =
  /^(images|leases|locks|runc|server|templates|watchdog|seccomp\.json|forwarding|provider\.(lock|id)|watchdog\.pid(\.told)?)$/;

/** What only lending leaves in a directory, or an engine's directory always has. */
function isStateDir(names: readonly string[]): boolean {
  const has = (...wanted: string[]) => wanted.every((name) => names.includes(name));
  return has("provider.lock") || has("watchdog.pid") || has("leases", "images");
}

/** How often what an engine still has is ended before it is said that it stays. */
const END_TRIES_MAX = 3;

/** The settings that say where all of it is. */
export type DataSettings =
  & Pick<Config, "data" | "seed" | "providerState">
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
  const isState = isStateDir(await namesIn(config.providerState));
  // Of what other machines run nothing needs to be left here.
  const wasLent = isState || parts.length > 0 && isRemote(config);
  const running = wasLent ? await runningLeases(config) : [];
  // Listed after the engine was opened, which makes its folders.
  for (const name of isState ? await namesIn(config.providerState) : []) {
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
    wasLent,
    running,
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

/**
 * Sees that the engine has no lease.
 *
 * @param options.ends Whether what it has is ended.
 * @throws {SeedmintError} `denied` if it has some that are not to be ended; `unavailable` if one stays.
 */
export async function clearEngine(
  config: DataSettings,
  options: { readonly ends: boolean; readonly signal: AbortSignal },
): Promise<void> {
  await using backend = await openEngine(config);
  for (let tries = 0;; tries++) {
    const left = (await backend.list()).map(({ leaseId }) => leaseId);
    if (left.length === 0) return;
    if (!options.ends) {
      throw new SeedmintError(
        "denied",
        `Cannot reset: ${left.join(", ")} began to run meanwhile; look again`,
      );
    }
    if (tries === END_TRIES_MAX) {
      throw new SeedmintError(
        "unavailable",
        `Cannot end ${left.join(", ")}: ${config.providerBackend} still lists them; nothing was ` +
          "removed here, so end them there, or try again",
        { retryable: true },
      );
    }
    for (const leaseId of left) {
      options.signal.throwIfAborted();
      await backend.destroy(leaseId);
    }
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
  await using backend = await openEngine(config);
  return (await backend.list()).map(({ leaseId }) => leaseId);
}

async function openEngine(config: DataSettings): Promise<WatchedBackend> {
  const { data: directory, seed: words } = config;
  const key = async () => nostrPublicKey((await openIdentity({ directory, words })).nostrSecret);
  const hasKey = words !== undefined || await isThere(join(directory, "seed"));
  return await openBackend(config, "watchdog", hasKey ? { key } : {});
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
