/**
 * What a node makes of providers by the receipts of its own leases, and of nothing else: what others say
 * of them is not counted.
 */
import type { KeptLeaseReceipt, LeaseReceiptTable } from "./lease_receipt_table.ts";
import type { LeaseReceipt } from "./lease_receipt.ts";
import { SCORE_DOUBT, SCORE_LOSS_FACTOR, SCORE_RECEIPTS_MAX } from "./limits.ts";
import { worthPermille } from "./signing.ts";

/**
 * From -1000 to 1000: leases that lasted less those that did not, each by what its receipt is worth, beside
 * all of them and a little doubt. Undefined if none says anything.
 *
 * @param receipts This node's as a consumer, of one provider. Their signatures were verified when they
 * were kept.
 */
export function providerScore(
  receipts: Iterable<Pick<KeptLeaseReceipt, "state" | "signed">>,
): number | undefined {
  let sum = 0;
  let weight = 0;
  for (const { state, signed } of receipts) {
    const value = valueOf(signed.receipt) * worthPermille(state === "agreed" ? "both" : "consumer");
    sum += value;
    weight += Math.abs(value);
  }
  return weight === 0 ? undefined : Math.round(1000 * sum / (weight + SCORE_DOUBT));
}

/** What a lease says of its provider. */
function valueOf({ ending, msat, paidMsat, refundSat }: LeaseReceipt): number {
  // Fees of mints and parts of a sat are never half of what was paid.
  const isLoss = 2 * (msat + refundSat * 1000) < paidMsat;
  if (isLoss || ending === "unanswered") return -SCORE_LOSS_FACTOR;
  switch (ending) {
    case "expired":
    case "stopped":
      return 1;
    case "evicted":
    case "lost":
      return -1;
    // The money came back, and often it was the image's fault.
    case "failed":
      return 0;
    default:
      return ending satisfies never;
  }
}

/** Scores of providers by Nostr key; cheap to ask, and up to date with the receipts. */
export class LeaseScores {
  readonly #receipts: Pick<LeaseReceiptTable, "list" | "others" | "revision">;
  /** Of whom there are receipts, and their scores once they were asked for. */
  #scores = new Map<string, { readonly score: number | undefined } | undefined>();
  #revision = -1;

  constructor(receipts: Pick<LeaseReceiptTable, "list" | "others" | "revision">) {
    this.#receipts = receipts;
  }

  /** See {@link providerScore}. @throws {SeedmintError} `storage` */
  scoreOf(provider: string): number | undefined {
    const { revision } = this.#receipts;
    if (revision !== this.#revision) {
      this.#scores = new Map(this.#receipts.others("consumer").map((key) => [key, undefined]));
      this.#revision = revision;
    }
    if (!this.#scores.has(provider)) return undefined;
    let known = this.#scores.get(provider);
    if (known === undefined) {
      const newest = { role: "consumer", other: provider, limit: SCORE_RECEIPTS_MAX } as const;
      known = { score: providerScore(this.#receipts.list(newest)) };
      this.#scores.set(provider, known);
    }
    return known.score;
  }
}
