/** What `/metrics` tells Prometheus. */
import { systemClock } from "../host/system.ts";
import type { PaymentShare, StatusReport } from "./api/methods.ts";
import type { TransferReport } from "./api/transfers.ts";
import type { WalletApi } from "../../wallet/wallet_api.ts";
import type { CascadeFigures } from "../../swarm/cascade/mod.ts";
import type { StoreFigures } from "../../swarm/store/mod.ts";
import { cascadeNumbers } from "./cascade_metrics.ts";
import { type CatalogFigures, CatalogMetrics } from "./catalog_metrics.ts";
import { ImageMetrics, type UpstreamFigures } from "./image_metrics.ts";
import { leaseNumbers, type LendingFigures } from "./lease_metrics.ts";
import { Counter, Gauge, Histogram, Registry, SECONDS_BUCKETS } from "./prometheus.ts";

/** What a provider tells of one answered want. */
export interface ServedMetric {
  readonly outcome: string;
  readonly path: string;
  readonly bytes: number;
  readonly ms: number;
}

/** What the gauges show; asked at each scrape. */
export interface MetricsSources {
  readonly status: () => Omit<StatusReport, "wallet" | "selling">;
  readonly figures: () => StoreFigures;
  /** The wallet while it is open. */
  readonly wallet?: () => WalletApi | undefined;
  /** What was sold, while the wallet is open. */
  readonly sold?: () => SoldFigures | undefined;
  /** The registries that were asked, while the registry is open. */
  readonly upstreams?: () => readonly UpstreamFigures[];
  /** What the fleet read together, while the cascade is open. */
  readonly cascade?: () => CascadeFigures | undefined;
  /** How lending fares, while something is lent. */
  readonly lending?: () => LendingFigures | undefined;
  /** The signed catalogs that are followed. */
  readonly catalogs?: () => readonly CatalogFigures[];
}

/** What selling brought so far. */
export interface SoldFigures {
  readonly bytes: number;
  readonly earnedMsat: number;
  /** Payments taken, by mint. */
  readonly mints: readonly {
    readonly mint: string;
    readonly provisionalSat: number;
    readonly redeemedSat: number;
  }[];
}

/** One answered, or unanswered, request to a mint. */
export interface MintRequestMetric {
  /** Host of the mint, and its path if it has one. */
  readonly mint: string;
  /** `info`, `swap`, `melt/quote`, …: never an id. */
  readonly endpoint: string;
  /** The class of the HTTP status, or `none`. */
  readonly result: string;
  readonly ms: number;
}

/** An operation of the wallet that ended. */
export interface EndedMetric {
  readonly kind: string;
  readonly status: string;
  readonly feeSat: number;
}

/** One look at the node. */
interface Look {
  readonly status: Omit<StatusReport, "wallet" | "selling">;
  readonly store: StoreFigures;
}

/** How long one look at the node serves the gauges. */
const STATUS_MS = 500;

