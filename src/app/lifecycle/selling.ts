/**
 * Selling: the wallet's seller as the swarm's gate and behind the verbs. While no wallet is open, what
 * is free is served by the prices of before, and what is priced is refused.
 */
import { messageOf, SeedmintError } from "../../core/errors.ts";
import { type Hash, parseHash } from "../../core/hash.ts";
import type {
  Gate,
  GateDecision,
  Meter,
  PaymentAnswer,
  PaymentOffer,
  PaymentTerms,
  Viewer,
} from "../../../swarm/ports.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import { systemClock } from "../../host/system.ts";
import { MINTS_AGE_MS } from "../../../wallet/selling/limits.ts";
import type { Seller, Service, ServiceId } from "../../../wallet/selling/mod.ts";
import type { Wallet } from "../../../wallet/wallet.ts";
import type { Selling, SellingAccess, ServiceRow } from "../api/selling.ts";
import type { EarningsReport, EarningsRow } from "../api/selling_methods.ts";
import type { Log } from "../log.ts";
import type { Metrics, SoldFigures } from "../metrics.ts";
import { CollectionIndex } from "./collection_index.ts";
import { RefusedPayments } from "./refused_payments.ts";
import { type PricedService, PriceList, readPriceList, writePriceList } from "./price_list.ts";

/** When a payer may send a payment again that came while the wallet was not open. */
const CLOSED_RETRY_MS = 15_000;

/** How often the time that it takes to add up sales passes before that is done again. */
const SOLD_REST = 20;

/** How much later than the seller's memory of the mints ends it is asked again. */
const SOON_MS = 200;

const CONTENT = "content:";

/** What {@link NodeSelling} works with. */
export interface NodeSellingOptions {
  readonly dataDirectory: string;
  readonly store: BlobStore;
  /** Opens the wallet. */
  readonly openWallet: () => Promise<unknown>;
  readonly metrics?: Pick<Metrics, "paymentAnswered">;
  readonly log: Log;
}

/** What this node sells. */
export class NodeSelling implements SellingAccess, Gate, Disposable {
  readonly #options: NodeSellingOptions;
  readonly #index: CollectionIndex;
  readonly #refused: RefusedPayments;
  readonly #listeners = new Set<() => void>();
  readonly #stops: (() => void)[] = [];
  #cancelTelling: () => void = () => {};
  /** Prices as this node last knew them. */
  readonly #copied: readonly PricedService[];
  #prices: PriceList;
  #seller: Seller | undefined;
  #sold: { readonly figures: SoldFigures; readonly untilMs: number } | undefined;

  private constructor(
    options: NodeSellingOptions,
    found: { readonly list: PriceList; readonly services: readonly PricedService[] },
    index: CollectionIndex,
  ) {
    this.#options = options;
    this.#prices = found.list;
    this.#copied = found.services;
    this.#index = index;
    this.#refused = new RefusedPayments({ log: options.log, clock: systemClock });
    this.#stops.push(options.store.onChange((hash) => void index.changed(hash)));
  }

  /** Reads what was sold when this node last ran. */
  static async open(options: NodeSellingOptions): Promise<NodeSelling> {
    const found = await readPriceList(options.dataDirectory);
    const { list, services } = found;
    const index = new CollectionIndex(options.store);
    await index.watch(services.flatMap(({ id }) => contentOf(id) ?? []));
    if (list.problem !== undefined) options.log("error", list.problem);
    return new NodeSelling(options, found, index);
  }

