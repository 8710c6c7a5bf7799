/**
 * What runs is made equal to what is paid. An engine that does not answer is asked again later, and
 * nothing is concluded from its silence.
 */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import { holdsCapacity, isOver, type Lease } from "../leases/mod.ts";
import type { InstanceSummary } from "../ports.ts";
import { leaseNameOf, leaseNumberOf } from "../wire/mod.ts";
import type { ProviderContext } from "./context.ts";
import { instanceEndMs } from "./lease_time.ts";
import { PROVIDER_LIMITS } from "./limits.ts";
import type { LeaseRunner } from "./runner.ts";

/** What a comparison found. */
export interface Reconciliation {
  /** Whether the engine answered. */
  readonly isKnown: boolean;
  /** Instances without a lease that were removed. */
  readonly sweptCount: number;
  readonly lostCount: number;
  readonly revivedCount: number;
}

/** What a comparison is made with. */
interface Parts {
  readonly context: ProviderContext;
  readonly runner: LeaseRunner;
  /** How long instances have been looked at without a break of ours, in milliseconds. */
  readonly lookedMs: number;
}

/** Compares once. Never throws. */
export async function reconcile(
  context: ProviderContext,
  runner: LeaseRunner,
  { lookedMs }: Pick<Parts, "lookedMs">,
): Promise<Reconciliation> {
  const parts = { context, runner, lookedMs };
  let sweptCount = 0;
  let lostCount = 0;
  let revivedCount = 0;
  // What lost its network is no longer apart from the host: before anything else.
  await repair(context);
  let instances: readonly InstanceSummary[];
  try {
    instances = await context.backend.list();
  } catch (error) {
    context.signal.throwIfAborted();
    problem(context, "The engine does not say what runs", error);
    return { isKnown: false, sweptCount, lostCount, revivedCount };
  }
  const found = new Map(instances.map((instance) => [instance.leaseId, instance]));
  for (const instance of instances) {
    if (await sweep(instance, context)) sweptCount++;
  }
  for (const lease of context.journal.leases.open()) {
    if (lease.state !== "ready") continue;
    const outcome = await compare(lease, found.get(leaseNameOf(lease.number)), parts);
    if (outcome === "lost") lostCount++;
    if (outcome === "revived") revivedCount++;
  }
  return { isKnown: true, sweptCount, lostCount, revivedCount };
}

/** Puts back what connects instances and keeps them apart, where something took it away. Never throws. */
export async function repair(context: ProviderContext): Promise<void> {
  try {
    for (const message of await context.backend.repair?.() ?? []) {
      context.emit({ type: "problem", message });
    }
  } catch (error) {
    if (!context.signal.aborted) {
      problem(context, "What connects leases cannot be looked at", error);
    }
  }
}

/** Removes an instance that no lease stands for. @returns Whether it did. */
async function sweep(instance: InstanceSummary, context: ProviderContext): Promise<boolean> {
  const number = leaseNumberOf(instance.leaseId);
  const lease = number === undefined ? undefined : context.journal.leases.get(number);
  // What may exist is its driver's.
  if (lease !== undefined && !isOver(lease) && (holdsCapacity(lease) || lease.mayExist)) {
    return false;
  }
  try {
    await context.backend.destroy(instance.leaseId);
    context.emit({ type: "swept", name: instance.leaseId });
    return true;
  } catch (error) {
    context.signal.throwIfAborted();
    problem(context, `Instance ${instance.leaseId} has no lease and cannot be removed`, error);
    return false;
  }
}

async function compare(
  lease: Lease,
  instance: InstanceSummary | undefined,
  parts: Parts,
): Promise<"lost" | "revived" | undefined> {
  const { context } = parts;
  const { backend, journal, time, settings } = context;
  const name = leaseNameOf(lease.number);
  try {
    // That a list left it out is no proof.
    const state = instance?.state ?? await backend.state(name);
    if (state === "unknown") return undefined;
    if (state === "absent") {
      // The watchdog ended it at its time, as it should: its driver does the rest. Not of one that is
      // down, whose time stands.
      const { downSinceMs, expiresMs = 0 } = journal.leases.get(lease.number) ?? lease;
      if (downSinceMs === undefined && time.nowMs() >= expiresMs) return undefined;
      lose(lease, "Its instance is gone", parts);
      return "lost";
    }
    if (state === "stopped") return await revive(lease, parts);
    journal.leases.apply(lease.number, { type: "seen" }, { nowMs: time.nowMs() });
    const now = journal.leases.get(lease.number);
    const endMs = now && instanceEndMs(now, settings);
    if (instance !== undefined && endMs !== undefined && instance.expiresMs !== endMs) {
      await backend.extend(name, endMs);
    }
  } catch (error) {
    context.signal.throwIfAborted();
    problem(context, `Lease ${name} cannot be compared with its instance`, error);
  }
  return undefined;
}

