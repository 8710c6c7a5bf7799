/**
 * Buying from an HTTP server that answers 402 (NUT-24, Blossom BUD-07). What may be spent is the payer's
 * policy; here is that a fetch pays few times, within its own bound, and shows one token as long as
 * the server takes it.
 */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Random } from "../../src/core/ports.ts";
import type { AskedPayment, PaymentRequests } from "../gateway/payment_requests.ts";
import type { Payer } from "../ports.ts";
import {
  PAYMENT_COUNT_MAX,
  PAYMENT_REQUEST_CHARS_MAX,
  REASON_CHARS_MAX,
  TOKEN_CHARS_MAX,
} from "./limits.ts";

/** With what, and how much, an origin may be paid. */
export interface OriginPayOptions {
  readonly payer: Pick<Payer, "preparePayment">;
  readonly requests: Pick<PaymentRequests, "decodePaymentRequest">;
  /** What the payments are booked for. */
  readonly subject: Hash;
  readonly random: Random;
  /** The most sat of all payments together; the payer's own budgets hold besides. */
  readonly satMax?: number;
  /** The most payments. @default {PAYMENT_COUNT_MAX} */
  readonly countMax?: number;
}

/** One refusal to serve without money. */
export interface Demand {
  /** The answer with status 402. */
  readonly response: Response;
  /** Where the request went, after redirects. */
  readonly url: URL;
  /** Whether that is the origin itself and not somewhere it sent us on to. */
  readonly isOwnHost: boolean;
  /** The token that the request carried. */
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}

/** The payments of one fetch to one origin. */
export class OriginPayments {
  readonly #id: string;
  readonly #options: OriginPayOptions | undefined;
  #token: string | undefined;
  #paidSat = 0;
  #count = 0;
  #buying: Promise<void> | undefined;

  /** @param id The origin as it may be shown. */
  constructor(id: string, options: OriginPayOptions | undefined) {
    this.#id = id;
    this.#options = options;
  }

  /** What to show the origin's own host: the same token again, until it is used up. */
  get token(): string | undefined {
    return this.#token;
  }

  /** Sat in tokens that were made for this origin. */
  get paidSat(): number {
    return this.#paidSat;
  }

  /**
   * Buys what the answer asks, so that {@link token} is another one afterwards. Requests that were
   * refused together pay once.
   *
   * @throws {SeedmintError} `payment-required`, in words, if it cannot or may not be paid.
   */
  async pay(demand: Demand): Promise<void> {
    while (this.#buying !== undefined) await this.#buying.catch(() => {});
    // Somebody bought while this request was on its way.
    if (this.#token !== demand.token) return;
    this.#buying = this.#pay(demand);
    try {
      await this.#buying;
    } finally {
      this.#buying = undefined;
    }
  }

  /** A refusal of the token that was shown. It stays in the wallet's books, to be taken back. */
  refused(response: Response): SeedmintError {
    return this.#error(`it refused the payment${reasonIn(response)}`);
  }

  async #pay({ response, url, isOwnHost, signal }: Demand): Promise<void> {
    const asked = this.#read(response);
    const sum = asked === undefined ? "money" : `${asked.amountSat} sat`;
    const options = this.#options;
    if (options?.payer.preparePayment === undefined) {
      throw this.#error(`it asks ${sum} in ecash, and nothing is set up to pay it`);
    }
    if (asked === undefined) {
      throw this.#error("it asks for money in a way that this wallet cannot pay");
    }
    if (!isOwnHost) throw this.#error(`it sends us on to a server that asks ${sum}`);
    const countMax = options.countMax ?? PAYMENT_COUNT_MAX;
    if (this.#count >= countMax) {
      throw this.#error(`it asks for another ${sum} after ${countMax} payments`);
    }
    if (this.#paidSat + asked.amountSat > (options.satMax ?? Infinity)) {
      throw this.#error(`it asks ${sum}, more than the budget of this fetch; raise it`);
    }
    // Without a lock whoever reads the token on its way can spend it.
    if (asked.p2pk === undefined && url.protocol !== "https:" && !isLoopback(url)) {
      throw this.#error(`it asks ${sum} without a lock over a connection that others can read`);
    }
    this.#count++;
    const prepared = await options.payer.preparePayment({
      paymentId: `http-${options.random.bytes(16).toHex()}`,
      mints: asked.mints,
      priceSat: asked.amountSat,
      ...(asked.p2pk === undefined ? {} : { p2pk: asked.p2pk }),
      ...(asked.locktimeS === undefined ? {} : { locktimeS: asked.locktimeS }),
      subject: options.subject,
      payee: url.origin,
      signal,
    });
    if (prepared.status === "declined") {
      throw this.#error(`it asks ${sum}, and the wallet declined: ${prepared.reason}`);
    }
    this.#paidSat += asked.amountSat;
    if (!/^cashu[A-Za-z0-9_=-]+$/.test(prepared.token) || prepared.token.length > TOKEN_CHARS_MAX) {
      throw this.#error("the wallet's token does not fit a header");
    }
    this.#token = prepared.token;
  }

  /** The first request of the answer that can be paid: it may carry both encodings. */
  #read(response: Response): AskedPayment | undefined {
    const text = response.headers.get("x-cashu") ?? "";
    if (this.#options === undefined || text.length > PAYMENT_REQUEST_CHARS_MAX) return undefined;
    for (const part of text.split(",").slice(0, 4)) {
      const asked = this.#options.requests.decodePaymentRequest(part.trim());
      if (asked === undefined) continue;
      const isPayable = Number.isSafeInteger(asked.amountSat) && asked.amountSat > 0 &&
        asked.mints.length > 0;
      if (isPayable) return asked;
    }
    return undefined;
  }

  #error(why: string): SeedmintError {
    return new SeedmintError("payment-required", `Cannot fetch from origin ${this.#id}: ${why}`);
  }
}

/** What the server says for people, as far as it may be shown. */
function reasonIn(response: Response): string {
  const text = (response.headers.get("x-reason") ?? "").replace(/[^\x20-\x7e]/g, "?").trim();
  // Servers that echo what they were sent would put the token there.
  if (text === "" || /cashu[AB]|creq/i.test(text)) return ` (${response.status})`;
  return `: ${text.length > REASON_CHARS_MAX ? `${text.slice(0, REASON_CHARS_MAX)}...` : text}`;
}

function isLoopback(url: URL): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
}
