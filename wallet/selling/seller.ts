/**
 * The seller: what the swarm asks of its `Gate`. What is free is told from memory; what is priced is
 * served against credit only, and when anything is wrong it is not served.
 */
import { messageOf } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import { msatOf } from "../credit_units.ts";
import type { Engine } from "../operations/engine.ts";
import type { Intake } from "../payments/intake.ts";
import { CreditAccounts } from "./credit_accounts.ts";
import { earningsOf } from "./earnings.ts";
import { IncomingPayments } from "./incoming.ts";
import { Leftovers } from "./leftovers.ts";
import type {
  EarningsBy,
  EarningsReport,
  GateDecision,
  Meter,
  OfferedPayment,
  PaymentAnswer,
  PaymentTerms,
  RefundAnswer,
  SellerOptions,
  Service,
  ServiceId,
  Viewer,
} from "./selling_api.ts";
import { Services } from "./services.ts";

export { defaultTopUpSat, parseServiceId } from "./services.ts";

/** The parts of a wallet that a seller is made of. */
export interface SellerParts {
  readonly engine: Engine;
  readonly intake: Intake;
}

/** Sells bytes. There is one for a wallet: `Wallet.seller`. */
export class Seller implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #intake: Intake;
  readonly #services: Services;
  readonly #accounts: CreditAccounts;
  readonly #payments: IncomingPayments;
  readonly #leftovers: Leftovers;
  readonly #channel: SellerOptions["channel"];
  readonly #off: () => void;

  constructor({ engine, intake }: SellerParts, options: SellerOptions = {}) {
    const { context } = engine;
    const { store, clock, keys } = context;
    this.#engine = engine;
    this.#channel = options.channel;
    this.#intake = intake;
    this.#services = new Services({
      ...options,
      store,
      clock,
      paymentKey: keys.payment.publicKey,
    });
    this.#accounts = new CreditAccounts(context);
    this.#payments = new IncomingPayments({
      store,
      clock,
      intake,
      services: this.#services,
      ...options.channel === undefined ? {} : { channel: options.channel },
      creditMsatOf: (payer) => this.#accounts.msatOf(payer),
      onMoved: (payer) => this.#accounts.refresh(payer),
    });
    this.#leftovers = new Leftovers(engine, this.#accounts);
    this.#off = engine.onEvent(({ operationId }) => {
      if (operationId !== undefined) this.#guarded(() => this.#heard(operationId));
    });
    this.#guarded(() => this.#accounts.recover());
    this.#leftovers.start();
    if (this.#services.isSelling) intake.prepare();
  }

  /** Whether `root` costs nothing for anyone. Asks no disk; when in doubt it is not free. */
  isFree(root: Hash): boolean {
    try {
      return this.#services.priceOf(root) === 0;
    } catch {
      return false;
    }
  }

  /** What the viewer must do to have `root`. @throws When it cannot be told: do not serve. */
  decide(
    request: { readonly viewer: Viewer; readonly root: Hash },
  ): Promise<GateDecision> {
    return Promise.resolve().then((): GateDecision => {
      if (request.viewer.fleet) return { decision: "free" };
      const terms = this.#services.termsOf(request.root);
      if (terms === undefined) return { decision: "free" };
      if (terms.mints.length === 0) return { decision: "deny", code: "unavailable" };
      const channelSat = this.#channelSatOf(request.viewer);
      return { decision: "pay", ...terms, ...channelSat > 0 ? { channelSat } : {} };
    });
  }

  /**
   * Takes a payment of the viewer. Never throws for what the payer sends or a mint does.
   *
   * @throws `signal.reason`; what was begun goes on.
   */
  pay(
    request: { readonly viewer: Viewer; readonly payment: OfferedPayment },
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<PaymentAnswer> {
    return this.#payments.pay(request.viewer.peerId, request.payment, options);
  }

  /** What the viewer has, in msat; 0 for who never paid. */
  creditOf(viewer: Viewer): number {
    return this.#accounts.msatOf(viewer.peerId);
  }

  /** Opens the viewer's credit for one answer. */
  openMeter(
    request: {
      readonly viewer: Viewer;
      readonly root: Hash;
      readonly priceMsatPerMiB: number;
    },
  ): Meter {
    const { viewer, root, priceMsatPerMiB } = request;
    return this.#accounts.open({
      payer: viewer.peerId,
      root,
      priceMsatPerMiB,
      topUpSat: this.#services.topUpAt(root, priceMsatPerMiB),
    });
  }

  /** The terms that adverts name; undefined for what is free. */
  priceOf(hash: Hash): PaymentTerms | undefined {
    return this.#services.termsOf(hash);
  }

  /** Called whenever a price changed. Returns how to stop that. */
  onPricesChanged(listener: () => void): () => void {
    return this.#services.onChanged(listener);
  }

  /** All prices, in the order of their ids. */
  services(): Service[] {
    return this.#services.list();
  }

  /**
   * Sets a price, or changes the fields that are given.
   *
   * @throws {SyntaxError | RangeError} For an id, a price or a mint that cannot be.
   */
  setService(service: Pick<Service, "id"> & Partial<Service>): Service {
    const set = this.#services.set(service);
    if (this.#services.isSelling) this.#intake.prepare();
    return set;
  }

  /** Takes a price away. */
  removeService(id: ServiceId): void {
    this.#services.remove(id);
  }

  /** @throws {RangeError} If there is no such price. */
  enable(id: ServiceId): Service {
    return this.#services.enable(id, true);
  }

  /** @throws {RangeError} If there is no such price. */
  disable(id: ServiceId): Service {
    return this.#services.enable(id, false);
  }

  /** What was earned, by day (UTC), mint, peer or content. */
  earnings(
    { by, sinceMs }: { readonly by: EarningsBy; readonly sinceMs?: number },
  ): EarningsReport {
    const { store, clock } = this.#engine.context;
    return earningsOf(store, {
      by,
      nowMs: clock.nowMs(),
      unbooked: this.#accounts.unbooked(),
      ...sinceMs === undefined ? {} : { sinceMs },
    });
  }

  /** What a peer was ever sold, of `root` or in all, for a receipt; what is only in memory counts. */
  soldTo(peerId: string, root?: Hash): { readonly bytes: number; readonly msat: number } {
    let { bytes, units } = this.#engine.context.store.soldTo(peerId, root);
    for (const sale of this.#accounts.unbooked()) {
      if (sale.payer !== peerId || (root !== undefined && sale.root !== root)) continue;
      bytes += sale.bytes;
      units += sale.units;
    }
    return { bytes, msat: Number(msatOf(units)) };
  }

  /** Pays back what the viewer has, locked to the key that its payments named. */
  refund(
    viewer: Viewer,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<RefundAnswer> {
    return this.#leftovers.refund(viewer.peerId, options);
  }

  /** Books credit below what is paid back that nobody used for a week. Goes on by itself every hour. */
  expireCredit(): number {
    return this.#leftovers.expire();
  }

  /** Writes down what is only in memory, and stops. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#off();
    this.#leftovers[Symbol.dispose]();
    await this.#accounts[Symbol.asyncDispose]();
    // What is being brought to the disk is there before the store is closed; closing does the rest.
    await this.#engine.context.store.flush().catch(() => {});
  }

  /** Payments that were redeemed, or turned out dead, change what their payers have. */
  #heard(operationId: string): void {
    const { store } = this.#engine.context;
    const kind = store.operation(operationId)?.kind;
    if (kind !== "redeem" && kind !== "channel-close") return;
    for (const { payer, state } of store.incomingPayments({ operationId })) {
      if (state === "dead") this.#intake.penalize(payer);
      this.#accounts.refresh(payer);
    }
  }

  /** Whoever cannot be told of channels is told of none. */
  #channelSatOf({ peerId }: Viewer): number {
    try {
      return this.#channel?.allowanceOf?.(peerId) ?? 0;
    } catch {
      return 0;
    }
  }

  #guarded(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.#engine.context.emit({
        event: "attention",
        message: `Selling waits for the disk: ${messageOf(error)}`,
      });
    }
  }
}
