/** Signatures of a mint, held against the outputs that were asked for, and made into proofs. */
import { setImmediate } from "node:timers/promises";
import { hashToCurveHex, hasValidBlindDleq, unblind } from "../cashu.ts";
import type { BlindSignature, Keyset, PlannedOutput } from "../types.ts";
import type { SignedProof } from "./exchange_types.ts";

/** What is wrong with a signature. */
export type Flaw =
  /** There is none. */
  | "missing"
  /** It is of another keyset or amount than was asked for, or there is no key for it. */
  | "other-amount"
  /** Its proof (NUT-12) does not check out: it is of another output, or the mint cheats. */
  | "false-dleq"
  /** It has no proof, though the mint says that it gives one. */
  | "no-dleq";

/** An output with the signature that is said to be its own. */
export interface Signed {
  readonly output: PlannedOutput;
  readonly signature: BlindSignature | undefined;
}

/** What {@link flawsOf} goes by. */
export interface VerifyOptions {
  /** By id: the keysets of the signatures. */
  readonly keysets: ReadonlyMap<string, Keyset>;
  /** Whether a signature without DLEQ is one too few. */
  readonly requireDleq: boolean;
}

/** The flaw of each, or undefined. Takes about 8 ms a signature and lets others go on in between. */
export async function flawsOf(
  pairs: readonly Signed[],
  options: VerifyOptions,
): Promise<(Flaw | undefined)[]> {
  const flaws: (Flaw | undefined)[] = [];
  for (const pair of pairs) {
    flaws.push(flawOf(pair, options));
    await setImmediate();
  }
  return flaws;
}

function flawOf({ output, signature }: Signed, options: VerifyOptions): Flaw | undefined {
  if (signature === undefined) return "missing";
  const keyset = options.keysets.get(signature.keysetId);
  // A blank output (amount 0) takes whatever amount and keyset the mint chose.
  const isAsked = output.amount === 0n ||
    (signature.amount === output.amount && signature.keysetId === output.keysetId);
  if (!isAsked || keyset?.keys[signature.amount.toString()] === undefined) return "other-amount";
  if (signature.dleq === undefined) return options.requireDleq ? "no-dleq" : undefined;
  return hasValidBlindDleq(signature, output, keyset) ? undefined : "false-dleq";
}

/** The proofs of signatures that have no flaw. */
export function proofsOf(
  pairs: readonly Signed[],
  keysets: ReadonlyMap<string, Keyset>,
): SignedProof[] {
  return pairs.map(({ output, signature }) => {
    const keyset = keysets.get(signature!.keysetId)!;
    const proof = unblind(signature!, output, keyset);
    return {
      ...proof,
      y: hashToCurveHex(proof.secret),
      role: output.role,
      blinded: output.blinded,
    };
  });
}
