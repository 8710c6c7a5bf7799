/**
 * Buying bytes: structurally the swarm's payer. Whatever goes wrong with money is a decline in words,
 * so that a fetch goes on elsewhere.
 */
import type { Hash } from "../../src/core/hash.ts";
import { mintUrlOf } from "../mint/mint_url.ts";
import type { MintUrl } from "../types.ts";
import type {
  BuyAnswer,
  BuyerOptions,
  BuyRequest,
  FixedOutcome,
  FixedPayment,
  Paid,
} from "./buying_api.ts";
import { Declined, reasonOf } from "./declined.ts";
import type { BuyingDesk } from "./desk.ts";
import { PEER_ID_CHARS_MAX } from "./limits.ts";
import { paidFor } from "./paid_for.ts";
import { spendTrouble, termsTrouble } from "./policy.ts";
import { Session } from "./session.ts";

/** See the head of this file. */
export class Buyer {
  readonly #desk: BuyingDesk;
  readonly #options: BuyerOptions;
  readonly #sinceMs: number;

  constructor(desk: BuyingDesk, options: BuyerOptions) {
    const { priceMaxMsatPerMiB, budgetSat, maxFeeSat } = options;
    for (const value of [priceMaxMsatPerMiB, budgetSat ?? 0, maxFeeSat ?? 0]) {
      if (Number.isSafeInteger(value) && value >= 0) continue;
      throw new RangeError("Cannot buy: limits are whole numbers, 0 or more");
    }
    this.#desk = desk;
    this.#options = options;
    this.#sinceMs = desk.engine.context.clock.nowMs();
  }

  /**
   * Begins to buy, within the policy. Returns at once: the first top-up is made in the background. Never
   * throws.
   */
  open(
    request: BuyRequest,
    _options: { readonly signal?: AbortSignal } = {},
  ): Promise<BuyAnswer> {
    try {
      return Promise.resolve({ status: "open", session: this.#open(request) });
    } catch (error) {
      return Promise.resolve({ status: "declined", reason: reasonOf(error) });
    }
  }

  /**
   * What was handed over to each seller for `subject` since then, and what it was for. Fees are those
   * of the strips and swaps that were begun for it, all of them: what is left of a strip may serve others.
   */
  paidFor(subject: Hash, sinceMs: number): readonly Paid[] {
    this.#desk.write();
    return paidFor(this.#desk.engine.context.store, { subject, sinceMs });
  }

  /** One payment of a fixed amount, within the policy. Never throws. */
  async preparePayment(request: FixedPayment): Promise<FixedOutcome> {
    const { paymentId, mints, priceSat, p2pk, locktimeS, subject, payee, signal } = request;
    const { maxFeeSat, budgetSat, confirmed } = this.#options;
    const outcome = await this.#desk.options.payments.prepare({
      acceptedMints: mints,
      priceSat,
      subject,
      payee,
      ...paymentId === undefined ? {} : { paymentId },
      ...p2pk === undefined ? {} : { lockTo: p2pk },
      ...locktimeS === undefined ? {} : { locktimeS },
      ...maxFeeSat === undefined ? {} : { maxFeeSat },
      ...budgetSat === undefined ? {} : { budgetSat },
      ...confirmed === undefined ? {} : { confirmed },
    }, signal === undefined ? {} : { signal });
    return outcome.status === "ready"
      ? { status: "ready", token: outcome.token }
      : { status: "declined", reason: outcome.reason };
  }

  #open(request: BuyRequest): Session {
    const desk = this.#desk;
    const { context } = desk.engine;
    const { peerId, terms, bytesMax } = request;
    if (peerId.length === 0 || peerId.length > PEER_ID_CHARS_MAX) {
      throw new Declined("the seller has no usable name");
    }
    if (bytesMax !== undefined && !(Number.isSafeInteger(bytesMax) && bytesMax >= 0)) {
      throw new Declined("the size of the content makes no sense");
    }
    const trouble = termsTrouble(terms, this.#options);
    if (trouble !== undefined) throw new Declined(trouble);
    const accepted = this.#accepted(terms.mints);
    const seller = desk.seller(peerId);
    if (seller.trouble !== undefined) throw new Declined(seller.trouble);
    const session = new Session({
      context,
      maker: desk.maker,
      seller,
      budgets: desk.options.budgets,
      buyer: this.#options,
      buyerSinceMs: this.#sinceMs,
      accepted,
      onClose: (closed) => desk.remove(closed),
    }, request);
    try {
      if (session.needsMoney) this.#assertAffordable(request);
      desk.add(session);
      session.begin();
      return session;
    } catch (error) {
      void session[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** @throws {Declined} When not even one top-up can be paid for. */
  #assertAffordable({ subject, peerId: payee, terms }: BuyRequest): void {
    const { engine: { context }, options: { budgets } } = this.#desk;
    const costMax = BigInt(terms.minTopUpSat);
    const trouble = spendTrouble(
      context.store,
      { subject, payee, sinceMs: this.#sinceMs, costMax },
      { budgets, buyer: this.#options, nowMs: context.clock.nowMs() },
    );
    if (trouble !== undefined) throw new Declined(trouble);
    // What is under way counts: it may be here in time.
    const total = context.store.balances()
      .reduce((sum, { free, reserved, incoming }) => sum + free + reserved + incoming, 0n);
    if (total >= costMax) return;
    throw new Declined(`it wants ${costMax} sat at a time, and the wallet has ${total} sat`);
  }

  /** The mints that a seller takes and that could be used. @throws {Declined} If there is none. */
  #accepted(urls: readonly string[]): MintUrl[] {
    const { allowPrivate = false } = this.#desk.options;
    const accepted = urls.flatMap((url) => mintUrlOf(url, { allowPrivate }) ?? []);
    const { store } = this.#desk.engine.context;
    const usable = accepted.filter((url) => {
      const record = store.mint(url);
      return record !== undefined && record.blockedReason === undefined;
    });
    if (usable.length > 0) return usable;
    throw new Declined("it takes ecash of none of the mints that this wallet lists");
  }
}
