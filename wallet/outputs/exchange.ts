/**
 * Asking a mint to sign what was planned (swap and mint), with the bytes that were frozen:
 *
 *     count the send ──▶ post ──▶ answered ──▶ check each signature ──▶ signed | dishonest
 *                          │
 *                          └────▶ decide ──▶ wait | legacy body | restore by B_ | refused | …
 *
 * Nothing but counts of sends is written here. Calling it again is how a lost answer is got back.
 */
import { SeedmintError } from "../../src/core/errors.ts";
import { readSignatures } from "../mint/answers.ts";
import { MintRefusal, type PostOutcome } from "../mint/mint_api.ts";
import { asObject, ShapeError } from "../mint/shape.ts";
import type { Operation } from "../operations/operation.ts";
import type { SagaContext } from "../operations/saga.ts";
import type { BlindSignature } from "../types.ts";
import { decide, type PostFailure } from "./decide.ts";
import type { ExchangeOutcome } from "./exchange_types.ts";
import { type ExchangeWork, keysetsOf, workOf } from "./exchange_work.ts";
import { dishonest, recover, requiresDleq, restoredPairs, seeWhoseOutputs } from "./recover.ts";
import { flawsOf, proofsOf, type Signed } from "./verify.ts";

/** Options of {@link exchange}. */
export interface ExchangeOptions {
  readonly signal: AbortSignal;
}

/**
 * One try of the frozen request of `phase`: posts it, and finds out what came of it.
 *
 * @throws {SeedmintError} `aborted`; `storage`; or what is no trouble that passes.
 */
export async function exchange(
  context: SagaContext,
  operation: Operation,
  phase: string,
  options: ExchangeOptions,
): Promise<ExchangeOutcome> {
  const work = workOf(context, operation, phase, options.signal);
  const coolingMs = work.mint.cooldownMs?.() ?? 0;
  if (coolingMs > 0) {
    return { kind: "wait", reason: "the mint is left alone for a while", retryMs: coolingMs };
  }
  try {
    return await attempt(work);
  } catch (error) {
    if (options.signal.aborted) throw error;
    // A question failed after the request: what is known is on disk, the rest is asked again.
    if (error instanceof SeedmintError && error.retryable) {
      return { kind: "wait", reason: error.message };
    }
    if (error instanceof MintRefusal) {
      return { kind: "wait", reason: `the mint refused a question (code ${error.code})` };
    }
    throw error;
  }
}

async function attempt(work: ExchangeWork): Promise<ExchangeOutcome> {
  const { request } = work;
  const first = await post(work, request.body);
  const failure = first.outcome;
  if (failure.kind === "answered") return await checkAnswer(work, failure.body, first.sendCount);
  const wantsLegacy = decide({
    endpoint: work.endpoint,
    failure,
    sentBefore: first.sendCount > 1,
    hasLegacy: request.legacyBody !== undefined,
  }).action === "try-legacy";
  if (!wantsLegacy) return await act(work, failure, first.sendCount);
  const second = await post(work, request.legacyBody!);
  return second.outcome.kind === "answered"
    ? await checkAnswer(work, second.outcome.body, second.sendCount)
    : await act(work, second.outcome, second.sendCount);
}

/** Counts the send on disk, then sends. */
async function post(
  work: ExchangeWork,
  body: string,
): Promise<{ readonly outcome: PostOutcome; readonly sendCount: number }> {
  const { context, operation, request, signal } = work;
  signal.throwIfAborted();
  const { phase, path } = request;
  const sendCount = context.store.transact((tx) => tx.countSend(operation.id, phase));
  context.fault(`${operation.kind}.${phase}.before-send`);
  const outcome = await work.mint.post(path, body, { signal });
  context.fault(`${operation.kind}.${phase}.after-send`);
  if (outcome.kind === "unknown" && signal.aborted) {
    throw new SeedmintError("aborted", "Waiting for the mint was cancelled; it goes on later", {
      retryable: true,
    });
  }
  return { outcome, sendCount };
}

