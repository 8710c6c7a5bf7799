/**
 * What a failed request means: the error table, pure. A request that may have had its effect is never
 * taken back: it is sent again as it was, or its outputs are asked for (NUT-09), or its quote is.
 */
import type { PostOutcome } from "../mint/mint_api.ts";

/** Which request. What refusals of a melt mean is in `operations/melt_refusals.ts`. */
export type Endpoint = "swap" | "mint";

/** Everything but an answer. */
export type PostFailure = Exclude<PostOutcome, { readonly kind: "answered" }>;

/** What to do next. */
export type Decision =
  /** Nothing is known: the same bytes again, later. */
  | { readonly action: "replay" }
  /** The mint works on it, or Lightning does: the same bytes again, later. */
  | { readonly action: "wait" }
  /**
   * Ask for the outputs by their blinded messages: all of them there is success. `ifNone` says what
   * none of them means: that the inputs were spent (or the quote issued) elsewhere, that the refusal
   * stands, or still nothing.
   */
  | { readonly action: "restore"; readonly ifNone: "spent-elsewhere" | "refused" | "replay" }
  /** The mint signed these outputs before: for this request, or for another. */
  | { readonly action: "see-whose-outputs" }
  /** Send the body with the older signature of NUT-20. */
  | { readonly action: "try-legacy" }
  /** The refusal is conclusive. */
  | { readonly action: "refused" }
  /** Ask for the quote: issued is for a restore, paid is still ours, unpaid makes the refusal stand. */
  | { readonly action: "ask-quote" };

/** Error codes of the NUTs that matter here. */
const INPUTS_SPENT = 11001;
const INPUTS_PENDING = 11002;
/** 10002 is what nutshell said before it had 11003. */
const OUTPUTS_SIGNED: readonly number[] = [10002, 11003];
const OUTPUTS_PENDING = 11004;
const PROOF_INVALID: readonly number[] = [10001, 10003];
const UNPAID = 20001;
const ISSUED = 20002;
const QUOTE_PENDING = 20005;
const EXPIRED = 20007;
const QUOTE_SIGNATURE: readonly number[] = [20008, 20009];

/**
 * Decides what `failure` of a request to `endpoint` means. `sentBefore`: whether a copy of it may have
 * reached the mint before this one, or may still be under way.
 */
export function decide(
  request: {
    readonly endpoint: Endpoint;
    readonly failure: PostFailure;
    readonly sentBefore: boolean;
    /** Whether the older signature of NUT-20 is left to be tried. */
    readonly hasLegacy?: boolean;
  },
): Decision {
  const { endpoint, failure, sentBefore } = request;
  if (failure.kind === "limited") return { action: "replay" };
  if (failure.kind === "unknown") {
    // Some mints answer 500 for ever once it is done.
    return sentBefore ? { action: "restore", ifNone: "replay" } : { action: "replay" };
  }
  const { code } = failure;
  if (OUTPUTS_SIGNED.includes(code)) return { action: "see-whose-outputs" };
  if (code === OUTPUTS_PENDING || code === INPUTS_PENDING) return { action: "wait" };
  if (endpoint === "swap" && code === INPUTS_SPENT) {
    return { action: "restore", ifNone: "spent-elsewhere" };
  }
  if (endpoint === "mint") {
    if (code === UNPAID || code === QUOTE_PENDING) return { action: "wait" };
    if (code === ISSUED) return { action: "restore", ifNone: "spent-elsewhere" };
    if (code === EXPIRED) return { action: "ask-quote" };
    if (QUOTE_SIGNATURE.includes(code) && request.hasLegacy) return { action: "try-legacy" };
  }
  if (!sentBefore) {
    const isSureOfNoEffect = PROOF_INVALID.includes(code) || QUOTE_SIGNATURE.includes(code);
    return isSureOfNoEffect ? { action: "refused" } : { action: "restore", ifNone: "refused" };
  }
  // A copy may be under way still: the refusal only stands if it would be refused like this one.
  return { action: "restore", ifNone: isForGood(code) ? "refused" : "replay" };
}

/** Whether the same bytes are refused for ever: for what is in them, and not for the mint's state of health. */
function isForGood(code: number): boolean {
  const isOfTransaction = code >= 11005 && code < 12000;
  const isOfKeyset = code >= 12000 && code < 13000;
  return PROOF_INVALID.includes(code) || QUOTE_SIGNATURE.includes(code) || isOfTransaction ||
    isOfKeyset;
}
