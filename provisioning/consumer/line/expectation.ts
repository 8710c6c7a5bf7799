/** Which answer belongs to which request. */
import { createHash } from "node:crypto";
import { type Answer, leavesTokenAlone, type Request } from "../../wire/mod.ts";

/** What is known of a request whose answer is looked for. */
export interface Expected {
  readonly requestId: string;
  readonly type: Request["type"];
  readonly lease?: string;
  readonly isOurs: boolean;
  /** Seconds since 1970. */
  readonly sentS: number;
}

/** The lease that a request is about. */
export function leaseOfRequest(request: Request): string | undefined {
  return "lease" in request ? request.lease : undefined;
}

/** Whether an answer can be one to a request: of its kind, and about its lease. */
export function fits(expected: Pick<Expected, "type" | "lease">, answer: Answer): boolean {
  if (answer.type === "error") return true;
  if (answer.type === "progress" || answer.type === "notice") return false;
  const wanted = expected.type === "spawn" ? "access" : expected.type;
  if (answer.type !== wanted) return false;
  if (expected.lease === undefined || !("lease" in answer)) return true;
  return answer.lease === expected.lease;
}

/**
 * Whether the same request under the same id may have another answer later. A `backend_error` is also how
 * a lease failed, for good: it says when to ask again where it makes sense.
 */
export function isPassing(answer: Answer): boolean {
  if (answer.type !== "error" || answer.refund !== undefined) return false;
  return answer.retryMs !== undefined || answer.error === "rate_limited" ||
    answer.error === "token_pending";
}

/** Whether such an answer says already what became of the request's money: nothing. */
export function isUntouched(answer: Answer): boolean {
  return answer.type === "error" && leavesTokenAlone(answer.error);
}

/** What a request asks for, whatever it is called. */
export function fingerprintOf(request: Request): string {
  const { requestId: _, wantsProgress: __, ...rest } = request;
  return createHash("sha256").update(JSON.stringify(rest)).digest("hex");
}

/**
 * The request that an answer without an id belongs to. Providers of ours repeat the id; those of
 * Paygress are asked one thing at a time, so it is the one that somebody waits for, else the oldest.
 *
 * @param sentAtS When the answer was written, in seconds since 1970.
 */
export function byOrder<T extends Expected>(
  answer: Answer,
  sentAtS: number,
  options: {
    readonly waiting: readonly T[];
    readonly open: readonly T[];
    readonly skewS: number;
  },
): T | undefined {
  const isFit = (one: T) =>
    !one.isOurs && fits(one, answer) && sentAtS >= one.sentS - options.skewS;
  const oldest = (list: readonly T[]) => list.filter(isFit).sort((a, b) => a.sentS - b.sentS)[0];
  return oldest(options.waiting) ?? oldest(options.open);
}
