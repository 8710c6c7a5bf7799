/**
 * Change of a melt (NUT-08): blank outputs that the mint fills with amounts of its choice, from the
 * first on. The keyset is the one that the signature names, which may be newer or older than the one
 * that the blanks were planned for; signatures over nothing are no proofs.
 */
import { isSeedmintError } from "../../src/core/errors.ts";
import type { MintApi } from "../mint/mint_api.ts";
import type { BlindSignature, Keyset, PlannedOutput } from "../types.ts";
import type { SignedProof } from "./exchange_types.ts";
import { flawReason } from "./recover.ts";
import { type Flaw, flawsOf, proofsOf, type Signed } from "./verify.ts";

/** What came of the blanks. */
export type ChangeOutcome =
  /** All that the mint signed, conclusively; the other blanks stay empty for ever. */
  | { readonly kind: "claimed"; readonly proofs: readonly SignedProof[] }
  /** The mint signed something that does not check out. `proofs` are those that do. */
  | {
    readonly kind: "dishonest";
    readonly reason: string;
    readonly proofs: readonly SignedProof[];
  };

/** Options of both. */
export interface ChangeOptions {
  readonly signal?: AbortSignal;
}

/**
 * The change in the mint's answer: the signature at each place is for the blank at that place. If one
 * does not fit its blank, or nothing proves that it does, the mint is asked by blinded message.
 *
 * @param outputs The blanks in the order in which the request named them.
 * @throws {SeedmintError} If the mint has to be asked and does not answer.
 */
export async function unblindChange(
  mint: MintApi,
  outputs: readonly PlannedOutput[],
  signatures: readonly BlindSignature[],
  options: ChangeOptions = {},
): Promise<ChangeOutcome> {
  if (signatures.length > outputs.length) return await restoreChange(mint, outputs, options);
  const pairs = signatures.map((signature, index) => ({ output: outputs[index]!, signature }))
    .filter(({ signature }) => signature.amount > 0n);
  const info = mint.cachedInfo()?.info ?? await mint.info(options);
  const keysets = await keysetsOf(mint, pairs, options);
  const flaws = await flawsOf(pairs, { keysets, requireDleq: info.nuts.has(12) });
  const isProven = pairs.every(({ signature }) => signature.dleq !== undefined);
  const isWhole = flaws.every((flaw) => flaw === undefined);
  if (isWhole && (isProven || !info.nuts.has(9))) return outcomeOf(pairs, flaws, keysets);
  if (flaws.includes("no-dleq")) return outcomeOf(pairs, flaws, keysets);
  const found = await mint.restore(outputs, options);
  // It signed none of these blanks: the change is of another copy of this wallet, with other blanks.
  if (found.size === 0) return { kind: "claimed", proofs: [] };
  const restored = await outcomeOfRestored(mint, outputs, found, options);
  const lie = flaws.find((flaw, index) => {
    const { output, signature } = pairs[index]!;
    // The very signature that does not check out, said again to be of this blank.
    return flaw !== undefined && found.get(output.blinded)?.C_ === signature.C_;
  });
  return lie === undefined || restored.kind === "dishonest"
    ? restored
    : { kind: "dishonest", reason: flawReason(lie), proofs: restored.proofs };
}

/**
 * The change as the mint says it by blinded message (NUT-09), when the answer was lost. A part of the
 * blanks is all there is.
 *
 * @throws {SeedmintError} If the mint does not answer.
 */
export async function restoreChange(
  mint: MintApi,
  outputs: readonly PlannedOutput[],
  options: ChangeOptions = {},
): Promise<ChangeOutcome> {
  if (outputs.length === 0) return { kind: "claimed", proofs: [] };
  return await outcomeOfRestored(mint, outputs, await mint.restore(outputs, options), options);
}

async function outcomeOfRestored(
  mint: MintApi,
  outputs: readonly PlannedOutput[],
  found: ReadonlyMap<string, BlindSignature>,
  options: ChangeOptions,
): Promise<ChangeOutcome> {
  const pairs = outputs.map((output) => ({ output, signature: found.get(output.blinded) }))
    .filter((pair): pair is FilledBlank => (pair.signature?.amount ?? 0n) > 0n);
  const keysets = await keysetsOf(mint, pairs, options);
  return outcomeOf(pairs, await flawsOf(pairs, { keysets, requireDleq: false }), keysets);
}

interface FilledBlank extends Signed {
  readonly signature: BlindSignature;
}

function outcomeOf(
  pairs: readonly FilledBlank[],
  flaws: readonly (Flaw | undefined)[],
  keysets: ReadonlyMap<string, Keyset>,
): ChangeOutcome {
  const proofs = proofsOf(pairs.filter((_, index) => flaws[index] === undefined), keysets);
  const flaw = flaws.find((flaw) => flaw !== undefined);
  return flaw === undefined
    ? { kind: "claimed", proofs }
    : { kind: "dishonest", reason: flawReason(flaw), proofs };
}

/** A keyset that the mint does not have is left out: what it is said to have signed is flawed. */
async function keysetsOf(
  mint: MintApi,
  pairs: readonly FilledBlank[],
  options: ChangeOptions,
): Promise<ReadonlyMap<string, Keyset>> {
  const found = new Map<string, Keyset>();
  for (const id of new Set(pairs.map(({ signature }) => signature.keysetId))) {
    try {
      found.set(id, await mint.keyset(id, { ...options, fresh: true }));
    } catch (error) {
      if (!isSeedmintError(error, "not-found")) throw error;
    }
  }
  return found;
}
