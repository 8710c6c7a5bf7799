/**
 * The provider's side: signs once what its journal says of a lease that is over, and keeps what the
 * lessee signed in turn. A lessee that does not is remembered with the receipt that stays one-sided.
 */
import type { Clock, Random } from "../../src/core/ports.ts";
import { schnorrPublicKey } from "../../src/core/secp256k1.ts";
import type { ReceiptSigner } from "../co_signing.ts";
import { evidenceOf } from "../evidence.ts";
import type { ReceiptStore } from "../receipt_store.ts";
import type { ProviderAccount } from "./accounts.ts";
import {
  LEASE_EVIDENCE_MAX,
  leaseEvidenceKeys,
  type LeaseReceipt,
  writeLeaseReceipt,
} from "./lease_receipt.ts";
import type { KeptLeaseReceipt } from "./lease_receipt_table.ts";
import { LEASE_REFUSAL_S, LEASE_SALT_BYTES } from "./limits.ts";
import type { LeasePaper } from "./paper.ts";
import { leaseReceiptDigest, signLeaseReceipt, verifyLeaseReceipt } from "./signing.ts";
import { imageCommitment, tierHash } from "./terms.ts";

/** Options of {@link ProviderLeases}. */
export interface ProviderLeasesOptions {
  readonly store: ReceiptStore;
  readonly signer: ReceiptSigner;
  readonly clock: Pick<Clock, "nowMs">;
  readonly random: Pick<Random, "bytes">;
}

/** What became of a receipt that a lessee signed. */
export type Keeping =
  | { readonly status: "kept"; readonly kept: KeptLeaseReceipt }
  | { readonly status: "refused"; readonly reason: string };

/** Gives and keeps receipts for leases. */
export class ProviderLeases {
  readonly #options: ProviderLeasesOptions;
  readonly #key: string;

  constructor(options: ProviderLeasesOptions) {
    this.#options = options;
    this.#key = schnorrPublicKey(options.signer.secretKey).toHex();
  }

  /**
   * The receipt of a lease, signed by us, or by both if it was. What is signed once never changes, so that
   * a lease has one receipt whatever is asked how often.
   *
   * @throws {SeedmintError} `storage`; {RangeError} for an account that cannot be.
   */
  offer(account: ProviderAccount): KeptLeaseReceipt {
    const { store, signer, random } = this.#options;
    return store.transaction(() => {
      const before = store.leases.get("provider", account.lease);
      if (before !== undefined) return before;
      const { image } = account;
      const salt = image && Uint8Array.from(random.bytes(LEASE_SALT_BYTES));
      const opening = image && salt && { digest: image, salt };
      const receipt = this.#receiptOf(account, opening ? imageCommitment(opening) : "");
      const signed = signLeaseReceipt({ receipt }, { side: "provider", signer });
      const kept: KeptLeaseReceipt = {
        role: "provider",
        state: "offered",
        signed,
        isDelivered: false,
        ...(opening === undefined ? {} : { image: opening.digest, salt: opening.salt }),
      };
      store.leases.put(kept);
      store.markCounted("provider", leaseEvidenceKeys(receipt));
      return kept;
    });
  }

  /**
   * Keeps a receipt of `lease` that both signed, if it is the one that we offered. Late is not too late.
   *
   * @throws {SeedmintError} `storage`
   */
  keep(lease: string, { signed }: LeasePaper): Keeping {
    const { store } = this.#options;
    const before = store.leases.get("provider", lease);
    if (before === undefined) return refused("no receipt of this lease was offered");
    const ours = before.signed;
    // The lease stands in what is signed: another lease's receipt has another digest.
    const digest = leaseReceiptDigest(ours.receipt).toHex();
    if (leaseReceiptDigest(signed.receipt).toHex() !== digest) {
      return refused("it is not the receipt that was offered");
    }
    if (before.state === "agreed") return { status: "kept", kept: before };
    // Our own words as we said them; of the lessee's paper its signatures alone.
    const { providerSig, providerConsent } = ours;
    const { consumerSig, consumerConsent } = signed;
    const both = {
      receipt: ours.receipt,
      ...(providerSig === undefined ? {} : { providerSig }),
      ...(providerConsent === undefined ? {} : { providerConsent }),
      ...(consumerSig === undefined ? {} : { consumerSig }),
      ...(consumerConsent === undefined ? {} : { consumerConsent }),
    };
    if (!verifyLeaseReceipt(both, ["provider", "consumer"])) {
      return refused("the lessee's signature is missing or wrong");
    }
    const { reason: _, ...rest } = before;
    const kept: KeptLeaseReceipt = { ...rest, state: "agreed", isDelivered: true, signed: both };
    store.transaction(() => store.leases.put(kept));
    return { status: "kept", kept };
  }

  /** Gives up waiting for lessees that had time enough. @returns Their leases. */
  lapse(): string[] {
    const { store, clock } = this.#options;
    const nowS = Math.floor(clock.nowMs() / 1000);
    return store.leases.lapse(nowS - LEASE_REFUSAL_S, "the lessee did not sign it");
  }

  #receiptOf(account: ProviderAccount, image: string): LeaseReceipt {
    const { store } = this.#options;
    const { lease, consumer, tier, fromS, toS, msat, paidMsat, refundSat, ending } = account;
    const receipt: LeaseReceipt = {
      version: 1,
      type: "lease",
      ...{ lease, provider: this.#key, consumer, tier: tierHash(tier), image, fromS, toS },
      seconds: Math.floor(msat / tier.msatPerS),
      msatPerS: tier.msatPerS,
      ...{ msat, paidMsat, refundSat, unit: "sat", ending, error: account.error ?? "" },
      ...evidenceOf(
        account.payments,
        (key) => store.isCounted("provider", key),
        LEASE_EVIDENCE_MAX,
      ),
    };
    // Nothing is signed that nobody could read.
    writeLeaseReceipt({ receipt, providerSig: "0".repeat(128) });
    return receipt;
  }
}

function refused(reason: string): Keeping {
  return { status: "refused", reason };
}
