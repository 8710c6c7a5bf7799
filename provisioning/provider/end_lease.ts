/** A lease that is ready, and its end: one step at a time, as in `begin_lease.ts`. */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import { type Lease, type LeaseRefund, leftMsat } from "../leases/mod.ts";
import { leaseNameOf } from "../wire/mod.ts";
import { paymentOf, redeemOnce, type Step, type StepContext } from "./begin_lease.ts";
import type { ProviderContext } from "./context.ts";
import { within } from "./deadline.ts";
import { instanceEndMs } from "./lease_time.ts";
import { PROVIDER_LIMITS } from "./limits.ts";

/** `ready`: nothing is to be done until its time is over. */
export async function stepReady({ number }: Lease, context: StepContext): Promise<Step> {
  const { journal, time, settings, backend } = context;
  // The time first: asking for it may move the lease's end.
  const nowMs = time.nowMs();
  const lease = journal.leases.get(number);
  if (lease?.state !== "ready") return "again";
  const { downSinceMs, seenMs } = lease;
  if (downSinceMs !== undefined) {
    const leftMs = downSinceMs + PROVIDER_LIMITS.downMaxMs + 2 * PROVIDER_LIMITS.reconcileMs -
      nowMs;
    // Its time stands: the comparison starts it, moves its end, or gives it up.
    if (leftMs > 0) return { waitMs: Math.min(leftMs, PROVIDER_LIMITS.reconcileMs) };
    // The comparison could not: the engine says nothing of it.
    const message = "Its instance ended, and its engine cannot be asked";
    const untilMs = seenMs ?? downSinceMs;
    journal.leases.apply(number, { type: "end", reason: "lost", message, untilMs }, { nowMs });
    return "again";
  }
  const expiresMs = lease.expiresMs ?? nowMs;
  if (nowMs >= expiresMs) {
    const event = settings.graceMs > 0
      ? { type: "lapse" } as const
      : { type: "end", reason: "expired", message: "The paid time is over" } as const;
    journal.leases.apply(lease.number, event, { nowMs });
    return "again";
  }
  if (lease.isPaused) {
    await backend.resume(leaseNameOf(lease.number));
    journal.leases.apply(lease.number, { type: "resumed" }, { nowMs: time.nowMs() });
    return "again";
  }
  return { waitMs: expiresMs - nowMs };
}

/** `grace`: paused, and waiting for a top-up. */
export async function stepGrace({ number }: Lease, context: StepContext): Promise<Step> {
  const { journal, time, settings, backend } = context;
  const nowMs = time.nowMs();
  const lease = journal.leases.get(number);
  if (lease?.state !== "grace") return "again";
  const endMs = instanceEndMs(lease, settings)!;
  if (nowMs >= endMs) {
    const event = { type: "end", reason: "expired", message: "The paid time is over" } as const;
    journal.leases.apply(lease.number, event, { nowMs });
    return "again";
  }
  // First the label: the watchdog must not end it before, also when it cannot be paused.
  await backend.extend(leaseNameOf(lease.number), endMs);
  await backend.pause(leaseNameOf(lease.number));
  return { waitMs: endMs - time.nowMs() };
}

/** `expiring`: removed first, then what was not delivered is paid back. */
export async function stepExpiring(lease: Lease, context: StepContext): Promise<Step> {
  if (lease.mayExist) return await remove(lease, context);
  const { journal, time } = context;
  // Of a lease that lasted to its end less than a sat can be left.
  const left = leftMsat(lease, time.nowMs());
  const refund = await refundOnce(`lease:${lease.number}:${lease.createdMs}`, left, lease, context);
  if (!("status" in refund)) return refund;
  journal.leases.apply(lease.number, { type: "settled", refund }, { nowMs: time.nowMs() });
  return "again";
}

/** `failed`: removed first; then what the mint gave, also when it did so late, is paid back. */
export async function stepFailed(lease: Lease, context: StepContext): Promise<Step> {
  if (lease.mayExist) return await remove(lease, context);
  const { journal, time } = context;
  const payment = paymentOf(lease, context);
  if (payment?.status === "redeeming") {
    const redeemed = await redeemOnce(payment, context);
    if (redeemed.status === "pending") return { waitMs: redeemed.retryMs };
    if (redeemed.status === "refused") {
      journal.payments.refused(payment.tokenId, redeemed.code, redeemed.message);
    } else {
      const event = { type: "paid-late", amountMsat: redeemed.amountSat * 1000 } as const;
      journal.leases.apply(lease.number, event, {
        nowMs: time.nowMs(),
        also: () => journal.payments.redeemed(payment.tokenId, redeemed.amountSat),
      });
    }
    return "again";
  }
  const id = `lease:${lease.number}:${lease.createdMs}`;
  const refund = await refundOnce(id, lease.creditMsat, lease, context);
  if (!("status" in refund)) return refund;
  journal.leases.apply(lease.number, { type: "settled", refund }, { nowMs: time.nowMs() });
  return "again";
}

/** Pays back the whole sats of `msat`, under an id of its own; what it gave, or how long to wait. */
export async function refundOnce(
  id: string,
  msat: number,
  lease: Pick<Lease, "terms">,
  context: ProviderContext,
  lockTo: string | undefined = lease.terms.refundKey,
): Promise<LeaseRefund | { readonly waitMs: number }> {
  const amountSat = Math.floor(msat / 1000);
  if (amountSat === 0) return msat === 0 ? { status: "none" } : { status: "dust", msat };
  const refunded = await context.till.refund(
    { id, amountSat, ...(lockTo === undefined ? {} : { lockTo }) },
    { signal: context.signal },
  );
  switch (refunded.status) {
    case "pending":
      return { waitMs: refunded.retryMs };
    case "dust":
      return { status: "dust", msat };
    case "refunded":
      return refunded;
    default:
      return refunded satisfies never;
  }
}

/** Removes the instance, again and again until the engine says that it is absent. */
async function remove(lease: Lease, context: StepContext): Promise<Step> {
  const { backend, clock, signal, journal, time } = context;
  const name = leaseNameOf(lease.number);
  await within(
    clock,
    { ms: PROVIDER_LIMITS.startWithinMs, what: "Removing the instance", signal },
    () => backend.destroy(name),
  );
  const state = await backend.state(name);
  if (state !== "absent") {
    context.emit({ type: "problem", message: `Instance ${name} is ${state} after its removal` });
    return { waitMs: PROVIDER_LIMITS.retryFirstMs * 4 };
  }
  journal.leases.apply(lease.number, { type: "gone" }, { nowMs: time.nowMs() });
  return "again";
}

/** One line about a failure that is tried again. */
export function problemLine(lease: Lease, error: unknown): string {
  const text = isSeedmintError(error) ? error.message : messageOf(error);
  return `Lease ${leaseNameOf(lease.number)} (${lease.state}) is tried again: ${text}`;
}
