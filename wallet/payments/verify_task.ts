/** What a verifying thread does, and what a pool without threads does itself. */
import { hasValidDleq } from "../cashu.ts";
import type { Proof } from "../types.ts";

/** A proof, and the mint's key for its amount, 33 bytes in hex. */
export interface Claim {
  readonly proof: Proof;
  readonly key: string;
}

/** To a thread, which does one at a time. */
export interface ToVerifier {
  readonly claims: readonly Claim[];
}

/** From a thread: `ready` once, and an answer for each task. */
export type FromVerifier =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly isValid: boolean };

/** Whether the mint's key signed the proof, by the proof's own word (NUT-12). About 3 ms. */
export function isProven({ proof, key }: Claim): boolean {
  return hasValidDleq(proof, { keys: { [proof.amount.toString()]: key } });
}
