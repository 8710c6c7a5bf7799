/**
 * Finding out by NUT-09 and NUT-07 what came of a request whose answer is lost or in doubt. Outputs
 * are matched by blinded message, never by order; only all of them together are success.
 */
import type { BlindSignature } from "../types.ts";
import type { PostFailure } from "./decide.ts";
import type { ExchangeOutcome } from "./exchange_types.ts";
import { type ExchangeWork, keysetsOf } from "./exchange_work.ts";
import { PARTIAL_SEND_COUNT_MAX, STALE_SEND_COUNT_MAX, WRITE_OFF_MS } from "./limits.ts";
import { type Flaw, flawsOf, proofsOf, type Signed } from "./verify.ts";

/** What the request ended with, and what none of its outputs means. */
export interface RecoverOptions {
  readonly failure: PostFailure;
  readonly ifNone: "spent-elsewhere" | "refused" | "replay";
  readonly sendCount: number;
  /** What the mint said a moment ago, to ask only once. */
  readonly restored?: readonly Signed[];
}

/** Asks for the outputs. All signed: success. Some: wait for the rest. None: as `ifNone` says. */
export async function recover(
  work: ExchangeWork,
  options: RecoverOptions,
): Promise<ExchangeOutcome> {
  const pairs = options.restored ?? await restoredPairs(work);
  const count = pairs.filter(({ signature }) => signature !== undefined).length;
  if (count === pairs.length) return await finish(work, pairs, options);
  if (count > 0) return await partial(work, count, options);
  switch (options.ifNone) {
    case "replay":
      return wait(options.failure);
    case "spent-elsewhere":
      return await seeInputs(work, options, { kind: "inputs-spent" });
    case "refused": {
      const { failure } = options;
      if (failure.kind !== "refused") return wait(failure);
      const { code, detail } = failure;
      const refused = { kind: "refused", code, detail } as const;
      return options.sendCount > 1 ? await seeInputs(work, options, refused) : refused;
    }
  }
}

/**
 * The mint signed one of these outputs before. If our inputs are untouched, that was for another
 * request: counters are behind, as after a restored backup.
 */
export async function seeWhoseOutputs(
  work: ExchangeWork,
  options: Pick<RecoverOptions, "failure" | "sendCount">,
): Promise<ExchangeOutcome> {
  const { mint, signal, endpoint, inputYs, quoteId } = work;
  if (endpoint === "swap") {
    const states = (await mint.checkStates(inputYs, { signal })).map(({ state }) => state);
    if (states.includes("PENDING")) return wait(options.failure);
    if (!states.includes("SPENT")) return concluded(work, options, { kind: "outputs-used" });
    return await recover(work, { ...options, ifNone: "spent-elsewhere" });
  }
  const quote = await mint.mintQuote(quoteId ?? "", { signal });
  if (quote.state !== "ISSUED") {
    // A quote may be reported late; after a few tries it is not that.
    const mayBeStale = options.sendCount > 1 && options.sendCount <= STALE_SEND_COUNT_MAX;
    return mayBeStale ? wait(options.failure) : { kind: "outputs-used" };
  }
  return await recover(work, { ...options, ifNone: "spent-elsewhere" });
}

/** The outputs with the signatures that the mint says are theirs. */
export async function restoredPairs(work: ExchangeWork): Promise<readonly Signed[]> {
  const found: ReadonlyMap<string, BlindSignature> = await work.mint.restore(work.outputs, {
    signal: work.signal,
  });
  return work.outputs.map((output) => ({ output, signature: found.get(output.blinded) }));
}

/** Whether the mint says that every signature of it comes with DLEQ. */
export async function requiresDleq(work: ExchangeWork): Promise<boolean> {
  const info = work.mint.cachedInfo()?.info ?? await work.mint.info({ signal: work.signal });
  return info.nuts.has(12);
}

/** The mint broke its promise. */
export function dishonest(flaw: Flaw): ExchangeOutcome {
  return { kind: "dishonest", reason: flawReason(flaw) };
}

/** What a flaw says about the mint. */
export function flawReason(flaw: Flaw): string {
  switch (flaw) {
    case "missing":
      return "it signed only some of the outputs that it was asked for";
    case "other-amount":
      return "it signed another amount or keyset than it was asked for";
    case "false-dleq":
      return "its proof (NUT-12) that it signed with its own key is false";
    case "no-dleq":
      return "it left out the proof (NUT-12) that it says it gives";
  }
}

