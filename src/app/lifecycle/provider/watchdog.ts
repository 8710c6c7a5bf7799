/**
 * The process that ends leases when their time is over though the provider is dead. It is started by
 * the provider, reads what the engine keeps of each lease, and goes when nobody lends and nothing runs.
 */
import { join } from "node:path";
import { isSeedmintError } from "../../../core/errors.ts";
import { systemClock } from "../../../host/system.ts";
import { ProcessLock } from "../../../sqlite/mod.ts";
import {
  runWatchdog,
  startWatchdog,
  stopWatchdog,
  watchdogPid,
} from "../../../../provisioning/backends/host/mod.ts";
import { isThere } from "../../../../provisioning/machine/mod.ts";
import { type Config, keyOf, type SettingName } from "../../config/settings.ts";
import { LENDING_FLAGS } from "../../permissions.ts";
import { VERSION } from "../../version.ts";
import { type BackendSettings, isRemote, openBackend, type WatchedBackend } from "./backend.ts";
import { WATCHDOG_IDLE_MS, WATCHDOG_LOOK_MS } from "./limits.ts";

const ROOT = new URL("../../../../", import.meta.url);

/** Settings that the watchdog is told on its command line, since it does not see those of the node. */
const TOLD: readonly SettingName[] = [
  "providerBackend",
  "providerState",
  "providerSocket",
  "providerEngineUrl",
  "providerEngineAuth",
  "providerEngineRegistry",
  "providerPublicHost",
];

/** Held by whoever lends what is in the engine's directory. */
export function lendingLock(config: Pick<Config, "providerState">): ProcessLock {
  return ProcessLock.take(lockPathOf(config), `the leases in ${config.providerState}`);
}

function lockPathOf(config: Pick<Config, "providerState">): string {
  return join(config.providerState, "provider.lock");
}

function pidFileOf(config: Pick<Config, "providerState">): string {
  return join(config.providerState, "watchdog.pid");
}

/** Starts one unless one of these settings watches already. @returns Its process id. */
export async function ensureWatchdog(config: BackendSettings): Promise<number> {
  const told = TOLD.flatMap((name) => {
    const value = config[name as keyof BackendSettings];
    return value === undefined ? [] : [`--${keyOf(name)}`, String(value)];
  });
  const argv = [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-prompt",
    ...LENDING_FLAGS,
    new URL("node.ts", ROOT).pathname,
    "watchdog",
    "--data",
    // It has no data of its own; settings files of the node would change under it.
    join(config.providerState, "watchdog"),
    ...told,
  ];
  return await startWatchdog(argv, {
    pidFile: pidFileOf(config),
    clock: systemClock,
    // Whoever changes the login or the program means the watchdog, too.
    told: JSON.stringify([VERSION, await loginOf(config)]),
  });
}

/** What opens the engine, where that is a file. */
async function loginOf(config: BackendSettings): Promise<string> {
  const { providerEngineAuth: file } = config;
  return file !== undefined && isRemote(config) ? await Deno.readTextFile(file) : "";
}

/** Ends the watchdog that runs now; fine when there is none. @throws {SeedmintError} `unavailable` */
export async function endWatchdog(config: Pick<Config, "providerState">): Promise<void> {
  await stopWatchdog(pidFileOf(config), { clock: systemClock });
}

/** The watchdog that runs now. */
export async function runningWatchdog(
  config: Pick<Config, "providerState">,
): Promise<number | undefined> {
  return await watchdogPid(pidFileOf(config)).catch(() => undefined);
}

/**
 * Watches, until `signal` is aborted or there is nothing left to watch.
 *
 * @throws {SeedmintError} `locked` if one watches already.
 */
export async function watchLeases(
  config: BackendSettings,
  options: {
    readonly signal: AbortSignal;
    readonly onEnd: (leaseId: string, error?: unknown) => void;
  },
): Promise<void> {
  await using backend = await openBackend(config, "watchdog");
  const idle = new AbortController();
  const watching = runWatchdog({
    backend: {
      list: () => backend.list(),
      destroyExpired: (leaseId, graceMs) => destroyExpired(backend, leaseId, graceMs),
    },
    clock: systemClock,
    pidFile: pidFileOf(config),
    signal: AbortSignal.any([options.signal, idle.signal]),
    onEnd: options.onEnd,
  });
  const looking = untilIdle(config, backend, AbortSignal.any([options.signal, idle.signal]));
  try {
    await Promise.race([watching, looking]);
  } finally {
    idle.abort();
    await Promise.allSettled([watching, looking]);
  }
  await watching;
}

/** For engines that cannot do both in one step: the label is read once more just before. */
async function destroyExpired(
  backend: WatchedBackend,
  leaseId: string,
  graceMs: number,
): Promise<boolean> {
  if (backend.destroyExpired !== undefined) return await backend.destroyExpired(leaseId, graceMs);
  const lease = (await backend.list()).find((one) => one.leaseId === leaseId);
  if (lease === undefined || lease.expiresMs <= 0) return false;
  if (systemClock.nowMs() < lease.expiresMs + graceMs) return false;
  await backend.destroy(leaseId);
  return true;
}

/** Resolves when nobody has lent, and nothing has run, for a while. */
async function untilIdle(
  config: BackendSettings,
  backend: WatchedBackend,
  signal: AbortSignal,
): Promise<void> {
  const records = join(config.providerState, "leases");
  const hadRecords = await isThere(records);
  let idleSinceMs: number | undefined;
  while (!signal.aborted) {
    try {
      await systemClock.sleep(WATCHDOG_LOOK_MS, { signal });
    } catch {
      return;
    }
    // Where the directory went there is nothing left to find, and nothing to end.
    if (!await isThere(lockPathOf(config)) || hadRecords && !await isThere(records)) return;
    const isIdle = !isLent(config) &&
      await backend.list().then((leases) => leases.length === 0, () => false);
    const nowMs = systemClock.monotonicMs();
    if (!isIdle) idleSinceMs = undefined;
    else if (nowMs - (idleSinceMs ??= nowMs) >= WATCHDOG_IDLE_MS) return;
  }
}

function isLent(config: BackendSettings): boolean {
  try {
    lendingLock(config)[Symbol.dispose]();
    return false;
  } catch (error) {
    if (!isSeedmintError(error, "locked")) throw error;
    return true;
  }
}
