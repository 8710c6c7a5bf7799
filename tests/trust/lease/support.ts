/** A provider and a lessee with books that a test fills in, and the wire between them. */
import type { Sha256 } from "../../../src/core/hash.ts";
import { lease, ReceiptStore } from "../../../trust/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import {
  CONSUMER_SECRET,
  countingRandom,
  idOf,
  keyOf,
  MINT,
  NOW_MS,
  NOW_S,
  PROVIDER_SECRET,
  yOf,
} from "../support.ts";

export const PROVIDER: string = keyOf(PROVIDER_SECRET);
export const CONSUMER: string = keyOf(CONSUMER_SECRET);
export const LEASE = `${PROVIDER}:container-3:${NOW_S - 700}`;
export const IMAGE = "ab".repeat(32) as Sha256;

export const TIER: lease.TierTerms = {
  id: "basic",
  cpuMillicores: 1000,
  memoryMb: 512,
  diskMb: 1024,
  msatPerS: 50,
};

/** A payment of 50 sat with two proofs. */
export const PAYMENT: lease.MadePayment = {
  mint: MINT,
  id: idOf(1),
  ys: [yOf(1), yOf(2)],
  amountSat: 50,
  outcome: "taken",
};

/** A lease of ten minutes that its lessee stopped: 49 sat arrived, 30 sat were used, 19 came back. */
export const GIVEN: lease.ProviderAccount = {
  lease: LEASE,
  consumer: CONSUMER,
  tier: TIER,
  image: IMAGE,
  fromS: NOW_S - 600,
  toS: NOW_S,
  msat: 30_000,
  paidMsat: 49_000,
  refundSat: 19,
  payments: [PAYMENT],
  ending: "stopped",
};

export const HAD: lease.LesseeAccount = {
  lease: LEASE,
  request: idOf(9),
  provider: PROVIDER,
  tier: TIER,
  image: IMAGE,
  readyS: NOW_S - 600,
  endS: NOW_S + 2,
  payments: [PAYMENT],
  refundedSat: 18,
  ending: "stopped",
};

/** Both sides in memory. */
export class Lessors implements Disposable {
  readonly clock = new ManualClock(NOW_MS);
  readonly providerStore = ReceiptStore.open(":memory:");
  readonly consumerStore = ReceiptStore.open(":memory:");
  readonly provider: lease.ProviderLeases;
  readonly lessee: lease.LesseeLeases;
  given: lease.ProviderAccount = GIVEN;
  had: lease.LesseeAccount = HAD;
  /** Changes what the provider says; what it returns is not signed again. */
  onWay: (paper: lease.LeasePaper) => lease.LeasePaper | undefined = (paper) => paper;
  /** What the lessee asked, and handed back. */
  readonly asked: (lease.LeasePaper | undefined)[] = [];
  readonly keepings: lease.Keeping[] = [];

  constructor(options: { readonly publishes?: boolean } = {}) {
    const { publishes = false } = options;
    const { clock } = this;
    this.provider = new lease.ProviderLeases({
      store: this.providerStore,
      signer: { secretKey: PROVIDER_SECRET, publishes },
      clock,
      random: countingRandom(),
    });
    this.lessee = new lease.LesseeLeases({
      store: this.consumerStore,
      signer: { secretKey: CONSUMER_SECRET, publishes },
      clock,
    });
  }

  /** As a provider answers. Everything passes through JSON. */
  exchange = (paper?: lease.LeasePaper): Promise<lease.ProviderWord> => {
    this.asked.push(paper);
    const offered = this.provider.offer(this.given);
    if (paper !== undefined) {
      const read = lease.readLeasePaper(throughJson(lease.writeLeasePaper(paper)))!;
      this.keepings.push(this.provider.keep(this.given.lease, read));
    }
    const kept = paper === undefined ? offered : this.provider.offer(this.given);
    const { signed, image, salt } = kept;
    const opening = image && salt ? { opening: { digest: image, salt } } : {};
    const sent = this.onWay({ signed, ...opening });
    const answer = sent && lease.readLeasePaper(throughJson(lease.writeLeasePaper(sent)));
    return Promise.resolve({ status: "paper", paper: answer });
  };

  conclude(): Promise<lease.KeptLeaseReceipt> {
    return this.lessee.conclude(this.had, this.exchange);
  }

  /** What the provider says, with `change` in it and signed by it again. */
  lying(change: Partial<lease.LeaseReceipt>): (paper: lease.LeasePaper) => lease.LeasePaper {
    return (paper) => ({
      ...paper,
      signed: lease.signLeaseReceipt(
        { receipt: { ...paper.signed.receipt, ...change } },
        { side: "provider", signer: { secretKey: PROVIDER_SECRET, publishes: false } },
      ),
    });
  }

  [Symbol.dispose](): void {
    this.providerStore[Symbol.dispose]();
    this.consumerStore[Symbol.dispose]();
  }
}

function throughJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
