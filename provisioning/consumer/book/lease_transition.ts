/** What happens to a lease in the book; the diagram is in `lease.ts`. */
import { BOOK_LIMITS } from "../limits.ts";
import type { BookedLease, KeepAlive, LeaseAccess, LeaseEnd, LeaseStage } from "./lease.ts";

/** One thing that happens to a lease. */
export type BookedLeaseEvent =
  /** The provider gave it. */
  | { readonly type: "access"; readonly access: LeaseAccess; readonly expiresMs: number }
  | { readonly type: "failed"; readonly end: LeaseEnd }
  /** What became of the money of a lease that failed, and whether its provider said nothing at all. */
  | { readonly type: "settled"; readonly end: LeaseEnd; readonly isSilent?: boolean }
  /** The provider said how it is doing. */
  | { readonly type: "heard"; readonly state?: string; readonly expiresMs?: number }
  /** Its end was an error of ours: the provider was away, and moved the end on. */
  | { readonly type: "revived"; readonly state: string; readonly expiresMs: number }
  /** It was paid for longer. */
  | { readonly type: "extended"; readonly expiresMs: number }
  | { readonly type: "stop" }
  /** It ended early, and not by us: what is left is asked for. */
  | { readonly type: "cut-short"; readonly end: LeaseEnd }
  /** It is over; what `cut-short` or `stop` said before goes before. */
  | { readonly type: "over"; readonly end: LeaseEnd }
  | { readonly type: "keep"; readonly keepAlive?: KeepAlive }
  | { readonly type: "complain"; readonly complaint: string }
  | { readonly type: "receipted" };

const FROM: { readonly [T in BookedLeaseEvent["type"]]: readonly LeaseStage[] } = {
  access: ["asking", "failed"],
  failed: ["asking"],
  settled: ["failed"],
  heard: ["live", "stopping"],
  revived: ["ended"],
  extended: ["live"],
  stop: ["live"],
  "cut-short": ["live"],
  over: ["live", "stopping"],
  keep: ["asking", "live"],
  complain: ["asking", "live", "stopping", "ended", "failed"],
  receipted: ["ended", "failed"],
};

/** Whether `event` can happen to a lease at `stage`. */
export function canHappenToLease(stage: LeaseStage, event: BookedLeaseEvent["type"]): boolean {
  return FROM[event].includes(stage);
}

/** The lease after the event; undefined if it cannot happen to it as it is. */
export function leaseAfter(
  lease: BookedLease,
  event: BookedLeaseEvent,
  nowMs: number,
): BookedLease | undefined {
  if (!canHappenToLease(lease.stage, event.type)) return undefined;
  const enter = (stage: LeaseStage, more: Partial<BookedLease> = {}): BookedLease => ({
    ...lease,
    ...more,
    stage,
    changedMs: nowMs,
  });
  switch (event.type) {
    case "access": {
      const { access, expiresMs } = event;
      return alive(lease, { access, expiresMs }, nowMs);
    }
    case "failed":
      return enter("failed", { end: event.end });
    case "settled":
      return {
        ...lease,
        end: event.end,
        owesReceipt: event.end.reason !== "unserved" || event.isSilent === true,
      };
    case "heard":
      return {
        ...lease,
        heardMs: nowMs,
        ...(event.state === undefined ? {} : { providerState: event.state }),
        ...(event.expiresMs === undefined ? {} : { expiresMs: event.expiresMs }),
      };
    case "revived": {
      const { state, expiresMs } = event;
      return alive(lease, { providerState: state, expiresMs }, nowMs);
    }
    case "extended":
      return { ...lease, expiresMs: Math.max(lease.expiresMs ?? 0, event.expiresMs) };
    case "stop":
      return enter("stopping");
    case "cut-short":
      return enter("stopping", { end: event.end });
    case "over":
      return enter("ended", { end: lease.end ?? event.end, owesReceipt: true });
    case "keep": {
      const { keepAlive: _, ...rest } = lease;
      return event.keepAlive === undefined ? rest : { ...rest, keepAlive: event.keepAlive };
    }
    case "complain":
      if (lease.complaints.includes(event.complaint)) return lease;
      if (lease.complaints.length >= BOOK_LIMITS.complaintsMax) return lease;
      return { ...lease, complaints: [...lease.complaints, event.complaint] };
    case "receipted":
      return { ...lease, owesReceipt: false };
    default:
      return event satisfies never;
  }
}

/** A lease that its provider has just given, or said to be there; whatever end it had was none. */
function alive(lease: BookedLease, more: Partial<BookedLease>, nowMs: number): BookedLease {
  const { end: _, ...rest } = lease;
  return { ...rest, ...more, stage: "live", changedMs: nowMs, heardMs: nowMs, owesReceipt: false };
}
