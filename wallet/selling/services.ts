/** Prices: which one is for which content, kept in the wallet's database and asked from memory. */
import type { Clock } from "../../src/core/ports.ts";
import { type Hash, isHash } from "../../src/core/hash.ts";
import { parseMintUrl } from "../mint/mint_url.ts";
import type { ServiceRecord } from "../store/selling_store.ts";
import type { WalletStore } from "../store/wallet_store.ts";
import {
  LOCKTIME_MIN,
  MINTS_AGE_MS,
  OFFERED_MINT_CHARS_MAX,
  OFFERED_MINTS_MAX,
  PRICE_MAX_MSAT_PER_MIB,
  TOP_UP_MAX_SAT,
  TOP_UP_MIB,
  TOP_UP_MIN_SAT,
} from "./limits.ts";
import type { PaymentTerms, SellerOptions, Service, ServiceId } from "./selling_api.ts";

const VISIBILITIES: ReadonlySet<string> = new Set(["public", "fleet", "private"]);

/** What {@link Services} works with. */
export interface ServicesOptions extends SellerOptions {
  readonly store: WalletStore;
  readonly clock: Clock;
  /** The key that payments are locked to. */
  readonly paymentKey: string;
}

/** The prices of a seller. */
export class Services {
  readonly #options: ServicesOptions;
  readonly #services = new Map<ServiceId, Service>();
  readonly #listeners = new Set<() => void>();
  #contentCount = 0;
  #mints: { readonly urls: readonly string[]; readonly untilMs: number } | undefined;

  constructor(options: ServicesOptions) {
    this.#options = options;
    for (const { updatedMs: _, ...record } of options.store.services()) {
      this.#services.set(record.id as ServiceId, record as Service);
    }
    this.#count();
  }

  /** In the order of their ids. */
  list(): Service[] {
    return [...this.#services.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  }

  /**
   * Sets a price, or changes the fields that are given. An empty list of mints is all that are listed.
   *
   * @throws {SyntaxError | RangeError} For an id, a price or a mint that cannot be.
   */
  set(change: Pick<Service, "id"> & Partial<Service>): Service {
    const before = this.#services.get(change.id);
    const { mints, ...rest } = { enabled: true, priceMsatPerMiB: 0, ...before, ...change };
    const service = checked(
      mints === undefined || mints.length === 0 ? rest : { ...rest, mints },
    );
    this.#put(service);
    return service;
  }

  /** @throws {RangeError} If there is no such price. */
  enable(id: ServiceId, enabled: boolean): Service {
    const before = this.#services.get(id);
    if (before === undefined) {
      throw new RangeError(
        `Cannot ${enabled ? "enable" : "disable"} "${id}": no such service; set its price first`,
      );
    }
    const service = { ...before, enabled };
    this.#put(service);
    return service;
  }

  /** Takes a price away. */
  remove(id: ServiceId): void {
    this.#options.store.transact((tx) => tx.removeService(id));
    if (!this.#services.delete(id)) return;
    this.#count();
    this.#tell();
  }

  /** Called whenever a price changed. Returns how to stop that. */
  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether anything costs something. */
  get isSelling(): boolean {
    return this.#priced().next().done !== true;
  }

  /**
   * The service that decides on `hash`: the price of the hash itself, else the lowest of the collections
   * that list it, else that of its visibility, else the default. From memory.
   */
  serviceOf(hash: Hash): Service | undefined {
    return this.#enabled(`content:${hash}`) ?? this.#cheapestCollection(hash) ??
      this.#byVisibility(hash) ?? this.#enabled("default");
  }

  /** What `hash` costs, in msat for a MiB; 0: nothing. */
  priceOf(hash: Hash): number {
    return this.serviceOf(hash)?.priceMsatPerMiB ?? 0;
  }

  /** The terms of what `hash` costs; undefined for what is free. */
  termsOf(hash: Hash): PaymentTerms | undefined {
    const service = this.serviceOf(hash);
    if (service === undefined || service.priceMsatPerMiB === 0) return undefined;
    return {
      priceMsatPerMiB: service.priceMsatPerMiB,
      minTopUpSat: topUpOf(service),
      mints: this.#mintsOf(service),
      p2pk: this.#options.paymentKey,
      locktimeMin: LOCKTIME_MIN,
    };
  }

  /**
   * The least that any payment must be, in sat, on its face; undefined while nothing is sold. A payment
   * names no content, so that the lowest of all prices counts; that little of the content is left makes
   * no smaller one worth taking: what is left of the payment stays credit.
   */
  get leastTopUpSat(): number | undefined {
    let least: number | undefined;
    for (const service of this.#priced()) {
      least = Math.min(least ?? Infinity, topUpOf(service));
    }
    return least;
  }

  /** The mints that a payment may be of; undefined for all that are listed. */
  get acceptedMints(): ReadonlySet<string> | undefined {
    const accepted = new Set<string>();
    for (const { mints } of this.#priced()) {
      if (mints === undefined) return undefined;
      for (const mint of mints) accepted.add(mint);
    }
    return accepted;
  }

  /** The least payment at the highest of the prices not above `priceMsatPerMiB`, for slices. */
  topUpAt(hash: Hash, priceMsatPerMiB: number): number {
    const service = this.serviceOf(hash);
    return service !== undefined && service.priceMsatPerMiB === priceMsatPerMiB
      ? topUpOf(service)
      : defaultTopUpSat(priceMsatPerMiB);
  }

  *#priced(): Generator<Service> {
    for (const service of this.#services.values()) {
      if (service.enabled && service.priceMsatPerMiB > 0) yield service;
    }
  }

  #enabled(id: ServiceId): Service | undefined {
    const service = this.#services.get(id);
    return service?.enabled ? service : undefined;
  }

  #cheapestCollection(hash: Hash): Service | undefined {
    if (this.#contentCount === 0) return undefined;
    let found: Service | undefined;
    for (const collection of this.#options.collectionsOf?.(hash) ?? []) {
      const service = this.#enabled(`content:${collection}`);
      if (service === undefined) continue;
      if (found === undefined || service.priceMsatPerMiB < found.priceMsatPerMiB) found = service;
    }
    return found;
  }

  #byVisibility(hash: Hash): Service | undefined {
    const visibility = this.#options.visibilityOf?.(hash);
    return visibility === undefined ? undefined : this.#enabled(`visibility:${visibility}`);
  }

