/** Fetching with the swarm that this node has: peers, discovery, scores, and the origin behind. */
import { isSeedmintError, messageOf, SeedmintError } from "../../core/errors.ts";
import type { Clock, Random } from "../../core/ports.ts";
import type { Discovery, Network, Origin, ProviderHint, Source } from "../../../swarm/ports.ts";
import type { FetchBlobOptions, FetchReport, Herd } from "../../../swarm/fetch/mod.ts";
import type { PathMemory } from "../../../swarm/requester/mod.ts";
import type { ScoreBook } from "../../../swarm/score.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import type { RelayStatus } from "../api/methods.ts";
import type { TransferReport, TransferRequest, Transfers } from "../api/transfers.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";

/** What fetching needs. */
export interface SwarmTransfersOptions {
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Absent when libp2p could not start: then only origins deliver. */
  readonly network?: Network;
  readonly discovery: Discovery;
  /** Makes a way to find peers by relays that the node does not use itself. */
  readonly discoveryOn: (relays: readonly string[]) => Promise<Discovery & AsyncDisposable>;
  /** The relays that the node uses, as they fare now. */
  readonly relays: () => readonly RelayStatus[];
  readonly scores: ScoreBook;
  /** How the fleet takes turns at the origin. */
  readonly herd?: Herd;
  readonly certificate?: Uint8Array<ArrayBuffer>;
  /** Whether bytes may come over plain HTTP where a peer offers it. */
  readonly usesDirect: boolean;
  readonly metrics?: Metrics;
  readonly log: Log;
}

/** What a fetch is run with, besides the blob. */
type Common = Omit<FetchBlobOptions, "hash" | "origin" | "onProgress">;

/** {@link Transfers} over the swarm. */
export class SwarmTransfers implements Transfers {
  readonly #options: SwarmTransfersOptions;
  /** Which data path was faster with whom; shared by all fetches. */
  #paths: PathMemory | undefined;

  constructor(options: SwarmTransfersOptions) {
    this.#options = options;
  }