/** The node's metrics. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #bytesIn: Counter<"source">;
  readonly #bytesOut: Counter<"path">;
  readonly #requests: Counter<"outcome">;
  readonly #wasted: Counter;
  readonly #failures: Counter<"code">;
  readonly #fetchSeconds: Histogram<"result">;
  readonly #serveSeconds: Histogram;
  readonly #wallet: ReturnType<typeof walletNumbers>;
  readonly #trade: ReturnType<typeof tradeNumbers>;
  /** What container clients ask for. */
  readonly images: ImageMetrics;
  /** Signed catalogs. */
  readonly catalogs: CatalogMetrics;

  constructor(sources: MetricsSources) {
    const registers = [this.#registry];
    const name = (suffix: string) => `seedmint_${suffix}`;
    this.#bytesIn = new Counter({
      name: name("received_bytes_total"),
      help: "Verified bytes fetched, by kind of source",
      labelNames: ["source"],
      registers,
    });
    this.#bytesOut = new Counter({
      name: name("sent_bytes_total"),
      help: "Payload bytes served to peers, by data path",
      labelNames: ["path"],
      registers,
    });
    this.#requests = new Counter({
      name: name("requests_total"),
      help: "Requests of peers, by outcome",
      labelNames: ["outcome"],
      registers,
    });
    this.#wasted = new Counter({
      name: name("wasted_bytes_total"),
      help: "Bytes that came and were not used",
      registers,
    });
    this.#failures = new Counter({
      name: name("source_failures_total"),
      help: "Sources that failed in a fetch, by error code",
      labelNames: ["code"],
      registers,
    });
    this.#fetchSeconds = new Histogram({
      name: name("fetch_seconds"),
      help: "Duration of fetches",
      labelNames: ["result"],
      buckets: SECONDS_BUCKETS,
      registers,
    });
    this.#serveSeconds = new Histogram({
      name: name("serve_seconds"),
      help: "Duration of requests served to peers",
      buckets: SECONDS_BUCKETS,
      registers,
    });
    this.#wallet = walletNumbers(registers);
    this.#trade = tradeNumbers(registers);
    this.images = new ImageMetrics(registers, sources.upstreams);
    this.catalogs = new CatalogMetrics(registers, sources.catalogs);
    if (sources.cascade !== undefined) cascadeNumbers(registers, sources.cascade);
    if (sources.lending !== undefined) leaseNumbers(registers, sources.lending);
    this.#gauges(sources);
    if (sources.wallet !== undefined) this.#walletGauges(sources.wallet);
    if (sources.sold !== undefined) soldGauges(registers, sources.sold);
  }

  /** Counts a request to a mint. */
  mintAsked({ mint, endpoint, result, ms }: MintRequestMetric): void {
    this.#wallet.mintRequests.inc({ mint, endpoint, result });
    if (result !== "none") this.#wallet.mintSeconds.observe({ mint }, ms / 1000);
  }

  /** Counts an operation of the wallet that ended. */
  walletEnded({ kind, status, feeSat }: EndedMetric): void {
    this.#wallet.ended.inc({ kind, status });
    if (feeSat > 0) this.#wallet.fees.inc({ kind }, feeSat);
  }

  /** Counts what a payment of a peer was answered; `code` is why it was refused. */
  paymentAnswered(
    { answer, code = "" }: { readonly answer: string; readonly code?: string },
  ): void {
    this.#trade.payments.inc({ answer, code });
  }

  /** Counts a want that the provider answered. */
  served(event: ServedMetric): void {
    this.#bytesOut.inc({ path: event.path }, event.bytes);
    this.#requests.inc({ outcome: event.outcome });
    this.#serveSeconds.observe(event.ms / 1000);
  }

  /** Counts a fetch that succeeded. */
  fetched(report: TransferReport, ms: number): void {
    for (const { kind, bytes } of report.sources) {
      if (kind !== "store") this.#bytesIn.inc({ source: kind }, bytes);
    }
    this.#wasted.inc(report.wastedBytes);
    for (const { code } of report.failures) this.#failures.inc({ code });
    this.#paid(report.payments ?? []);
    this.#fetchSeconds.observe({ result: "done" }, ms / 1000);
  }

  /** Counts a fetch that failed, and what it had paid by then. */
  failed(ms: number, payments: readonly PaymentShare[] = []): void {
    this.#fetchSeconds.observe({ result: "failed" }, ms / 1000);
    this.#paid(payments);
  }

  /** The text that Prometheus reads. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #paid(payments: readonly PaymentShare[]): void {
    for (const { mint, paidSat, feeSat } of payments) {
      this.#trade.paid.inc({ mint: mintLabel(mint) }, paidSat);
      this.#trade.paidFees.inc(feeSat);
    }
  }

  #gauges(sources: MetricsSources): void {
    // All gauges are read for one scrape, so they share one look at the node.
    let known: { readonly atMs: number; readonly look: Look } | undefined;
    const look = () => {
      const atMs = systemClock.monotonicMs();
      if (known === undefined || atMs - known.atMs > STATUS_MS) {
        known = { atMs, look: { status: sources.status(), store: sources.figures() } };
      }
      return known.look;
    };
    const registers = [this.#registry];
    for (const [suffix, help, read] of GAUGES) {
      new Gauge({
        name: `seedmint_${suffix}`,
        help,
        registers,
        collect() {
          this.set(read(look()));
        },
      });
    }
    for (const [suffix, help, read] of STORE_COUNTERS) {
      new Counter({
        name: `seedmint_${suffix}_total`,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read(look().store));
        },
      });
    }
  }

  #walletGauges(opened: () => WalletApi | undefined): void {
    const registers = [this.#registry];
    // A wallet that is closing must not take the other metrics with it.
    const balance = () => opened()?.balance().catch(() => undefined);
    const pending = () => opened()?.pending().catch(() => undefined);
    new Gauge({
      name: "seedmint_wallet_balance_sat",
      help: "Ecash at each mint, by state: free, reserved, outgoing, incoming",
      labelNames: ["mint", "state"],
      registers,
      async collect() {
        this.reset();
        for (const held of (await balance())?.mints ?? []) {
          const mint = mintLabel(held.mint);
          this.set({ mint, state: "free" }, held.freeSat);
          this.set({ mint, state: "reserved" }, held.reservedSat);
          this.set({ mint, state: "outgoing" }, held.outgoingSat);
          this.set({ mint, state: "incoming" }, held.incomingSat);
        }
      },
    });
    new Gauge({
      name: "seedmint_wallet_operations",
      help: "Operations of the wallet that have not ended, by kind and status",
      labelNames: ["kind", "status"],
      registers,
      async collect() {
        this.reset();
        for (const { kind, status } of await pending() ?? []) this.inc({ kind, status });
      },
    });
  }
}

/** What is counted of the wallet. */
function walletNumbers(registers: Registry[]) {
  return {
    mintRequests: new Counter({
      name: "seedmint_wallet_mint_requests_total",
      help: "Requests to mints, by class of the answer",
      labelNames: ["mint", "endpoint", "result"],
      registers,
    }),
    mintSeconds: new Histogram({
      name: "seedmint_wallet_mint_request_seconds",
      help: "Duration of requests to mints that were answered",
      labelNames: ["mint"],
      buckets: SECONDS_BUCKETS,
      registers,
    }),
    ended: new Counter({
      name: "seedmint_wallet_operations_total",
      help: "Operations of the wallet that ended, by kind and how",
      labelNames: ["kind", "status"],
      registers,
    }),
    fees: new Counter({
      name: "seedmint_wallet_fees_sat_total",
      help: "Fees that operations of the wallet paid, by kind",
      labelNames: ["kind"],
      registers,
    }),
  };
}

