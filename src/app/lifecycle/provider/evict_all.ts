/** Ends all that is lent, so that lending can end: what is owed then is told, and paid by the journal later. */
import { SeedmintError } from "../../../core/errors.ts";
import type { Clock } from "../../../core/ports.ts";
import type { Lease } from "../../../../provisioning/leases/mod.ts";
import { leaseNameOf } from "../../../../provisioning/wire/lease_name.ts";
import { EVICT_LOOK_MS, EVICT_MS, REFUNDS_MS } from "./limits.ts";
import type { LendingParts } from "./session.ts";

const MESSAGE = "The provider stops lending";

/**
 * Ends all leases, also those that are on their way, and waits until no instance can be left. Meanwhile
 * no new ones are taken; whatever comes, the provider then drains as it did before.
 *
 * @throws {SeedmintError} `timeout` if instances stay.
 * @throws `signal.reason`
 */
export async function evictAll(
  { provider, journal }: Pick<LendingParts, "provider" | "journal">,
  options: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly onNote: (note: string) => void;
  },
): Promise<void> {
  const { clock, signal, onNote } = options;
  const wasDraining = journal.policy.isDraining;
  const startedMs = clock.monotonicMs();
  let emptySinceMs: number | undefined;
  provider.drain(true);
  try {
    onNote(`ending ${counted(journal.leases.open())}`);
    for (;;) {
      // A request that was being checked when the draining began may have become a lease since.
      for (const { number } of journal.leases.open()) provider.evict(number, MESSAGE);
      const open = journal.leases.open();
      if (open.length === 0) return;
      const nowMs = clock.monotonicMs();
      const left = open.filter(({ mayExist }) => mayExist);
      emptySinceMs = left.length > 0 ? undefined : emptySinceMs ?? nowMs;
      if (emptySinceMs !== undefined && nowMs - emptySinceMs >= REFUNDS_MS) {
        onNote(
          `not paid back yet: what is left of ${named(open)}; the node pays it once it lends again`,
        );
        return;
      }
      if (nowMs - startedMs >= EVICT_MS) throw stays(left);
      await clock.sleep(EVICT_LOOK_MS, { signal });
    }
  } finally {
    provider.drain(wasDraining);
  }
}

function counted(leases: readonly Lease[]): string {
  return leases.length === 1 ? "1 lease" : `${leases.length} leases`;
}

function named(leases: readonly Lease[]): string {
  const names = leases.slice(0, 5).map(({ number }) => leaseNameOf(number)).join(", ");
  return leases.length > 5 ? `${names} and ${leases.length - 5} others` : names;
}

function stays(left: readonly Lease[]): SeedmintError {
  return new SeedmintError(
    "timeout",
    `Cannot stop lending: ${named(left)} may still run after ${EVICT_MS / 1000} s; ` +
      "see in provider status whether the engine answers, then stop again",
    { retryable: true },
  );
}
