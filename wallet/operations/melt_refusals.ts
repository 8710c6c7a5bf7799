/** What a mint's typed refusals mean for a melt (error codes of the NUTs). */
import { PLAN_ROUNDS_MAX } from "./limits.ts";
import { MELT_SENDS_MAX } from "./melt_limits.ts";
import type { LegAnswer } from "./melt_plan.ts";
import { isKeysetRefusal } from "./refusals.ts";

/** What may be done about a melt whose quote is unpaid and whose inputs are unspent. */
export type Remedy =
  /** Take the inputs back by a swap: a copy of the request may still arrive. */
  | "fence"
  /** Let go: the request was refused for a reason that stays. */
  | "release"
  /** Freeze another request with the same inputs: the first was refused for its blanks or fees. */
  | "plan-anew"
  /** Send the same bytes: the mint did not look at them. */
  | "again";

/**
 * Codes that are final for a request that was sent once: bad proofs, malformed or unsupported
 * requests, amounts outside the mint's limits, too many inputs, an expired quote.
 */
const FINAL_CODES: ReadonlySet<number> = new Set([
  10001,
  10003,
  11006,
  11007,
  11008,
  11009,
  11010,
  11011,
  11012,
  11013,
  11014,
  11015,
  20007,
]);

/** Outputs that were signed, or are being signed; 10002 is what nutshell said before it had 11003. */
const OUTPUT_CODES: ReadonlySet<number> = new Set([10002, 11003, 11004]);

/** An output of ours was signed, or is being signed, for another request: a counter was used twice. */
export function isOutputReuse(code: number): boolean {
  return OUTPUT_CODES.has(code);
}

/** Whether the same inputs may be planned anew after a conclusive refusal with `code`. */
export function isPlannedAnew(code: number): boolean {
  return isKeysetRefusal(code) || isOutputReuse(code);
}

/**
 * The remedy for a melt whose quote is unpaid and whose inputs are unspent. Only a typed refusal of a
 * request that was never sent before is definite; `20004` (the payment failed) never is.
 */
export function remedyFor(state: {
  readonly answer: LegAnswer | undefined;
  readonly sendCount: number;
  readonly meltRound: number;
  readonly isTooLate: boolean;
}): Remedy {
  const { answer, sendCount, meltRound, isTooLate } = state;
  if (answer?.kind === "limited") {
    return sendCount < MELT_SENDS_MAX && !isTooLate ? "again" : "fence";
  }
  if (answer?.kind !== "refused" || sendCount > 1) return "fence";
  if (isPlannedAnew(answer.code)) return meltRound < PLAN_ROUNDS_MAX ? "plan-anew" : "release";
  return FINAL_CODES.has(answer.code) ? "release" : "fence";
}