async function act(
  work: ExchangeWork,
  failure: PostFailure,
  sendCount: number,
): Promise<ExchangeOutcome> {
  const sentBefore = sendCount > 1;
  const decision = decide({ endpoint: work.endpoint, failure, sentBefore });
  switch (decision.action) {
    case "replay":
    case "wait":
      return waitFor(failure);
    case "restore":
      return await recover(work, { failure, ifNone: decision.ifNone, sendCount });
    case "see-whose-outputs":
      return await seeWhoseOutputs(work, { failure, sendCount });
    case "ask-quote":
      return await seeQuote(work, failure, sendCount);
    case "refused":
    case "try-legacy":
      return refusedBy(failure);
  }
}

function waitFor(failure: PostFailure): ExchangeOutcome {
  switch (failure.kind) {
    case "limited":
      return {
        kind: "wait",
        reason: "the mint takes no more requests for now",
        retryMs: failure.retryAfterMs,
      };
    case "unknown":
      return { kind: "wait", reason: `the mint may have done it or not: ${failure.why}` };
    case "refused":
      return { kind: "wait", reason: `the mint is not ready (code ${failure.code})` };
  }
}

function refusedBy(failure: PostFailure): ExchangeOutcome {
  return failure.kind === "refused"
    ? { kind: "refused", code: failure.code, detail: failure.detail }
    : waitFor(failure);
}

/** The mint says that a quote expired: what was paid before is still ours. */
async function seeQuote(
  work: ExchangeWork,
  failure: PostFailure,
  sendCount: number,
): Promise<ExchangeOutcome> {
  const quote = await work.mint.mintQuote(work.quoteId ?? "", { signal: work.signal });
  if (quote.state === "UNPAID") return refusedBy(failure);
  if (quote.state === "PAID") return waitFor(failure);
  return await recover(work, { failure, ifNone: "spent-elsewhere", sendCount });
}

/** 200: nothing of it is believed before each signature is checked against its output. */
async function checkAnswer(
  work: ExchangeWork,
  body: unknown,
  sendCount: number,
): Promise<ExchangeOutcome> {
  const { outputs } = work;
  let signatures: BlindSignature[] | undefined;
  try {
    signatures = readSignatures(asObject(body, "answer").signatures, outputs.length);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
  }
  const failure: PostFailure = { kind: "unknown", why: "its answer has not the right form" };
  if (signatures === undefined) {
    return await recover(work, { failure, ifNone: "replay", sendCount });
  }
  const keysets = await keysetsOf(work);
  const requireDleq = await requiresDleq(work);
  const pairs: Signed[] = outputs.map((output, index) => ({
    output,
    signature: signatures[index],
  }));
  const flaws = await flawsOf(pairs, { keysets, requireDleq });
  if (flaws.includes("no-dleq")) return dishonest("no-dleq");
  if (flaws.every((flaw) => flaw === undefined)) {
    // Without DLEQ nobody sees which signature belongs to which of several equal amounts.
    if (!await isOrderUncertain(work, pairs)) {
      return { kind: "signed", proofs: proofsOf(pairs, keysets) };
    }
  }
  return await settleByRestore(work, { pairs, flaws, sendCount });
}

async function isOrderUncertain(work: ExchangeWork, pairs: readonly Signed[]): Promise<boolean> {
  const blind = pairs.filter(({ signature }) => signature?.dleq === undefined);
  const amounts = new Set(blind.map(({ output }) => output.amount));
  if (amounts.size === blind.length) return false;
  return (await work.mint.info({ signal: work.signal })).nuts.has(9);
}

/** The answer is short, permuted or false: what the mint says of each B_ tells which. */
async function settleByRestore(
  work: ExchangeWork,
  answer: {
    readonly pairs: readonly Signed[];
    readonly flaws: readonly (string | undefined)[];
    readonly sendCount: number;
  },
): Promise<ExchangeOutcome> {
  const restored = await restoredPairs(work);
  for (const [index, { signature }] of answer.pairs.entries()) {
    const flaw = answer.flaws[index];
    const again = restored[index]!.signature;
    // The very signature that does not check out, said again to be of this output.
    if (flaw === "false-dleq" && signature!.C_ === again?.C_) return dishonest("false-dleq");
    if (flaw === "other-amount" && signature!.C_ === again?.C_) return dishonest("other-amount");
  }
  const failure: PostFailure = { kind: "unknown", why: "its answer does not fit what was asked" };
  return await recover(work, {
    failure,
    ifNone: "replay",
    sendCount: answer.sendCount,
    restored,
  });
}
