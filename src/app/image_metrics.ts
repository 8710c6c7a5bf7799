/** What is counted of container images: requests of clients, and where their content came from. */
import { Counter, Gauge, Histogram, type Registry, SECONDS_BUCKETS } from "./prometheus.ts";

/** One request that the mirror or the push registry answered, or that was broken off. */
export interface RegistryRequestMetric {
  readonly listener: "mirror" | "push";
  /** `manifest`, `blob`, …: never a name. */
  readonly route: string;
  /** 0 if it was broken off. */
  readonly status: number;
  /** One that is mirrored; `other` for all else. */
  readonly registry: string;
  readonly bytes: number;
  readonly ms: number;
}

/** Where something that a client asked the mirror for came from. */
export interface MirrorAnswerMetric {
  readonly registry: string;
  readonly kind: "tag" | "manifest" | "blob";
  /** `store`, `swarm`, `upstream`, `pin`, `stale`, … */
  readonly from: string;
  readonly bytes: number;
}

/** What registries elsewhere say of their limits. */
export interface UpstreamFigures {
  readonly registry: string;
  readonly remaining?: number;
  readonly limitedCount: number;
}

/** The part of the metrics that is about images. */
export class ImageMetrics {
  readonly #numbers: ReturnType<typeof imageNumbers>;

  constructor(registers: Registry[], upstreams: (() => readonly UpstreamFigures[]) | undefined) {
    this.#numbers = imageNumbers(registers);
    if (upstreams !== undefined) upstreamGauges(registers, upstreams);
  }

  /** Counts a request of a container client. */
  requested({ listener, route, status, registry, bytes, ms }: RegistryRequestMetric): void {
    const result = status === 0 ? "broken off" : `${status}`;
    this.#numbers.requests.inc({ listener, route, registry, result });
    this.#numbers.sent.inc({ listener, registry }, bytes);
    this.#numbers.seconds.observe({ listener, route }, ms / 1000);
  }

  /** Counts where the mirror had something from. */
  answered({ registry, kind, from, bytes }: MirrorAnswerMetric): void {
    this.#numbers.answers.inc({ registry, kind, from });
    if (bytes > 0) this.#numbers.brought.inc({ registry, from }, bytes);
  }
}

/** What is counted of container images. */
function imageNumbers(registers: Registry[]) {
  return {
    requests: new Counter({
      name: "seedmint_mirror_requests_total",
      help: "Requests of container clients, by listener, kind, registry and status",
      labelNames: ["listener", "route", "registry", "result"],
      registers,
    }),
    sent: new Counter({
      name: "seedmint_mirror_bytes_total",
      help: "Bytes of content that container clients were sent, or sent",
      labelNames: ["listener", "registry"],
      registers,
    }),
    seconds: new Histogram({
      name: "seedmint_mirror_seconds",
      help: "Duration of requests of container clients",
      labelNames: ["listener", "route"],
      buckets: SECONDS_BUCKETS,
      registers,
    }),
    answers: new Counter({
      name: "seedmint_mirror_answers_total",
      help: "Tags, manifests and blobs that the mirror found, by where",
      labelNames: ["registry", "kind", "from"],
      registers,
    }),
    brought: new Counter({
      name: "seedmint_mirror_brought_bytes_total",
      help: "Bytes of blobs that were brought in for container clients, by way",
      labelNames: ["registry", "from"],
      registers,
    }),
  };
}

/** What registries elsewhere say, read for each scrape. */
function upstreamGauges(
  registers: Registry[],
  upstreams: () => readonly UpstreamFigures[],
): void {
  new Gauge({
    name: "seedmint_origin_ratelimit_remaining",
    help: "Requests that a registry still allows, where it says so",
    labelNames: ["registry"],
    registers,
    collect() {
      this.reset();
      for (const { registry, remaining } of upstreams()) {
        if (remaining !== undefined) this.set({ registry }, remaining);
      }
    },
  });
  new Counter({
    name: "seedmint_origin_ratelimited_total",
    help: "Times that a registry said that too much was asked of it",
    labelNames: ["registry"],
    registers,
    collect() {
      this.reset();
      for (const { registry, limitedCount } of upstreams()) this.inc({ registry }, limitedCount);
    },
  });
}
