/** What a token that was handed over can be named by later, in a receipt. */
import { hashToCurveHex } from "../cashu.ts";
import { decodeToken } from "../token.ts";
import { tokenIdOf } from "./inspect_token.ts";

/** Names of a token, none of which is worth anything. */
export interface TokenEvidence {
  readonly mint: string;
  /** Of the token, as the till knows it: 64 hex digits. */
  readonly id: string;
  /** Y of each proof (NUT-00), 66 hex digits. */
  readonly ys: readonly string[];
}

/** The names of a token; undefined when it cannot be read. Never throws. */
export function tokenEvidence(text: string): TokenEvidence | undefined {
  try {
    const { mint, proofs } = decodeToken(text.trim(), (shortId) => shortId);
    return {
      mint,
      id: tokenIdOf(proofs),
      ys: proofs.map(({ secret }) => hashToCurveHex(secret)),
    };
  } catch {
    return undefined;
  }
}
