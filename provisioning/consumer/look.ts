/** How a lease is doing, as its provider says. */
import { isSeedmintError } from "../../src/core/errors.ts";
import { type Answer, isLeaseGone, type StatusAnswer } from "../wire/mod.ts";
import { ask } from "./ask.ts";
import type { BookedLease, LeaseEnd } from "./book/lease.ts";
import { complain, type LesseeContext } from "./context.ts";
import { LESSEE_LIMITS } from "./limits.ts";
import type { NamedRequest } from "./ports.ts";

/** States of a provider's journal in which a lease is over. */
const OVER: ReadonlySet<string> = new Set(["expiring", "destroyed", "failed", "refunded"]);

/** A new id for a question that costs nothing. */
export function questionId(context: Pick<LesseeContext, "random">): string {
  return `q-${context.random.bytes(8).toHex()}`;
}

/**
 * Asks after a lease and notes the answer.
 *
 * @throws {SeedmintError} `timeout`, `unavailable`: the provider does not answer.
 */
export async function look(
  lease: BookedLease,
  context: LesseeContext,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<Answer> {
  const request: NamedRequest = {
    type: "status",
    lease: lease.access!.lease,
    requestId: questionId(context),
  };
  const answer = await ask(context, lease.address, request, {
    signal: options.signal ?? context.signal,
    timeoutMs: options.timeoutMs ?? LESSEE_LIMITS.questionMs,
  });
  noteStatus(lease, answer, context);
  return answer;
}

/** Notes what a provider said of a lease. */
export function noteStatus(lease: BookedLease, answer: Answer, context: LesseeContext): void {
  const nowMs = context.clock.nowMs();
  if (answer.type === "error") {
    if (isLeaseGone(answer.error)) noteGone(lease, answer.message, context);
    return;
  }
  if (answer.type !== "status") return;
  context.book.transaction(() => {
    noteFingerprint(lease, answer, context);
    const isOver = isStatusOver(answer);
    // The end of a lease that is over is no news of how long it was to last.
    const expiresMs = isOver ? undefined : boundedEnd(lease, answer.expiresMs, context);
    context.book.toLease(lease.id, {
      type: "heard",
      ...(answer.state === undefined ? { state: answer.status } : { state: answer.state }),
      ...(expiresMs === undefined ? {} : { expiresMs }),
    }, nowMs);
    if (isOver) noteGone(lease, `The provider says that it is ${stateOf(answer)}`, context);
  });
  context.changed(lease.id);
}

/** A lease is no more: at its time, or before. */
export function noteGone(lease: BookedLease, message: string, context: LesseeContext): void {
  const { book, clock } = context;
  const nowMs = clock.nowMs();
  const expiresMs = lease.expiresMs ?? nowMs;
  const isEarly = nowMs < expiresMs - LESSEE_LIMITS.earlyMs;
  const end: LeaseEnd = isEarly
    ? { reason: "cut-short", message, atMs: nowMs }
    : { reason: "expired", message: "The paid time is over", atMs: Math.min(nowMs, expiresMs) };
  const isNews = book.transaction(() => {
    const event = isEarly ? { type: "cut-short", end } as const : { type: "over", end } as const;
    // Of a lease that is being stopped only the stop's answer counts.
    if (book.leases.get(lease.id)?.stage !== "live") return false;
    if (book.toLease(lease.id, event, nowMs) === undefined) return false;
    if (isEarly) {
      const leftS = Math.round((expiresMs - nowMs) / 1000);
      complain(context, lease, `It ended ${leftS} s before the paid time was over: ${message}`);
    }
    return true;
  });
  if (!isNews) return;
  context.changed(lease.id);
  context.nudge("lease", lease.id);
}

/** Whether a status says that the lease can be used no more. */
export function isStatusOver(answer: StatusAnswer): boolean {
  if (answer.state !== undefined) return OVER.has(answer.state);
  return answer.status !== "Running";
}

/** Whether a question failed because nobody gave an answer to it. */
export function isSilence(error: unknown): boolean {
  return isSeedmintError(error, "timeout") || isSeedmintError(error, "unavailable") ||
    isSeedmintError(error, "busy") || isSeedmintError(error, "protocol");
}

function stateOf(answer: StatusAnswer): string {
  return answer.state ?? answer.status;
}

/** The key of its host may not change: whoever has another is somebody else. */
function noteFingerprint(lease: BookedLease, answer: StatusAnswer, context: LesseeContext): void {
  const told = answer.hostKeyFingerprint;
  const known = lease.access?.hostKeyFingerprint;
  if (told === undefined || known === undefined || told === known) return;
  complain(context, lease, "It names another host key now; do not connect");
}

/** An end that is far later than paid for is not believed; an earlier one is, and held against it. */
function boundedEnd(
  lease: BookedLease,
  toldMs: number,
  context: LesseeContext,
): number {
  const knownMs = lease.expiresMs;
  if (knownMs === undefined) return toldMs;
  const skewMs = LESSEE_LIMITS.clockSkewMs;
  if (toldMs < knownMs - skewMs) {
    const lessS = Math.round((knownMs - toldMs) / 1000);
    complain(context, lease, `It moved the end ${lessS} s nearer without a reason`);
    return toldMs;
  }
  // A provider that was down gives its absence back, within reason.
  return Math.min(toldMs, knownMs + LESSEE_LIMITS.absenceMs);
}