  /** What does not work, in words. */
  problems(): readonly string[] {
    return this.#seller === undefined && this.#prices.problem !== undefined
      ? [this.#prices.problem]
      : [];
  }

  /** Takes over the prices of a wallet that was just opened. */
  async walletOpened(wallet: Wallet): Promise<void> {
    const { store } = this.#options;
    const seller = wallet.seller({
      collectionsOf: this.#index.parentsOf,
      visibilityOf: (hash) => store.status(hash)?.visibility,
    });
    this.#bringBack(seller);
    await this.#index.watch(seller.services().flatMap(({ id }) => contentOf(id) ?? []));
    this.#stops.push(seller.onPricesChanged(() => this.#pricesChanged(seller)));
    this.#seller = seller;
    this.#pricesChanged(seller);
  }

  /** Called when prices changed, or became known. Returns how to stop that. */
  onPrices(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The mints whose ecash is taken are others now: what adverts say of them changes soon. */
  mintsChanged(): void {
    this.#cancelTelling();
    this.#cancelTelling = systemClock.timer(MINTS_AGE_MS + SOON_MS, () => this.#tell());
  }

  [Symbol.dispose](): void {
    this.#cancelTelling();
    this.#refused[Symbol.dispose]();
    this.#seller = undefined;
    for (const stop of this.#stops) stop();
  }

  // What the verbs ask.

  readonly open = async (): Promise<Selling> => {
    await this.#options.openWallet();
    const selling = this.opened();
    if (selling !== undefined) return selling;
    throw new SeedmintError("aborted", "The wallet was closed");
  };

  readonly opened = (): Selling | undefined => {
    const seller = this.#seller;
    return seller && sellingOver(seller, async (id) => {
      const hash = contentOf(id);
      // What a collection lists is known before its price counts.
      if (hash !== undefined) await this.#index.add(hash);
    });
  };

  readonly priceOf = (hash: Hash): number | undefined => {
    if (this.#seller !== undefined) return this.#seller.priceOf(hash)?.priceMsatPerMiB ?? 0;
    return this.#prices.priceOf(hash, {
      visibility: this.#options.store.status(hash)?.visibility,
      collections: this.#index.parentsOf(hash),
    });
  };

  /**
   * On which terms a blob is advertised; undefined for what is free. While no wallet is open, nobody
   * can pay, but nobody shall take it for free either.
   */
  termsOf(hash: Hash): Partial<PaymentTerms> | undefined {
    if (this.#seller !== undefined) return this.#seller.priceOf(hash);
    const priceMsatPerMiB = this.priceOf(hash);
    return priceMsatPerMiB === undefined ? undefined : { priceMsatPerMiB };
  }

  /**
   * What was sold so far, for metrics. Adding up takes longer the more was sold: it may take a
   * twentieth of the time, and figures are as old as that makes them.
   */
  sold(): SoldFigures | undefined {
    const seller = this.#seller;
    if (seller === undefined || seller.services().length === 0) return undefined;
    const startMs = systemClock.monotonicMs();
    if (this.#sold !== undefined && startMs < this.#sold.untilMs) return this.#sold.figures;
    const figures = soldBy(seller);
    const endMs = systemClock.monotonicMs();
    this.#sold = { figures, untilMs: endMs + SOLD_REST * (endMs - startMs) };
    return figures;
  }

  // What the swarm asks.

  isFree(root: Hash): boolean {
    return this.priceOf(root) === 0;
  }

  async decide(request: Parameters<Gate["decide"]>[0]): Promise<GateDecision> {
    const seller = this.#seller;
    if (seller !== undefined) return await seller.decide(request);
    const isFree = request.viewer.fleet || this.isFree(request.root);
    return isFree ? { decision: "free" } : { decision: "deny", code: "unavailable" };
  }

  async pay(
    request: { readonly viewer: Viewer; readonly payment: PaymentOffer },
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<PaymentAnswer> {
    const answer = await this.#seller?.pay(request, options) ??
      { answer: "refused", code: "unavailable", retryMs: CLOSED_RETRY_MS };
    this.#options.metrics?.paymentAnswered(answer);
    if (answer.answer === "refused") {
      this.#refused.note(request.viewer.peerId, answer.code);
    } else if (answer.answer === "credited" && request.payment.token !== undefined) {
      this.#options.log("debug", "a payment was taken", { peer: request.viewer.peerId });
    }
    return answer;
  }

  async refund(viewer: Viewer, options: { readonly signal?: AbortSignal } = {}) {
    const closed = {
      status: "declined",
      code: "unavailable",
      reason: "no wallet is open",
    } as const;
    return await this.#seller?.refund(viewer, options) ?? closed;
  }

  creditOf(viewer: Viewer): number {
    return this.#seller?.creditOf(viewer) ?? 0;
  }

  openMeter(request: Parameters<NonNullable<Gate["openMeter"]>>[0]): Meter {
    if (this.#seller !== undefined) return this.#seller.openMeter(request);
    throw new SeedmintError("unavailable", "Nothing is sold while no wallet is open");
  }

  /**
   * Prices that the wallet does not know, as one made anew from its words or taken over from a backup:
   * nothing becomes free by that. What shall be free is disabled, or set to 0.
   */
  #bringBack(seller: Seller): void {
    const known = new Set<string>(seller.services().map(({ id }) => id));
    for (const { id, enabled, priceMsatPerMiB } of this.#copied) {
      if (known.has(id)) continue;
      this.#options.log("info", "a price that the wallet had lost is there again", { id });
      seller.setService({ id: id as ServiceId, enabled, priceMsatPerMiB });
    }
  }

  #pricesChanged(seller: Seller): void {
    const services = seller.services();
    this.#prices = new PriceList(services);
    try {
      writePriceList(this.#options.dataDirectory, services);
    } catch (error) {
      this.#options.log("error", "the prices are not kept for a start without the wallet", {
        error: messageOf(error),
      });
    }
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function contentOf(id: string): Hash | undefined {
  return id.startsWith(CONTENT) ? parseHash(id.slice(CONTENT.length)) : undefined;
}

/** The wallet's seller as the handlers see it. */
function sellingOver(seller: Seller, prepare: (id: string) => Promise<void>): Selling {
  return {
    services: () => seller.services().map(rowOf).sort(byRank),
    set: async ({ id, ...terms }) => {
      await prepare(id);
      return rowOf(seller.setService({ id: id as ServiceId, enabled: true, ...terms }));
    },
    enable: (id, isEnabled) => {
      if (!seller.services().some((service) => service.id === id)) {
        throw new SeedmintError(
          "not-found",
          `There is no price for ${id.replace(/^(visibility|content):/, "")}; services set makes ` +
            "one, services list shows those there are",
        );
      }
      return rowOf(isEnabled ? seller.enable(id as ServiceId) : seller.disable(id as ServiceId));
    },
    earnings: (query) => earningsOf(seller, query),
  };
}

function rowOf({ id, enabled, priceMsatPerMiB, minTopUpSat, mints }: Service): ServiceRow {
  return {
    ...{ id, enabled, priceMsatPerMiB },
    minTopUpSat: minTopUpSat ?? null,
    mints: mints ?? null,
  };
}

/** The general ones first. */
function byRank(a: ServiceRow, b: ServiceRow): number {
  const rank = ({ id }: ServiceRow) => id === "default" ? 0 : id.startsWith(CONTENT) ? 2 : 1;
  return rank(a) - rank(b) || (a.id < b.id ? -1 : 1);
}

function soldBy(seller: Seller): SoldFigures {
  const { total } = seller.earnings({ by: "day" });
  const mints = seller.earnings({ by: "mint" }).rows.map((row) => ({
    mint: row.key,
    provisionalSat: row.provisionalSat,
    redeemedSat: row.redeemedSat,
  }));
  return { bytes: total.soldBytes, earnedMsat: total.soldMsat, mints };
}

function earningsOf(
  seller: Seller,
  query: { readonly by: EarningsReport["by"]; readonly sinceMs?: number },
): Pick<EarningsReport, "rows" | "total"> {
  const { by } = query;
  const report = seller.earnings(query);
  // Of a mint there are payments only, of content only sales.
  const sales = <T>(value: T) => by === "mint" ? null : value;
  const income = <T>(value: T) => by === "content" ? null : value;
  const figures = (row: typeof report.total): Omit<EarningsRow, "key"> => ({
    soldBytes: sales(row.soldBytes),
    earnedMsat: sales(row.soldMsat),
    expiredMsat: by === "content" ? null : sales(row.expiredMsat),
    refundedMsat: by === "content" ? null : sales(row.refundedMsat),
    queuedSat: income(row.queuedSat),
    provisionalSat: income(row.provisionalSat),
    redeemedSat: income(row.redeemedSat),
  });
  return {
    rows: report.rows.map((row) => ({ key: row.key, ...figures(row) })),
    total: figures(report.total),
  };
}
