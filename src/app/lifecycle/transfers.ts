/** Fetching with the swarm that this node has: peers, discovery, scores, and the origin behind. */
import { isSeedmintError, messageOf, SeedmintError } from "../../core/errors.ts";
import type { Clock, Random } from "../../core/ports.ts";
import type {
  Discovery,
  Network,
  ProviderHint,
  ReceiptBook,
  Source,
} from "../../../swarm/ports.ts";
import type { FetchBlobOptions, FetchReport, Herd } from "../../../swarm/fetch/mod.ts";
import type { Cascade } from "../../../swarm/cascade/mod.ts";
import type { PathMemory, PeerSourceOptions } from "../../../swarm/requester/mod.ts";
import type { ScoreBook } from "../../../swarm/score.ts";
import type { SwarmFetch } from "../../../swarm/registry/ports.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import type { PaymentChoice, PaymentShare, RelayStatus, Thrift } from "../api/methods.ts";
import type { TransferReport, TransferRequest, Transfers } from "../api/transfers.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type FetchOrigins, originsOf } from "./origins.ts";
import type { FetchPayer } from "./paying.ts";

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
  /** Reads origins once for the fleet; absent without one. */
  readonly cascade?: () => Promise<Cascade>;
  readonly certificate?: Uint8Array<ArrayBuffer>;
  /** Whether bytes may come over plain HTTP where a peer offers it. */
  readonly usesDirect: boolean;
  /** Who pays for a fetch that may pay. */
  readonly payerOf?: (choice: PaymentChoice | undefined) => FetchPayer | undefined;
  /** Asks those who were paid for receipts. */
  readonly receipts?: ReceiptBook;
  /** What counts where a fetch does not say. @default {"balanced"} */
  readonly thrift?: Thrift;
  /** How fetches look for peers and use the origin where nobody says otherwise. */
  readonly usual: Pick<
    TransferRequest,
    "policy" | "originDelayMs" | "originFloorBytesPerSecond" | "findTimeoutMs"
  >;
  readonly metrics?: Metrics;
  readonly log: Log;
}

/** A fetch that pays nobody, from an origin of the caller's own making. */
export type FreeRequest = Parameters<SwarmFetch["fetch"]>[0];

/** What a fetch is run with, besides the blob. */
type Common = Omit<FetchBlobOptions, "hash" | "origin" | "onProgress">;