/** What is counted of buying and selling bytes. */
function tradeNumbers(registers: Registry[]) {
  return {
    payments: new Counter({
      name: "seedmint_payments_total",
      help: "Answers to payments of peers; the code says why one was refused",
      labelNames: ["answer", "code"],
      registers,
    }),
    paid: new Counter({
      name: "seedmint_paid_sat_total",
      help: "Sat that fetches handed to sellers, by mint",
      labelNames: ["mint"],
      registers,
    }),
    paidFees: new Counter({
      name: "seedmint_paid_fees_sat_total",
      help: "Fees of what fetches handed to sellers",
      registers,
    }),
  };
}

/** What was sold, read from the wallet's books for each scrape. */
function soldGauges(registers: Registry[], sold: () => SoldFigures | undefined): void {
  const counter = (suffix: string, help: string, read: (now: SoldFigures) => number) =>
    new Counter({
      name: `seedmint_${suffix}_total`,
      help,
      registers,
      collect() {
        this.reset();
        const now = sold();
        if (now !== undefined) this.inc(read(now));
      },
    });
  counter("sold_bytes", "Content that readers paid for", ({ bytes }) => bytes);
  counter("earned_msat", "What that cost them", ({ earnedMsat }) => earnedMsat);
  new Gauge({
    name: "seedmint_income_sat",
    help: "Payments of peers, by mint and state: provisional, redeemed",
    labelNames: ["mint", "state"],
    registers,
    collect() {
      this.reset();
      for (const { mint, provisionalSat, redeemedSat } of sold()?.mints ?? []) {
        this.set({ mint: mintLabel(mint), state: "provisional" }, provisionalSat);
        this.set({ mint: mintLabel(mint), state: "redeemed" }, redeemedSat);
      }
    },
  });
}

/** A mint as labels name it: without the scheme. */
export function mintLabel(url: string): string {
  return url.replace(/^https?:\/\//, "");
}

const GAUGES: readonly (readonly [suffix: string, help: string, (now: Look) => number])[] = [
  ["blobs", "Blobs in the store", ({ store }) => store.blobCount],
  ["partial_blobs", "Blobs of which a part is here", ({ store }) => store.partialCount],
  ["store_bytes", "Bytes that the store holds", ({ store }) => store.bytes],
  ["store_quota_bytes", "Bytes that the store may hold", ({ store }) => store.quotaBytes],
  [
    "store_reserved_bytes",
    "Bytes that work under way reserves",
    ({ store }) => store.reservedBytes,
  ],
  [
    "store_open_readers",
    "Readers of blobs, such as requests",
    ({ store }) => store.openReaderCount,
  ],
  ["store_ingesting_blobs", "Blobs that come in now", ({ store }) => store.ingestingCount],
  ["peers", "Peers connected", ({ status }) => status.peerCount],
  [
    "relays",
    "Relays connected",
    ({ status }) => status.relays.filter((relay) => relay.connected).length,
  ],
  ["relays_configured", "Relays configured", ({ status }) => status.relays.length],
  ["problems", "Parts of the node that do not work", ({ status }) => status.problems.length],
  ["start_time_seconds", "When the node started", ({ status }) => (status.startedMs ?? 0) / 1000],
];

const STORE_COUNTERS: readonly (readonly [string, string, (store: StoreFigures) => number])[] = [
  ["verified_bytes", "Bytes verified and written", (store) => store.verifiedBytes],
  [
    "verification_failures",
    "Times that bytes did not match their hash",
    (store) => store.corruptCount,
  ],
  ["store_read_bytes", "Bytes read from the store", (store) => store.readBytes],
  ["evicted_blobs", "Blobs evicted for the quota", (store) => store.evictedCount],
  ["evicted_bytes", "Bytes evicted for the quota", (store) => store.evictedBytes],
];
