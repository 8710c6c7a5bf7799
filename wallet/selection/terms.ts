/** What selection must know of the keysets of a mint. */
import type { Keyset } from "../types.ts";

/** The terms on which the proofs of a keyset are spent. */
export interface KeysetTerms {
  /** Fee for each input in thousandths of the unit (NUT-02); undefined for a keyset that is not known. */
  readonly feePpkOf: (keysetId: string) => number | undefined;
  /** Proofs of inactive keysets go first, so that they rotate out. @default {all are active} */
  readonly isActive?: (keysetId: string) => boolean;
  /** Proofs of expired keysets are worthless. @default {none is expired} */
  readonly isExpired?: (keysetId: string) => boolean;
}

/** The terms of `keysets` at `nowMs`; a keyset that is not among them is never chosen from. */
export function termsOf(
  keysets: Iterable<Pick<Keyset, "id" | "active" | "inputFeePpk" | "finalExpiry">>,
  options: { readonly nowMs: number },
): KeysetTerms {
  const byId = new Map([...keysets].map((keyset) => [keyset.id, keyset]));
  return {
    feePpkOf: (id) => byId.get(id)?.inputFeePpk,
    isActive: (id) => byId.get(id)?.active ?? false,
    isExpired: (id) => {
      const expiryS = byId.get(id)?.finalExpiry;
      return expiryS !== undefined && expiryS * 1000 <= options.nowMs;
    },
  };
}