  async fetchBlob(request: TransferRequest): Promise<TransferReport> {
    const { fetchBlob } = await import("../../../swarm/fetch/mod.ts");
    const origin = await this.#origin(request);
    return await this.#measured(request, (common) =>
      fetchBlob({
        ...common,
        hash: request.hash,
        ...(origin === undefined ? {} : { origin }),
        onProgress: (now) => tell(request, now),
      }));
  }

  async fetchChildren(request: TransferRequest): Promise<TransferReport> {
    const { fetchCollection } = await import("../../../swarm/fetch/mod.ts");
    const { HttpOrigin } = await import("../../../swarm/origin/mod.ts");
    const base = request.origin?.url;
    return await this.#measured(request, (common) =>
      fetchCollection({
        ...common,
        hash: request.hash,
        onProgress: (now) => tell(request, now),
        ...(base === undefined || request.policy === "swarm-only" ? {} : {
          originOf: (child) =>
            new HttpOrigin({
              url: childUrl(base, child.name),
              clock: this.#options.clock,
              ...(request.origin?.headers ? { headers: request.origin.headers } : {}),
            }),
        }),
      }));
  }

  /** Runs a fetch with what all fetches share, and counts what it did. */
  async #measured(
    request: TransferRequest,
    run: (common: Common) => Promise<FetchReport>,
  ): Promise<TransferReport> {
    const { clock, metrics, log, store, random, scores, herd } = this.#options;
    await using stack = new AsyncDisposableStack();
    const { PathMemory, PeerSource } = await import("../../../swarm/requester/mod.ts");
    const memory = this.#paths ??= new PathMemory({ clock });
    const sources = new Map<string, Source>();
    const startMs = clock.monotonicMs();
    const own = new Set(this.#options.relays().map(({ url }) => new URL(url).href));
    const foreign = request.relays.filter((url) => !own.has(new URL(url).href));
    const extra = foreign.length === 0 ? [] : [stack.use(await this.#options.discoveryOn(foreign))];
    try {
      const report = this.#explained(
        await run({
          store,
          clock,
          random,
          scores,
          ...(herd === undefined ? {} : { herd }),
          peers: request.hints,
          discovery: await this.#discovery(extra, request.findTimeoutMs),
          policy: request.policy,
          limits: {
            originStartMs: request.originDelayMs,
            rateFloor: request.originFloorBytesPerSecond,
          },
          attributes: request.attributes,
          signal: request.signal,
          sourceOf: (peer) => {
            const { network, certificate } = this.#options;
            if (network === undefined || peer.peerId === network.peerId) return undefined;
            return sources.getOrInsertComputed(peer.peerId, () =>
              stack.use(
                new PeerSource({
                  network,
                  peer,
                  store,
                  clock,
                  ...(certificate === undefined ? {} : { certificate }),
                  direct: this.#options.usesDirect && { memory },
                }),
              ));
          },
        }),
      );
      metrics?.fetched(report, clock.monotonicMs() - startMs);
      log("info", "fetched", {
        hash: request.hash,
        size: report.size,
        ms: Math.round(report.ms),
        sources: report.sources,
      });
      for (const failure of report.failures) log("debug", "source failed", { ...failure });
      return report;
    } catch (error) {
      metrics?.failed(clock.monotonicMs() - startMs);
      if (!request.signal.aborted) {
        log("warning", "fetch failed", { hash: request.hash, error: messageOf(error) });
      }
      throw this.#explainedError(error, request.signal);
    }
  }

  /** Adds to the reason why the origin was asked that relays, which know peers, do not answer. */
  #explained(report: FetchReport): FetchReport {
    const dead = this.#deadRelays();
    if (report.originReason === undefined || dead.length === 0) return report;
    return { ...report, originReason: [report.originReason, ...dead].join("; ") };
  }

  #explainedError(error: unknown, signal: AbortSignal): unknown {
    const dead = this.#deadRelays();
    if (signal.aborted || dead.length === 0 || !isSeedmintError(error)) return error;
    const { code, retryable } = error;
    const message = `${error.message} (${dead.join("; ")})`;
    return new SeedmintError(code, message, { cause: error, retryable });
  }

  #deadRelays(): string[] {
    return this.#options.relays().filter(({ connected, problem }) => !connected && problem !== null)
      .map(({ url, problem }) => `relay${problem!.includes(url) ? "" : ` ${url}`}: ${problem}`);
  }

  async #origin(request: TransferRequest): Promise<Origin | undefined> {
    if (request.origin === undefined || request.policy === "swarm-only") return undefined;
    const { HttpOrigin } = await import("../../../swarm/origin/mod.ts");
    return new HttpOrigin({
      url: request.origin.url,
      clock: this.#options.clock,
      ...(request.origin.headers === undefined ? {} : { headers: request.origin.headers }),
    });
  }

  /** All ways to find peers, each search ended after `timeoutMs`. */
  async #discovery(extra: readonly Discovery[], timeoutMs: number): Promise<Discovery> {
    const { combineDiscoveries } = await import("../../../swarm/discovery/mod.ts");
    const all = combineDiscoveries([this.#options.discovery, ...extra]);
    const { clock } = this.#options;
    return {
      async *find(query, options = {}): AsyncGenerator<ProviderHint> {
        const deadline = new AbortController();
        const cancel = clock.timer(timeoutMs, () => deadline.abort());
        const signals = options.signal === undefined ? [] : [options.signal];
        const signal = AbortSignal.any([deadline.signal, ...signals]);
        try {
          yield* all.find(query, { signal });
        } finally {
          cancel();
        }
      },
    };
  }
}

function tell(
  request: TransferRequest,
  now: { readonly bytes: number; readonly size?: number; readonly sources: number },
): void {
  request.onProgress?.({
    bytes: now.bytes,
    peers: now.sources,
    ...(now.size === undefined ? {} : { size: now.size }),
  });
}

/** Where a child of a collection lies at an origin: its name below the collection's URL. */
export function childUrl(base: string, name: string): string {
  const url = new URL(base);
  const path = name.split("/").map(encodeURIComponent).join("/");
  url.pathname = `${url.pathname.replace(/\/?$/, "/")}${path}`;
  return url.href;
}
