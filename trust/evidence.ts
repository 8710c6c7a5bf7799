/** Which payments a receipt names, and how, within its limits. */
import type { Payment } from "./books.ts";
import { isMintUrl, isPaymentId, isY, type MintEvidence } from "./fields.ts";
import { EVIDENCE_IDS_MAX, EVIDENCE_MINTS_MAX, EVIDENCE_YS_MAX } from "./limits.ts";

/** The payments of a receipt. */
export interface Evidence {
  readonly payments: readonly MintEvidence[];
  /** How many payments found no room, or cannot be named. */
  readonly unlisted: number;
}

/** How many proofs and payments there is room for. */
export interface EvidenceMax {
  readonly ysCount: number;
  readonly idsCount: number;
  readonly mintCount: number;
}

const BYTES_MAX: EvidenceMax = {
  ysCount: EVIDENCE_YS_MAX,
  idsCount: EVIDENCE_IDS_MAX,
  mintCount: EVIDENCE_MINTS_MAX,
};

/**
 * Names what `isCounted` does not know yet: payments by the Ys of their proofs as long as there is room,
 * then by their ids, and the rest by their number alone. The order does not matter.
 */
export function evidenceOf(
  payments: readonly Payment[],
  isCounted: (key: string) => boolean,
  max: EvidenceMax = BYTES_MAX,
): Evidence {
  const byMint = new Map<string, { ys: Set<string>; ids: Set<string> }>();
  let ysCount = 0;
  let idsCount = 0;
  let unlisted = 0;
  for (const { mint, id, ys } of fresh(payments, isCounted)) {
    const hasRoom = isMintUrl(mint) && (byMint.has(mint) || byMint.size < max.mintCount);
    const named = hasRoom ? byMint.get(mint) ?? { ys: new Set(), ids: new Set() } : undefined;
    if (named !== undefined && isNameable(ys) && ysCount + ys.length <= max.ysCount) {
      for (const y of ys) named.ys.add(y);
      ysCount += ys.length;
    } else if (named !== undefined && isPaymentId(id) && idsCount < max.idsCount) {
      named.ids.add(id);
      idsCount += 1;
    } else {
      unlisted += 1;
      continue;
    }
    byMint.set(mint, named);
  }
  return {
    payments: [...byMint].sort(([a], [b]) => a < b ? -1 : 1).map(([mint, { ys, ids }]) => ({
      mint,
      ys: [...ys].sort(),
      ids: [...ids].sort(),
    })),
    unlisted,
  };
}

/** Each payment once, none of which anything counted before, in a fixed order. */
function fresh(payments: readonly Payment[], isCounted: (key: string) => boolean): Payment[] {
  const seen = new Set<string>();
  return [...payments].sort((a, b) => a.id < b.id ? -1 : 1).filter(({ id, ys }) => {
    const keys = [id, ...ys];
    if (new Set(keys).size !== keys.length) return false;
    if (keys.some((key) => seen.has(key) || isCounted(key))) return false;
    for (const key of keys) seen.add(key);
    return true;
  });
}

function isNameable(ys: readonly string[]): boolean {
  return ys.length > 0 && ys.every(isY);
}
