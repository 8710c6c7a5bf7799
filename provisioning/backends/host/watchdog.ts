/**
 * The watchdog: a process of its own that ends leases at their time even if the provider is dead. It
 * reads nothing but the leases' records, and there is one for a state directory. What it was told when
 * it was started stands beside its process id, so that one of earlier settings is known for it.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../../src/core/ports.ts";
import { SeedmintError } from "../../../src/core/errors.ts";
import { readIfThere, writeWhole } from "../../machine/mod.ts";
import type { InstanceSummary } from "../../ports.ts";
import {
  LOCK_RETRY_MS,
  LOCK_TRIES_MAX,
  WATCHDOG_GRACE_MS,
  WATCHDOG_INTERVAL_MS,
  WATCHDOG_STOP_MS_MAX,
} from "./limits.ts";

/** What the watchdog needs. */
export interface WatchdogOptions {
  readonly backend: {
    list(): Promise<readonly InstanceSummary[]>;
    destroyExpired(leaseId: string, graceMs: number): Promise<boolean>;
  };
  readonly clock: Clock;
  /** Held as long as it runs, with its process id. */
  readonly pidFile: string;
  readonly signal: AbortSignal;
  /** Told of each lease that was ended, and of each try that failed. */
  readonly onEnd?: (leaseId: string, error?: unknown) => void;
}

/**
 * Watches until `signal` is aborted.
 *
 * @throws {SeedmintError} `locked` if one watches already.
 */
export async function runWatchdog(options: WatchdogOptions): Promise<void> {
  using _held = await take(options.pidFile, options.clock);
  const ends = new Ends(options.clock);
  while (!options.signal.aborted) {
    await round(options, ends);
    await options.clock.sleep(WATCHDOG_INTERVAL_MS, { signal: options.signal }).catch(() => {});
  }
}

/**
 * Starts a watchdog in the background unless one watches already that was told the same; one that was
 * told otherwise is ended first. It outlives this process.
 *
 * @param argv The program that runs {@link runWatchdog} with the same `pidFile`.
 * @param options.told All that it goes by besides `argv`, such as what is in files that `argv` names.
 * @returns Its process id.
 * @throws {SeedmintError} `unavailable` if one of earlier settings cannot be ended.
 */
export async function startWatchdog(
  argv: readonly string[],
  options: { readonly pidFile: string; readonly clock: Clock; readonly told?: string },
): Promise<number> {
  const { pidFile, told = "" } = options;
  const [program, ...args] = argv;
  if (program === undefined) throw new TypeError("Cannot start the watchdog: no program is given");
  const hash = createHash("sha256").update(JSON.stringify([argv, told])).digest("hex");
  const running = await watchdogPid(pidFile);
  if (running !== undefined) {
    if (await readIfThere(toldFile(pidFile)) === `${running} ${hash}\n`) return running;
    await stopWatchdog(pidFile, options);
  }
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  child.unref();
  await writeWhole(toldFile(pidFile), `${child.pid} ${hash}\n`);
  return child.pid;
}

/**
 * Ends the watchdog that runs now, by force if it does not go by itself; fine when there is none.
 *
 * @throws {SeedmintError} `unavailable` if it stays.
 */
export async function stopWatchdog(
  pidFile: string,
  options: { readonly clock: Clock },
): Promise<void> {
  const pid = await watchdogPid(pidFile);
  if (pid === undefined) return;
  const isThere = async () => await watchdogPid(pidFile) === pid && await holds(pid, pidFile);
  // Each of its steps can be taken again after it was cut short.
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    for (let waitedMs = 0; waitedMs < WATCHDOG_STOP_MS_MAX; waitedMs += LOCK_RETRY_MS) {
      if (!await isThere()) return;
      if (waitedMs === 0) kill(pid, signal);
      await options.clock.sleep(LOCK_RETRY_MS);
    }
  }
  throw new SeedmintError(
    "unavailable",
    `Cannot end the watchdog of earlier settings: process ${pid} stays; end it yourself`,
    { retryable: true },
  );
}