/** What is run. */
type Run = (
  common: Common,
  own: {
    readonly onProgress: NonNullable<FetchBlobOptions["onProgress"]>;
    readonly payer: FetchPayer | undefined;
  },
) => Promise<FetchReport>;

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
    const originsFor = await originsOf(request, this.#options);
    return await this.#measured(request, (common, { onProgress, payer }) => {
      const origins = originsFor?.(payer);
      return fetchBlob({
        ...common,
        ...sourcesOf(origins),
        hash: request.hash,
        ...(origins === undefined ? {} : { origin: origins.originOf(request.origin!.url) }),
        onProgress,
      });
    });
  }

  /** As {@link fetchBlob}, for the registry. */
  async fetchFree(request: FreeRequest): Promise<FetchReport> {
    const { fetchBlob } = await import("../../../swarm/fetch/mod.ts");
    const { hash, size, hints, origin, attributes = {}, position, onReceived, signal } = request;
    const transfer: TransferRequest = {
      hash,
      ...(size === undefined ? {} : { claimedSize: size }),
      hints,
      relays: [],
      ...this.#options.usual,
      attributes,
      signal,
    };
    return await this.#measured(transfer, (common, { onProgress }) =>
      fetchBlob({
        ...common,
        hash,
        ...(origin === undefined ? {} : { origin }),
        ...(position === undefined ? {} : { position }),
        ...(onReceived === undefined ? {} : { onReceived }),
        limits: { ...common.limits, ...(size === undefined ? {} : { blobBytesMax: size }) },
        onProgress,
      }));
  }

  async fetchChildren(request: TransferRequest): Promise<TransferReport> {
    const { fetchCollection } = await import("../../../swarm/fetch/mod.ts");
    const originsFor = await originsOf(request, this.#options);
    return await this.#measured(request, (common, { onProgress, payer }) => {
      const origins = originsFor?.(payer);
      return fetchCollection({
        ...common,
        ...sourcesOf(origins),
        hash: request.hash,
        onProgress,
        ...(origins === undefined ? {} : {
          originOf: (child) => origins.originOf(childUrl(request.origin!.url, child.name)),
        }),
      });
    });
  }

  /** Runs a fetch with what all fetches share, and counts what it did. */
  async #measured(
    request: TransferRequest,
    run: Run,
  ): Promise<FetchReport & TransferReport> {
    const { clock, metrics, log } = this.#options;
    const payer = this.#options.payerOf?.(request.payment);
    const [startMs, sinceMs] = [clock.monotonicMs(), clock.nowMs()];
    const paid = () =>
      (payer?.paidFor?.(request.hash, sinceMs) ?? []).filter((one) =>
        one.paidSat + one.usedMsat > 0
      );
    try {
      const report = this.#explained(await this.#fetch(request, payer, run));
      const whole = { ...report, payments: paid() };
      metrics?.fetched(whole, clock.monotonicMs() - startMs);
      log("info", "fetched", {
        hash: request.hash,
        size: report.size,
        ms: Math.round(report.ms),
        sources: report.sources,
        ...(whole.payments.length === 0 ? {} : { payments: whole.payments }),
      });
      for (const failure of report.failures) log("debug", "source failed", { ...failure });
      return whole;
    } catch (error) {
      metrics?.failed(clock.monotonicMs() - startMs, paid());
      if (!request.signal.aborted) {
        log("warning", "fetch failed", { hash: request.hash, error: messageOf(error) });
      }
      throw this.#explainedError(error, request.signal, paid());
    }
  }

  /** Runs it; when it returns, its sources are closed and what they cost is known. */
  async #fetch(
    request: TransferRequest,
    payer: FetchPayer | undefined,
    run: Run,
  ): Promise<FetchReport> {
    const { clock, store, random, scores, herd, receipts, thrift: usual } = this.#options;
    await using stack = new AsyncDisposableStack();
    const progress: { leftBytes?: number } = {};
    const thrift = request.payment?.thrift ?? usual;
    const report = await run({
      store,
      clock,
      random,
      scores,
      ...(herd === undefined ? {} : { herd }),
      peers: request.hints,
      discovery: await this.#discovery(await this.#foreign(request, stack), request.findTimeoutMs),
      policy: request.policy,
      ...(thrift === undefined ? {} : { thrift }),
      limits: {
        originStartMs: request.originDelayMs,
        rateFloor: request.originFloorBytesPerSecond,
      },
      attributes: request.attributes,
      signal: request.signal,
      sourceOf: await this.#sources(stack, (peer) =>
        payer === undefined ? {} : {
          pay: {
            payer,
            subject: request.hash,
            bytesMax: () => progress.leftBytes ?? peer.size ?? request.claimedSize,
            ...(receipts === undefined ? {} : { receipts }),
          },
        }),
    }, {
      payer,
      onProgress: (now) => {
        if (now.size !== undefined) progress.leftBytes = Math.max(0, now.size - now.bytes);
        tell(request, now);
      },
    });
    return withWaiting(report, payer?.waiting() ?? []);
  }

  /** Makes each peer a source once. */
  async #sources(
    stack: AsyncDisposableStack,
    payOf: (peer: ProviderHint) => Pick<PeerSourceOptions, "pay">,
  ): Promise<NonNullable<Common["sourceOf"]>> {
    const { PathMemory, PeerSource } = await import("../../../swarm/requester/mod.ts");
    const { network, certificate, clock, store, usesDirect } = this.#options;
    const memory = this.#paths ??= new PathMemory({ clock });
    const sources = new Map<string, Source>();
    return (peer) => {
      if (network === undefined || peer.peerId === network.peerId) return undefined;
      return sources.getOrInsertComputed(peer.peerId, () =>
        stack.use(
          new PeerSource({
            network,
            peer,
            store,
            clock,
            ...(certificate === undefined ? {} : { certificate }),
            direct: usesDirect && { memory },
            ...payOf(peer),
          }),
        ));
    };
  }

  /** Finds peers by relays of a ticket that the node does not use itself. */
  async #foreign(request: TransferRequest, stack: AsyncDisposableStack): Promise<Discovery[]> {
    const own = new Set(this.#options.relays().map(({ url }) => new URL(url).href));
    const foreign = request.relays.filter((url) => !own.has(new URL(url).href));
    return foreign.length === 0 ? [] : [stack.use(await this.#options.discoveryOn(foreign))];
  }

  /** Adds to the reason why the origin was asked that relays, which know peers, do not answer. */
  #explained(report: FetchReport): FetchReport {
    const dead = this.#deadRelays();
    if (report.originReason === undefined || dead.length === 0) return report;
    return { ...report, originReason: [report.originReason, ...dead].join("; ") };
  }

  /** Adds to an error what else is worth knowing: relays that are silent, and money that was spent. */
  #explainedError(
    error: unknown,
    signal: AbortSignal,
    payments: readonly PaymentShare[],
  ): unknown {
    const paidSat = payments.reduce((sum, one) => sum + one.paidSat, 0);
    const paid = paidSat === 0
      ? []
      : [`${paidSat} sat were paid; what they were not used for is credit at the sellers`];
    const notes = [...this.#deadRelays(), ...paid];
    if (signal.aborted || notes.length === 0 || !isSeedmintError(error)) return error;
    const { code, retryable } = error;
    const message = `${error.message} (${notes.join("; ")})`;
    return new SeedmintError(code, message, { cause: error, retryable });
  }

  #deadRelays(): string[] {
    return this.#options.relays().filter(({ connected, problem }) => !connected && problem !== null)
      .map(({ url, problem }) => `relay${problem!.includes(url) ? "" : ` ${url}`}: ${problem}`);
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

function sourcesOf(origins: FetchOrigins | undefined): Pick<Common, "originSourceOf"> {
  return origins === undefined ? {} : { originSourceOf: (origin) => origins.sourceOf(origin) };
}

/** Tells of sellers that were left out since their payment was not ready when the fetch was over. */
function withWaiting(report: FetchReport, peerIds: readonly string[]): FetchReport {
  const hasSent = new Set(report.sources.map((source) => source.id));
  const late = peerIds.filter((id) => !hasSent.has(id)).map((id) => ({
    id,
    code: "payment-required" as const,
    message: "it asks a price, and the wallet was still making the payment; does its mint answer?",
  }));
  return late.length === 0 ? report : { ...report, failures: [...report.failures, ...late] };
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