/** Every output is signed: for this request if it took effect, else for another one. */
async function finish(
  work: ExchangeWork,
  pairs: readonly Signed[],
  options: Doubt,
): Promise<ExchangeOutcome> {
  const effect = await effectOf(work);
  if (effect === "pending") return wait(options.failure);
  if (effect === "part") return concluded(work, options, { kind: "inputs-spent" });
  if (effect === "none") return notOurs(work, options);
  const keysets = await keysetsOf(work);
  // A restore may come without DLEQ: mints do not have to keep it.
  const flaws = await flawsOf(pairs, { keysets, requireDleq: false });
  const flaw = flaws.find((flaw) => flaw !== undefined);
  if (flaw !== undefined) return dishonest(flaw);
  const proofs = proofsOf(pairs, keysets);
  const states = (await work.mint.checkStates(proofs.map(({ y }) => y), { signal: work.signal }))
    .map(({ state }) => state);
  const left = proofs.filter((_, index) => states[index] === "UNSPENT");
  if (states.includes("SPENT")) {
    return { kind: "inputs-spent", ...(left.length === 0 ? {} : { left }) };
  }
  if (states.includes("PENDING")) {
    return {
      kind: "wait",
      reason: "somebody is spending what came of it: another copy of this wallet",
    };
  }
  return { kind: "signed", proofs };
}

async function partial(
  work: ExchangeWork,
  count: number,
  options: Doubt,
): Promise<ExchangeOutcome> {
  if (options.sendCount >= PARTIAL_SEND_COUNT_MAX) {
    // Those that are signed may be of another request: then the mint owes nothing.
    const effect = await effectOf(work);
    if (effect === "pending") return wait(options.failure);
    return effect === "none" ? notOurs(work, options) : dishonest("missing");
  }
  return {
    kind: "wait",
    reason: `the mint gives back only ${count} of ${work.outputs.length} signatures`,
  };
}

/**
 * None of the outputs is signed. `outcome` stands, unless a copy of the request is being worked on; or
 * unless a mint that signs after it spends was seen in between, which asking once more tells.
 */
async function seeInputs(
  work: ExchangeWork,
  options: RecoverOptions,
  outcome: ExchangeOutcome,
): Promise<ExchangeOutcome> {
  const effect = await effectOf(work);
  if (effect === "pending") return wait(options.failure);
  if (effect === "none") return outcome.kind === "refused" ? outcome : wait(options.failure);
  const again = await restoredPairs(work);
  const count = again.filter(({ signature }) => signature !== undefined).length;
  if (count === again.length) return await finish(work, again, options);
  return count > 0
    ? await partial(work, count, options)
    : concluded(work, options, { kind: "inputs-spent" });
}

/** What an outcome rests on. */
type Doubt = Pick<RecoverOptions, "failure" | "sendCount">;

/** Whether the mint says that a request like this one took effect: whether its inputs are gone. */
async function effectOf(work: ExchangeWork): Promise<"all" | "part" | "none" | "pending"> {
  const { mint, signal, endpoint, inputYs, quoteId } = work;
  if (endpoint === "mint") {
    return (await mint.mintQuote(quoteId ?? "", { signal })).state === "ISSUED" ? "all" : "none";
  }
  const states = (await mint.checkStates(inputYs, { signal })).map(({ state }) => state);
  if (states.includes("PENDING")) return "pending";
  if (!states.includes("SPENT")) return "none";
  return states.includes("UNSPENT") ? "part" : "all";
}

/** Outputs of ours are signed and our inputs untouched: unless the mint is late, counters are behind. */
function notOurs(work: ExchangeWork, options: Doubt): ExchangeOutcome {
  return options.sendCount <= STALE_SEND_COUNT_MAX
    ? wait(options.failure)
    : concluded(work, options, { kind: "outputs-used" });
}

/**
 * What cannot be taken back is believed of a request that was never sent before; else only when the
 * mint still says so after a while, for an earlier copy may be under way in it.
 */
function concluded(work: ExchangeWork, options: Doubt, outcome: ExchangeOutcome): ExchangeOutcome {
  if (options.sendCount <= 1) return outcome;
  const { context: { store, clock }, operation, request } = work;
  const nowMs = clock.nowMs();
  const sinceMs = store.transact((tx) => tx.noteDoubt(operation.id, request.phase, nowMs));
  const leftMs = sinceMs + WRITE_OFF_MS - nowMs;
  if (leftMs <= 0) return outcome;
  return {
    kind: "wait",
    reason: "the mint says that what it was to swap is gone: it is asked again, to be sure",
    retryMs: Math.min(leftMs, WRITE_OFF_MS / 6),
  };
}

function wait(failure: PostFailure): ExchangeOutcome {
  const reason = failure.kind === "refused"
    ? `the mint is not sure what came of it (code ${failure.code})`
    : failure.kind === "unknown"
    ? `the mint may have done it or not: ${failure.why}`
    : "the mint takes no more requests for now";
  return { kind: "wait", reason };
}
