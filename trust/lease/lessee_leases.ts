/**
 * The lessee's side: asks for the receipt of a lease that is over, signs it when its own books say the
 * same, and hands it back. Where there is nothing to sign it keeps its own word, which is worth less.
 *
 *     ask --true--> agreed (on disk) --handed back--> done
 *      | \--a lie, a refusal, silence for a day--> one-sided
 *      \--not now--> asked again later
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { schnorrPublicKey } from "../../src/core/secp256k1.ts";
import type { ReceiptSigner } from "../co_signing.ts";
import { evidenceOf } from "../evidence.ts";
import type { ReceiptStore } from "../receipt_store.ts";
import type { LesseeAccount } from "./accounts.ts";
import { lieIn } from "./check_lease.ts";
import { LEASE_EVIDENCE_MAX, type LeaseReceipt } from "./lease_receipt.ts";
import type { KeptLeaseReceipt } from "./lease_receipt_table.ts";
import { LEASE_REFUSAL_S } from "./limits.ts";
import type { LeasePaper } from "./paper.ts";
import { signLeaseReceipt, verifyLeaseReceipt } from "./signing.ts";
import { tierHash } from "./terms.ts";

/** What a provider says when it is asked for a receipt. */
export type ProviderWord =
  | { readonly status: "paper"; readonly paper: LeasePaper | undefined }
  /** It will say more later. */
  | { readonly status: "later"; readonly retryMs: number }
  | { readonly status: "refused"; readonly reason: string };

/** Asks the provider for its receipt, or hands it back signed by both. May throw for a line that fails. */
export type LeaseExchange = (paper?: LeasePaper) => Promise<ProviderWord>;

/** Options of {@link LesseeLeases}. */
export interface LesseeLeasesOptions {
  readonly store: ReceiptStore;
  readonly signer: ReceiptSigner;
  readonly clock: Pick<Clock, "nowMs">;
}

/** Asks for receipts of leases and confirms them. */
export class LesseeLeases {
  readonly #options: LesseeLeasesOptions;
  readonly #key: string;

  constructor(options: LesseeLeasesOptions) {
    this.#options = options;
    this.#key = schnorrPublicKey(options.signer.secretKey).toHex();
  }

  /**
   * Brings the receipt of a lease that is over as far as it gets. Done again, it goes on where it was; a
   * lease is signed for once.
   *
   * @throws {SeedmintError} `unavailable` if it is to be tried again later; `storage`; what `exchange`
   * throws, as long as the provider has time. {RangeError} for an account that no receipt can say: it is
   * the same the next time.
   */
  async conclude(account: LesseeAccount, exchange: LeaseExchange): Promise<KeptLeaseReceipt> {
    const { store } = this.#options;
    if (account.lease === undefined) return this.#alone(account, namelessness(account));
    const before = store.leases.get("consumer", account.lease);
    // Whatever a receipt was kept for is counted: what is not is of another lease under the same name.
    if (
      before !== undefined && !account.payments.every(({ id }) => store.isCounted("consumer", id))
    ) {
      const { lease: _, ...nameless } = account;
      return this.#alone(nameless, "the provider gave the lease the id of another");
    }
    if (before?.isDelivered === true) return before;
    const kept = before?.state === "agreed" ? before : await this.#agree(account, exchange);
    return kept.state === "agreed" ? await this.#deliver(kept, account, exchange) : kept;
  }

  /** Asks for the provider's receipt and signs it, or keeps our own word. */
  async #agree(account: LesseeAccount, exchange: LeaseExchange): Promise<KeptLeaseReceipt> {
    const word = await this.#patiently(account, () => exchange());
    if (word.status === "refused") return this.#alone(account, word.reason);
    const { paper } = word;
    if (paper === undefined || !verifyLeaseReceipt(paper.signed, ["provider"])) {
      return this.#alone(account, "the provider's receipt is not one, or not signed by it");
    }
    const { store, signer } = this.#options;
    return store.transaction(() => {
      const isCounted = (key: string) => store.isCounted("consumer", key);
      const lie = lieIn(paper, account, { consumer: this.#key, isCounted });
      if (lie !== undefined) return this.#alone(account, `the provider's receipt is wrong: ${lie}`);
      const { consumerSig: _, consumerConsent: __, ...provided } = paper.signed;
      const kept: KeptLeaseReceipt = {
        role: "consumer",
        state: "agreed",
        signed: signLeaseReceipt(provided, { side: "consumer", signer }),
        isDelivered: false,
        ...(paper.opening === undefined
          ? {}
          : { image: paper.opening.digest, salt: paper.opening.salt }),
      };
      this.#keep(kept, account);
      return kept;
    });
  }

  /** Hands the receipt back; a provider that does not take it any more has had its chance. */
  async #deliver(
    kept: KeptLeaseReceipt,
    account: LesseeAccount,
    exchange: LeaseExchange,
  ): Promise<KeptLeaseReceipt> {
    await this.#patiently(account, () => exchange({ signed: kept.signed }));
    const { store } = this.#options;
    store.transaction(() => store.leases.delivered("consumer", kept.signed.receipt.lease));
    return { ...kept, isDelivered: true };
  }

