/** What is asked of a lease that is live, and how it is told when that cannot be. */
import { SeedmintError } from "../../src/core/errors.ts";
import { durationMsOf, satFor } from "../leases/credit.ts";
import {
  type Answer,
  type ErrorAnswer,
  type ExecRequest,
  isLeaseGone,
  type LogsRequest,
  type RestartRequest,
  WIRE_LIMITS,
} from "../wire/mod.ts";
import { ask } from "./ask.ts";
import type { BookedLease } from "./book/lease.ts";
import type { LesseeContext } from "./context.ts";
import { noteGone, questionId } from "./look.ts";
import type { TopUpWish } from "./wishes.ts";

/** Requests about what is inside of a lease. */
type InsideRequest = LogsRequest | ExecRequest | RestartRequest;

/**
 * Asks the provider of a lease, and gives the answer of the request's own kind.
 *
 * @throws {SeedmintError} As the line; with the provider's words if it refuses.
 */
export async function askInside<R extends InsideRequest>(
  lease: BookedLease,
  context: LesseeContext,
  request: R,
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Extract<Answer, { type: R["type"] }>> {
  const requestId = questionId(context);
  const { signal, timeoutMs } = options;
  const answer = await ask(context, lease.address, { ...request, requestId }, {
    signal,
    timeoutMs,
  });
  if (answer.type === request.type) return answer as Extract<Answer, { type: R["type"] }>;
  if (answer.type === "error") {
    if (isLeaseGone(answer.error)) noteGone(lease, answer.message, context);
    throw refusal(request.type, lease, answer);
  }
  throw new SeedmintError(
    "protocol",
    `${lease.providerName} answered ${request.type} with ${answer.type}; its lease may be of no use`,
  );
}

/** @throws {SeedmintError} `usage` */
export function checkCommand(command: readonly string[]): void {
  const charCount = command.reduce((sum, word) => sum + word.length, 0);
  const { commandWordCountMax, commandCharsMax } = WIRE_LIMITS;
  const isFit = command.length > 0 && command.length <= commandWordCountMax &&
    charCount <= commandCharsMax;
  if (isFit) return;
  throw new SeedmintError(
    "usage",
    `Cannot run this command: 1 to ${commandWordCountMax} words of at most ${commandCharsMax} characters in all wanted`,
  );
}

/** What a top-up pays. @throws {SeedmintError} `usage` */
export function topUpSat(wish: TopUpWish, lease: BookedLease): number {
  const { rateMsatPerS } = lease.wanted;
  const amountSat = wish.tokenSat ?? wish.amountSat ??
    (wish.durationMs === undefined ? 0 : satFor(wish.durationMs, rateMsatPerS));
  const isFit = Number.isSafeInteger(amountSat) &&
    durationMsOf(Math.max(0, amountSat) * 1000, rateMsatPerS) >= 1000;
  if (isFit) return amountSat;
  throw new SeedmintError(
    "usage",
    `Cannot top up for ${amountSat} sat: a second costs ${rateMsatPerS} msat; name a duration or an amount`,
  );
}

/** The error of what a provider does not do. */
export function refusal(what: string, lease: BookedLease, answer: ErrorAnswer): SeedmintError {
  return new SeedmintError(
    isLeaseGone(answer.error) ? "not-found" : answer.error === "denied" ? "denied" : "unavailable",
    `Cannot ${what} lease ${lease.id}: ${lease.providerName} says: ${answer.message}`,
    { cause: { error: answer.errorName ?? answer.error }, retryable: answer.retryMs !== undefined },
  );
}

/** The error of what only a live lease can do. */
export function notLive(lease: BookedLease, what: string): SeedmintError {
  const why = lease.stage === "asking"
    ? "it is not there yet"
    : lease.stage === "stopping"
    ? "it is being ended"
    : `it is over: ${lease.end?.message ?? lease.stage}`;
  return new SeedmintError("usage", `Cannot ${what} lease ${lease.id}: ${why}`);
}
