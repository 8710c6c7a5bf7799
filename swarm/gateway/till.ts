/**
 * Money at the gateway: what something costs, taking a token for it, and charging what is sent. The
 * gate decides and keeps the books; here is only what HTTP makes of it (NUT-24, BUD-07).
 */
import type { Clock } from "../../src/core/ports.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import type { Gate, GateDecision, Meter, PaymentAnswer, PaymentTerms, Viewer } from "../ports.ts";
import type { BlobRecord } from "../store/blob_store.ts";
import { Charging } from "./charging.ts";
import type { Exchange } from "./exchange.ts";
import {
  BURST_SECONDS,
  type GatewayLimits,
  LOCKTIME_MARGIN_MIN,
  PAYMENT_MS,
  TOKEN_CHARS_MAX,
} from "./limits.ts";
import type { PaymentRequests } from "./payment_requests.ts";
import {
  amountSatOf,
  codeOf,
  costMsatOf,
  mintsWithRoom,
  type Price,
  refuseClaim,
  refusedPayment,
} from "./prices.ts";
import { bytesOf, type Purchases } from "./purchases.ts";
import { paymentIdOf, type Purse, type Purses } from "./purses.ts";
import { busy, Refusal } from "../http/refusal.ts";

/** What nobody is: the viewer who asks without a purse. */
const GUEST: Viewer = { peerId: "http:guest", fleet: false };

/** Programs of this machine at its own cache: they are the operator's. */
const LOCAL: Viewer = { peerId: "http:local", fleet: true };

/** What a token is made of, as text. */
const TOKEN = /^cashu[AB][A-Za-z0-9_-]+={0,2}$/;

/** Options of {@link Till}. */
export interface TillOptions {
  readonly gate: Gate | undefined;
  readonly payments: PaymentRequests | undefined;
  readonly purses: Purses;
  readonly purchases: Purchases;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
}

/** See the head of this file. */
export class Till {
  readonly purchases: Purchases;
  readonly #options: TillOptions;

  constructor(options: TillOptions) {
    this.#options = options;
    this.purchases = options.purchases;
  }

  /**
   * The terms on which `groups` of `record` are sold, or undefined if they are free.
   *
   * @throws {Refusal} If the gate says no, or fails: it may be about to ask a price.
   */
  async termsOf(
    exchange: Exchange,
    record: Pick<BlobRecord, "hash">,
    groups: RangeSet,
  ): Promise<PaymentTerms | undefined> {
    const { gate } = this.#options;
    if (gate === undefined || gate.isFree?.(record.hash) === true) return undefined;
    const isOwner = exchange.isLocal && !exchange.isFromPage;
    const viewer = isOwner ? LOCAL : this.purseOf(exchange)?.viewer ?? GUEST;
    let decided: GateDecision;
    try {
      decided = await gate.decide({ viewer, root: record.hash, groups });
    } catch {
      throw busy(503, "It cannot be sold at the moment; try again later", 30);
    }
    if (decided.decision === "free") return undefined;
    if (decided.decision === "deny") {
      throw new Refusal(
        403,
        `It is not served to you (${codeOf(decided.code)}); ask another server`,
      );
    }
    return decided;
  }

  /** The purse of the request: of its bearer token, or of the ecash in it. */
  purseOf(exchange: Exchange): Purse | undefined {
    return this.bearerOf(exchange) ?? this.#tokenOf(exchange)?.purse;
  }

  /** @throws {Refusal} 401 if a bearer token is there and opens nothing. */
  bearerOf(exchange: Exchange): Purse | undefined {
    const text = exchange.header("authorization");
    const bearer = /^bearer +(\S+)$/i.exec(text ?? "")?.[1];
    if (bearer === undefined || exchange.isFromPage) return undefined;
    const purse = this.#options.purses.ofBearer(exchange.client.address, bearer);
    if (purse !== undefined) return purse;
    throw new Refusal(401, "This session is not of your address; open one with POST /session", {
      headers: [["WWW-Authenticate", "Bearer"]],
    });
  }

  /** What the purse has, in msat. @throws {Refusal} 503 */
  creditOf(purse: Purse | undefined): number {
    if (purse === undefined) return 0;
    try {
      return this.#options.gate?.creditOf?.(purse.viewer) ?? 0;
    } catch {
      throw busy(503, "It cannot be sold at the moment; try again later", 30);
    }
  }

  /**
   * Whether the purse has what `price` asks. One msat may be lost to rounding down, but who has nothing
   * is told so: it would wait in vain.
   */
  covers(purse: Purse | undefined, price: Price): boolean {
    const creditMsat = this.creditOf(purse);
    return price.costMsat === 0 || (creditMsat > 0 && creditMsat + 1 >= price.costMsat);
  }

  /** What `groups` of `record` would cost the purse now: what it bought lately is there again. */
  priceOf(
    record: BlobRecord,
    options: {
      readonly terms: PaymentTerms;
      readonly groups: RangeSet;
      readonly purse: Purse | undefined;
    },
  ): Price {
    const { terms, groups, purse } = options;
    const purchase = purse && this.purchases.find(purse.viewer.peerId, record.hash);
    const bytes = purchase?.owedBytes(groups) ?? bytesOf(groups, record.size);
    return { terms, costMsat: costMsatOf(bytes, terms.priceMsatPerMiB) };
  }

