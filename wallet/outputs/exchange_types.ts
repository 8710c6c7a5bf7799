/** What comes of asking a mint to sign planned outputs. */
import type { OutputRole, Proof } from "../types.ts";

/** A proof that came of an output. */
export interface SignedProof extends Proof {
  readonly y: string;
  readonly role: OutputRole;
  /** The output that it came of. */
  readonly blinded: string;
}

/** The end of one try of an exchange; what is not final is tried again with the same bytes. */
export type ExchangeOutcome =
  /** Every output is signed; DLEQ checked where the mint is held to it. */
  | { readonly kind: "signed"; readonly proofs: readonly SignedProof[] }
  /**
   * Conclusive: a typed refusal of a request that no earlier copy of can be under way, or one after
   * which the mint says that it signed none of the outputs.
   */
  | { readonly kind: "refused"; readonly code: number; readonly detail: string }
  /**
   * Inputs were spent (or the quote was issued), and not by this request: the mint signed none of its
   * outputs, or what it signed was spent by another copy of this wallet. `left` is what of that is
   * not spent.
   */
  | { readonly kind: "inputs-spent"; readonly left?: readonly SignedProof[] }
  /**
   * The mint signed these outputs before, for another request, and our inputs (or our paid quote) are
   * untouched: the counters are behind, as after a restored backup. Mark the outputs void, advance
   * the counters, plan again. What the old signatures are worth is found by a restore.
   */
  | { readonly kind: "outputs-used" }
  /** Not known yet. */
  | { readonly kind: "wait"; readonly reason: string; readonly retryMs?: number }
  /** The mint broke its promise: bad DLEQ, wrong amounts. Evidence stays; block the mint. */
  | { readonly kind: "dishonest"; readonly reason: string };