/** The process id of the watchdog that runs now. */
export async function watchdogPid(pidFile: string): Promise<number | undefined> {
  if (await readIfThere(pidFile) === undefined) return undefined;
  using file = await Deno.open(pidFile, { read: true });
  if (await file.tryLock(false)) return undefined;
  const pid = Number(await readIfThere(pidFile));
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/** Whether a process has the file open: an id alone may be another's by now. */
async function holds(pid: number, path: string): Promise<boolean> {
  const file = await Deno.realPath(path);
  const fds = `/proc/${pid}/fd`;
  try {
    for await (const { name } of Deno.readDir(fds)) {
      if (await Deno.readLink(`${fds}/${name}`).catch(() => "") === file) return true;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return false;
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function toldFile(pidFile: string): string {
  return `${pidFile}.told`;
}

/**
 * When leases are over, by the steady clock: what was paid for is a duration, and whoever sets the wall
 * clock neither ends a lease nor makes it last. An end that changed is read anew.
 */
class Ends {
  readonly #clock: Clock;
  #known = new Map<string, { readonly expiresMs: number; readonly untilMs: number }>();
  /** Wall-clock minus steady time at the last look. */
  #offsetMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetMs = clock.nowMs() - clock.monotonicMs();
  }

  /** Those that are over, and how long after the end on record that is by the wall clock. */
  over(
    leases: readonly InstanceSummary[],
  ): { readonly leaseId: string; readonly lateMs: number }[] {
    const [nowMs, steadyMs] = [this.#clock.nowMs(), this.#clock.monotonicMs()];
    // An end that is new since the last look may be by the clock of before or of now: the later counts.
    const offsetMs = Math.min(this.#offsetMs, nowMs - steadyMs);
    this.#offsetMs = nowMs - steadyMs;
    const known = new Map<string, { readonly expiresMs: number; readonly untilMs: number }>();
    const over = [];
    for (const { leaseId, expiresMs } of leases) {
      // An end of 0 is one that could not be read.
      if (!(expiresMs > 0)) continue;
      const before = this.#known.get(leaseId);
      const end = before?.expiresMs === expiresMs
        ? before
        : { expiresMs, untilMs: expiresMs - offsetMs };
      known.set(leaseId, end);
      if (steadyMs < end.untilMs + WATCHDOG_GRACE_MS) continue;
      over.push({ leaseId, lateMs: Math.min(WATCHDOG_GRACE_MS, nowMs - expiresMs) });
    }
    this.#known = known;
    return over;
  }
}

async function round(options: WatchdogOptions, ends: Ends): Promise<void> {
  let leases: readonly InstanceSummary[];
  try {
    leases = await options.backend.list();
  } catch (error) {
    options.onEnd?.("", error);
    return;
  }
  await Promise.all(
    ends.over(leases).map(async ({ leaseId, lateMs }) => {
      try {
        // Not if its end was moved in the meantime.
        if (await options.backend.destroyExpired(leaseId, lateMs)) options.onEnd?.(leaseId);
      } catch (error) {
        options.onEnd?.(leaseId, error);
      }
    }),
  );
}

async function take(pidFile: string, clock: Clock): Promise<Disposable> {
  const file = await Deno.open(pidFile, { read: true, write: true, create: true, mode: 0o600 });
  let isTaken = false;
  try {
    for (let tries = 0; tries < LOCK_TRIES_MAX && !isTaken; tries++) {
      // Whoever asks for our process id holds the lock for a moment, too.
      if (tries > 0) await clock.sleep(LOCK_RETRY_MS);
      isTaken = await file.tryLock(true);
    }
    if (!isTaken) {
      throw new SeedmintError(
        "locked",
        "Cannot start the watchdog: one watches these leases already",
      );
    }
    await file.truncate(0);
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
    return { [Symbol.dispose]: () => file.close() };
  } finally {
    if (!isTaken) file.close();
  }
}