  /**
   * Makes sure that the request is paid for: by the credit of its purse, else by the ecash in it.
   *
   * @returns The purse that pays.
   * @throws {Refusal} 402 with what to pay, 400 if the ecash does not count, 503 to come again.
   */
  async collect(exchange: Exchange, price: Price): Promise<Purse> {
    const purse = this.bearerOf(exchange);
    const token = this.#tokenOf(exchange);
    if (token === undefined) {
      if (purse !== undefined && this.covers(purse, price)) return purse;
      throw this.demand(exchange, price, purse);
    }
    // What was credited before is not asked for again; it may have bought this, or have some left.
    if (!token.isCredited) {
      await this.#take(exchange, price, { ...token, purse: purse ?? token.purse });
    }
    const paying = purse ?? token.purse;
    if (this.covers(paying, price)) return paying;
    throw this.demand(exchange, price, paying);
  }

  /** 402 with what is asked, less what the purse has. */
  demand(exchange: Exchange, price: Price, purse: Purse | undefined): Refusal {
    const { payments, clock } = this.#options;
    const { terms } = price;
    const creditMsat = this.creditOf(purse);
    const amountSat = amountSatOf(price.costMsat - creditMsat, terms.minTopUpSat);
    if (payments === undefined) {
      return new Refusal(403, "It has a price, and payments over HTTP are not set up here");
    }
    const lockMin = terms.locktimeMin + LOCKTIME_MARGIN_MIN;
    const locktimeS = Math.floor(clock.nowMs() / 1000) + lockMin * 60;
    const { creqA, creqB } = payments.encodePaymentRequest(
      { ...terms, mints: mintsWithRoom(terms.mints) },
      amountSat,
      locktimeS,
    );
    const wantsBech32 = exchange.header("x-cashu-encoding")?.toLowerCase() === "creqb";
    const what = `It costs ${amountSat} sat`;
    return new Refusal(402, `${what}; send it as X-Cashu: cashuB... with the same request`, {
      headers: [["X-Cashu", wantsBech32 ? creqB : creqA]],
      json: {
        amountSat,
        priceMsatPerMiB: terms.priceMsatPerMiB,
        minTopUpSat: terms.minTopUpSat,
        mints: terms.mints,
        p2pk: terms.p2pk,
        creditMsat,
        creqA,
        creqB,
      },
    });
  }

  /** Opens the credit of `purse` for one answer. @throws {Refusal} 503 */
  open(
    record: BlobRecord,
    options: { readonly purse: Purse; readonly terms: PaymentTerms },
  ): Charging {
    const { gate, clock } = this.#options;
    const { purse, terms } = options;
    const purchase = this.purchases.open(purse.viewer.peerId, record);
    let meter: Meter | undefined;
    try {
      meter = gate?.openMeter?.({
        viewer: purse.viewer,
        root: record.hash,
        priceMsatPerMiB: terms.priceMsatPerMiB,
      });
    } catch {
      meter = undefined;
    }
    if (meter === undefined) {
      throw busy(503, "It cannot be sold at the moment; try again later", 30);
    }
    return new Charging({ meter, purchase, purchases: this.purchases, size: record.size, clock });
  }

  /** The ecash of a request that may pay. @throws {Refusal} 400 or 403 */
  #tokenOf(
    exchange: Exchange,
  ): { readonly text: string; readonly purse: Purse; readonly isCredited: boolean } | undefined {
    const text = exchange.header("x-cashu");
    if (text === undefined) return undefined;
    if (exchange.isFromPage) {
      throw new Refusal(403, "A web page cannot pay here; pay with a program. Nothing was taken");
    }
    if (exchange.head.method === "HEAD") {
      throw new Refusal(400, "Send the ecash with GET; nothing was taken");
    }
    if (!TOKEN.test(text) || text.length > TOKEN_CHARS_MAX) {
      throw new Refusal(400, "X-Cashu is no token; send one that begins with cashuB");
    }
    return { text, ...this.#options.purses.ofToken(exchange.client.address, text) };
  }

  async #take(
    exchange: Exchange,
    price: Price,
    offer: { readonly text: string; readonly purse: Purse },
  ): Promise<void> {
    const { gate, payments, purses } = this.#options;
    const demanded = this.demand(exchange, price, offer.purse);
    if (payments === undefined || gate?.pay === undefined) throw demanded;
    if (!exchange.client.payments.tryTake(1)) {
      throw busy(429, "Too many payments from your address; try again later", BURST_SECONDS);
    }
    const amountSat = amountSatOf(
      price.costMsat - this.creditOf(offer.purse),
      price.terms.minTopUpSat,
    );
    refuseClaim(payments, offer.text, { terms: price.terms, amountSat, demanded });
    const answer = await this.#pay(offer, exchange.signal);
    if (answer.answer === "credited") {
      return purses.put(exchange.client.address, offer.text, { purse: offer.purse });
    }
    if (answer.answer === "pending") {
      throw busy(503, "The payment is being looked at; send the same request again", 5);
    }
    throw refusedPayment(answer.code, demanded);
  }

  /** Pays, and asks again while the payment is looked at. */
  async #pay(
    offer: { readonly text: string; readonly purse: Purse },
    signal: AbortSignal,
  ): Promise<PaymentAnswer> {
    const { gate, clock } = this.#options;
    const { viewer } = offer.purse;
    const id = paymentIdOf(offer.text);
    const untilMs = clock.monotonicMs() + PAYMENT_MS;
    try {
      let answer = await gate!.pay!({ viewer, payment: { id, token: offer.text } }, { signal });
      while (answer.answer === "pending" && clock.monotonicMs() < untilMs) {
        await clock.sleep(Math.min(Math.max(answer.retryMs, 50), 2000), { signal });
        answer = await gate!.pay!({ viewer, payment: { id } }, { signal });
      }
      return answer;
    } catch {
      return { answer: "refused", code: "internal" };
    }
  }
}