/** Starts an instance that ended by itself, or with its machine: its files are kept. */
async function revive(lease: Lease, parts: Parts): Promise<"lost" | "revived"> {
  const { context, runner } = parts;
  const { backend, journal, time, settings } = context;
  const { downSinceMs } = lease;
  const isCharged = downSinceMs === undefined && isWatched(lease, parts);
  if (lease.revivalCount >= PROVIDER_LIMITS.revivalsMax) {
    const message = `Its instance ended by itself ${lease.revivalCount + 1} times`;
    lose(lease, message, parts, { isCharged });
    return "lost";
  }
  if (downSinceMs !== undefined && time.nowMs() - downSinceMs > PROVIDER_LIMITS.downMaxMs) {
    lose(lease, "Its instance ended and could not be started again", parts);
    return "lost";
  }
  const name = leaseNameOf(lease.number);
  try {
    await backend.start(name);
  } catch (error) {
    context.signal.throwIfAborted();
    if (isSeedmintError(error, "corrupt")) {
      problem(context, `Instance ${name} is lost`, error);
      lose(lease, "Its disk was damaged beyond repair", parts);
      return "lost";
    }
    // That the engine refuses is no end that the instance came to by itself.
    const stood = { type: "stood", isCharged } as const;
    const after = journal.leases.apply(lease.number, stood, { nowMs: time.nowMs() });
    const endMs = after && instanceEndMs(after, settings);
    // The watchdog must not take for over what only stands still. What failed is told below.
    if (endMs !== undefined) await backend.extend(name, endMs).catch(() => {});
    throw error;
  }
  const event = { type: "revived", isCharged } as const;
  const after = journal.leases.apply(lease.number, event, { nowMs: time.nowMs() });
  // Its end has moved, for its driver and for those who wait.
  if (after !== undefined) runner.announce(after);
  runner.nudge(lease.number);
  const endMs = after && instanceEndMs(after, settings);
  if (endMs !== undefined) await backend.extend(name, endMs);
  return "revived";
}

/**
 * Whether an instance was looked at all the time: then it ended between two looks. Its lessee can end it
 * when it likes, so what lies between is charged, or a minute's work would be free again and again.
 */
function isWatched({ number }: Lease, { context, lookedMs }: Parts): boolean {
  const nowMs = context.time.nowMs();
  const seenMs = context.journal.leases.get(number)?.seenMs ?? 0;
  // A clock that went back says nothing of how long it was.
  return nowMs >= seenMs &&
    nowMs - seenMs <= Math.min(lookedMs, 2 * PROVIDER_LIMITS.reconcileMs);
}

/** Ends a lease that was delivered until it was last seen, or until now; the rest is paid back. */
function lose(
  lease: Lease,
  message: string,
  { context, runner }: Pick<Parts, "context" | "runner">,
  { isCharged }: { readonly isCharged: boolean } = { isCharged: false },
): void {
  const { journal, time } = context;
  // The time first: asking for it may move what the lease says.
  const nowMs = time.nowMs();
  const seenMs = journal.leases.get(lease.number)?.seenMs;
  const ended = journal.leases.apply(lease.number, {
    type: "end",
    reason: "lost",
    message,
    ...(seenMs === undefined || isCharged ? {} : { untilMs: seenMs }),
  }, { nowMs });
  if (ended !== undefined) runner.announce(ended);
  runner.nudge(lease.number);
}

function problem(context: ProviderContext, what: string, error: unknown): void {
  context.emit({ type: "problem", message: `${what}: ${messageOf(error)}` });
}