  /** Trusted ones first: their ecash counts at once. */
  #mintsOf(service: Service): readonly string[] {
    const listed = this.#listedMints();
    const wanted = service.mints;
    const mints = wanted === undefined ? listed : listed.filter((url) => wanted.includes(url));
    return mints.slice(0, OFFERED_MINTS_MAX);
  }

  #listedMints(): readonly string[] {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#mints !== undefined && nowMs < this.#mints.untilMs) return this.#mints.urls;
    const usable = this.#options.store.mints().filter((mint) =>
      mint.blockedReason === undefined && mint.url.length <= OFFERED_MINT_CHARS_MAX
    );
    const urls = (["trusted", "accepted"] as const).flatMap((trust) =>
      usable.filter((mint) => mint.trust === trust).map((mint) => mint.url)
    );
    this.#mints = { urls, untilMs: nowMs + MINTS_AGE_MS };
    return urls;
  }

  #put(service: Service): void {
    const { store, clock } = this.#options;
    store.transact((tx) =>
      tx.putService({ ...service, updatedMs: clock.nowMs() } satisfies ServiceRecord)
    );
    this.#services.set(service.id, service);
    this.#count();
    this.#tell();
  }

  #count(): void {
    this.#contentCount =
      [...this.#services.keys()].filter((id) => id.startsWith("content:")).length;
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch {
        // Whoever listens must not be able to undo a price that is set.
      }
    }
  }
}

/** The least payment of a service that does not say one, in sat. */
export function defaultTopUpSat(priceMsatPerMiB: number): number {
  return Math.min(
    TOP_UP_MAX_SAT,
    Math.max(TOP_UP_MIN_SAT, Math.ceil(priceMsatPerMiB * TOP_UP_MIB / 1000)),
  );
}

/**
 * Reads what a price is for, as a user writes it: `default`, `visibility:public`, `content:<hash>`.
 *
 * @throws {SyntaxError} If it is anything else.
 */
export function parseServiceId(text: string): ServiceId {
  if (text === "default") return text;
  const [kind, name = ""] = text.split(/:(.*)/s);
  if (kind === "visibility" && VISIBILITIES.has(name)) return text as ServiceId;
  if (kind === "content" && isHash(name)) return text as ServiceId;
  throw new SyntaxError(
    `Cannot read "${text.slice(0, 80)}" as a service: "default", "visibility:public", ` +
      `"visibility:fleet", "visibility:private" or "content:" and 64 hex digits wanted`,
  );
}

function topUpOf(service: Service): number {
  return service.minTopUpSat ?? defaultTopUpSat(service.priceMsatPerMiB);
}

function checked(service: Service): Service {
  const { enabled, priceMsatPerMiB, minTopUpSat, mints } = service;
  if (!isWholeUpTo(priceMsatPerMiB, 0, PRICE_MAX_MSAT_PER_MIB)) {
    throw new RangeError(
      `Cannot set the price: a whole number of msat per MiB from 0 to ${PRICE_MAX_MSAT_PER_MIB} wanted`,
    );
  }
  if (minTopUpSat !== undefined && !isWholeUpTo(minTopUpSat, 1, TOP_UP_MAX_SAT)) {
    throw new RangeError(
      `Cannot set the least payment: a whole number of sat from 1 to ${TOP_UP_MAX_SAT} wanted`,
    );
  }
  if (mints !== undefined && (mints.length === 0 || mints.length > OFFERED_MINTS_MAX)) {
    throw new RangeError(`Cannot set the mints: 1 to ${OFFERED_MINTS_MAX} of them wanted`);
  }
  return {
    id: parseServiceId(service.id),
    enabled,
    priceMsatPerMiB,
    ...minTopUpSat === undefined ? {} : { minTopUpSat },
    ...mints === undefined
      ? {}
      : { mints: mints.map((url) => parseMintUrl(url, { allowPrivate: true })) },
  };
}

function isWholeUpTo(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}