  /** What the provider says, as long as it has time to say it. */
  async #patiently(
    account: LesseeAccount,
    ask: () => Promise<ProviderWord>,
  ): Promise<Exclude<ProviderWord, { readonly status: "later" }>> {
    const isLate = this.#options.clock.nowMs() / 1000 > account.endS + LEASE_REFUSAL_S;
    try {
      const word = await ask();
      if (word.status !== "later") return word;
      if (isLate) return { status: "refused", reason: "the provider put it off for too long" };
    } catch (error) {
      const isLine = isSeedmintError(error, "timeout") || isSeedmintError(error, "unavailable");
      if (!isLate || !isLine) throw error;
      return { status: "refused", reason: `the provider does not answer: ${messageOf(error)}` };
    }
    throw new SeedmintError(
      "unavailable",
      `Cannot have the receipt of lease ${account.lease} yet: the provider asks for time; ask again`,
      { retryable: true },
    );
  }

  /** Our own word, which nobody else signs. */
  #alone(account: LesseeAccount, reason: string): KeptLeaseReceipt {
    const { store, signer } = this.#options;
    const receipt = this.#ownView(account);
    const before = store.leases.get("consumer", receipt.lease);
    if (before !== undefined) return before;
    const signed = signLeaseReceipt({ receipt }, {
      side: "consumer",
      signer: { ...signer, publishes: false },
    });
    const kept = {
      role: "consumer",
      state: "one-sided",
      signed,
      isDelivered: true,
      reason,
    } as const;
    return store.transaction(() => {
      this.#keep(kept, account);
      return kept;
    });
  }

  /** All payments of the lease count from here on, whether the receipt had room for them or not. */
  #keep(kept: KeptLeaseReceipt, { payments }: LesseeAccount): void {
    const { store } = this.#options;
    store.leases.put(kept);
    store.markCounted("consumer", payments.flatMap(({ id, ys }) => [id, ...ys]));
  }

  #ownView(account: LesseeAccount): LeaseReceipt {
    const { provider, request, tier, readyS, endS, refundedSat } = account;
    const payments = account.payments.filter(({ outcome }) => outcome !== "returned");
    const fromS = Math.min(readyS ?? endS, endS);
    const handedSat = payments
      .filter(({ outcome }) => outcome !== "refunded" || readyS === undefined)
      .reduce((sum, { amountSat }) => sum + amountSat, 0);
    const paidMsat = Math.max(handedSat, refundedSat) * 1000;
    const boughtMsat = readyS === undefined ? 0 : (endS - fromS) * tier.msatPerS;
    const msat = Math.min(boughtMsat, paidMsat - refundedSat * 1000);
    const isFailure = account.ending === "failed" || account.ending === "unanswered";
    const { store } = this.#options;
    return {
      version: 1,
      type: "lease",
      lease: account.lease ?? `${provider}:request-${request}:${Math.max(1, Math.floor(endS))}`,
      provider,
      consumer: this.#key,
      tier: tierHash({ ...tier, diskMb: tier.diskMb ?? 0 }),
      image: "",
      ...{ fromS, toS: endS, msatPerS: tier.msatPerS, paidMsat, refundSat: refundedSat },
      msat: isFailure ? 0 : msat,
      seconds: isFailure ? 0 : Math.floor(msat / tier.msatPerS),
      unit: "sat",
      ...evidenceOf(payments, (key) => store.isCounted("consumer", key), LEASE_EVIDENCE_MAX),
      ending: endOf(account),
      error: "",
    };
  }
}

/** Why a provider cannot be asked for the receipt. Providers of Paygress give no lease an id. */
function namelessness({ readyS }: LesseeAccount): string {
  return readyS === undefined
    ? "no lease came of the request"
    : "the provider gave the lease no id that a receipt could name";
}

/** A lease that there was is never `unanswered`. */
function endOf({ ending, lease }: LesseeAccount): LeaseReceipt["ending"] {
  if (ending === "cut-short") return "evicted";
  return ending === "unanswered" && lease !== undefined ? "failed" : ending;
}
