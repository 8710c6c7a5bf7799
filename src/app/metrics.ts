/** The one file that imports prom-client: what `/metrics` tells Prometheus. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { systemClock } from "./system.ts";
import type { StatusReport } from "./api/methods.ts";
import type { TransferReport } from "./api/transfers.ts";

/** What a provider tells of one answered want. */
export interface ServedMetric {
  readonly outcome: string;
  readonly path: string;
  readonly bytes: number;
  readonly ms: number;
}

/** How long one look at the node serves the gauges. */
const STATUS_MS = 500;

const SECONDS_BUCKETS = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300];

/** The node's metrics. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #bytesIn: Counter<"source">;
  readonly #bytesOut: Counter<"path">;
  readonly #requests: Counter<"outcome">;
  readonly #wasted: Counter;
  readonly #failures: Counter<"code">;
  readonly #corrupt: Counter;
  readonly #fetchSeconds: Histogram<"result">;
  readonly #serveSeconds: Histogram;

  /** @param status Asked at each scrape. */
  constructor(status: () => StatusReport) {
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
    this.#corrupt = new Counter({
      name: name("verification_failures_total"),
      help: "Sources whose bytes did not match the hash",
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
    this.#gauges(status);
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
    for (const { code } of report.failures) {
      this.#failures.inc({ code });
      if (code === "corrupt") this.#corrupt.inc();
    }
    this.#fetchSeconds.observe({ result: "done" }, ms / 1000);
  }

  /** Counts a fetch that failed. */
  failed(ms: number): void {
    this.#fetchSeconds.observe({ result: "failed" }, ms / 1000);
  }

  /** The text that Prometheus reads. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauges(readStatus: () => StatusReport): void {
    // All gauges are read for one scrape, so they share one look at the store.
    let known: { readonly atMs: number; readonly status: StatusReport } | undefined;
    const status = () => {
      const atMs = systemClock.monotonicMs();
      if (known === undefined || atMs - known.atMs > STATUS_MS) {
        known = { atMs, status: readStatus() };
      }
      return known.status;
    };
    const gauges: readonly (readonly [string, string, (now: StatusReport) => number])[] = [
      ["blobs", "Blobs in the store", (now) => now.store.blobCount],
      ["partial_blobs", "Blobs of which a part is here", (now) => now.store.partialCount],
      ["store_bytes", "Bytes that the store holds", (now) => now.store.bytes],
      ["store_quota_bytes", "Bytes that the store may hold", (now) => now.store.quotaBytes],
      ["peers", "Peers connected", (now) => now.peerCount],
      ["relays", "Relays connected", (now) => now.relays.filter((r) => r.connected).length],
      ["relays_configured", "Relays configured", (now) => now.relays.length],
      ["problems", "Parts of the node that do not work", (now) => now.problems.length],
      ["start_time_seconds", "When the node started", (now) => (now.startedMs ?? 0) / 1000],
    ];
    for (const [suffix, help, read] of gauges) {
      new Gauge({
        name: `seedmint_${suffix}`,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read(status()));
        },
      });
    }
  }
}
