/**
 * Buying from HTTP servers that answer 402 (NUT-24, Blossom BUD-07). What may be spent is the payer's
 * policy; here is that a fetch pays few times, within its own bound, and shows one token as long as
 * the server takes it: also for other URLs of the same server, where what is left of a token may
 * pay for the next layer of an image. A server that refuses that is shown a token for its URL alone.
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

/** With what, and how much, origins may be paid. */
export interface OriginPayOptions {
  readonly payer: Pick<Payer, "preparePayment">;
  readonly requests: Pick<PaymentRequests, "decodePaymentRequest">;
  /** What the payments are booked for. */
  readonly subject: Hash;
  readonly random: Random;
  /** The most sat of all payments together; the payer's own budgets hold besides. */
  readonly satMax?: number;
  /** The most payments for one URL. @default {PAYMENT_COUNT_MAX} */
  readonly countMax?: number;
}

/** One request, and the origin that it is for. */
export interface Shown {
  /** The origin as it may be shown. */
  readonly id: string;
  readonly url: URL;
}

/** One refusal to serve without money. */
export interface Demand extends Shown {
  /** The answer with status 402. */
  readonly response: Response;
  /** Whether it is the origin itself and not somewhere it sent us on to. */
  readonly isOwnHost: boolean;
  /** The token that the request carried. */
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}

/** The payments of one fetch, to one origin or, when origins share it, to several. */
export class OriginPayments {
  readonly #options: OriginPayOptions | undefined;
  /** What each URL was bought with, to be shown again. */
  readonly #tokens = new Map<string, string>();
  /** The newest token of each server: what is left of it may pay for another URL. */
  readonly #newest = new Map<string, string>();
  /** Servers that refused a token which was bought for another URL of theirs. */
  readonly #strict = new Set<string>();
  /** Payments under way, by server. */
  readonly #buying = new Map<string, Promise<void>>();
  /** Payments by URL. */
  readonly #counts = new Map<string, number>();
  #paidSat = 0;

  constructor(options: OriginPayOptions | undefined) {
    this.#options = options;
  }

  /** What to show `url`, which must be the origin's own. */
  tokenFor(url: URL): string | undefined {
    const shared = this.#strict.has(url.origin) ? undefined : this.#newest.get(url.origin);
    return this.#tokens.get(url.href) ?? shared;
  }

  /** Sat in tokens that were made. */
  get paidSat(): number {
    return this.#paidSat;
  }

  /**
   * Buys what the answer asks, so that {@link tokenFor} is another one afterwards. Requests that were
   * refused together pay one after the other, and only what is still asked then.
   *
   * @throws {SeedmintError} `payment-required`, in words, if it cannot or may not be paid.
   */
  async pay(demand: Demand): Promise<void> {
    const { url, token } = demand;
    for (let other; (other = this.#buying.get(url.origin)) !== undefined;) {
      await other.catch(() => {});
    }
    // Somebody bought while this request was on its way.
    if (demand.isOwnHost && this.tokenFor(url) !== token) return;
    const buying = this.#pay(demand);
    this.#buying.set(url.origin, buying);
    try {
      await buying;
    } finally {
      this.#buying.delete(url.origin);
    }
  }

  /** Hears that `token` was taken for `url`: it is shown again when the connection breaks. */
  taken(url: URL, token: string): void {
    this.#tokens.set(url.href, token);
  }

  /**
   * Hears that the token shown was refused (400). It stays in the wallet's books, to be taken back.
   * Returns if the same may be asked again, since it was bought for another URL.
   *
   * @throws {SeedmintError} `payment-required` if it was bought for this one.
   */
  refused(response: Response, { id, url, token }: Shown & { readonly token: string }): void {
    if (this.#tokens.get(url.href) === token) {
      throw errorOf(id, `it refused the payment${reasonIn(response)}`);
    }
    this.#strict.add(url.origin);
  }

  async #pay(demand: Demand): Promise<void> {
    const { id, response, url, isOwnHost, signal } = demand;
    const asked = this.#read(response);
    const sum = asked === undefined ? "money" : `${asked.amountSat} sat`;
    const options = this.#options;
    if (options?.payer.preparePayment === undefined) {
      throw errorOf(id, `it asks ${sum} in ecash, and nothing is set up to pay it`);
    }
    if (asked === undefined) {
      throw errorOf(id, "it asks for money in a way that this wallet cannot pay");
    }
    if (!isOwnHost) throw errorOf(id, `it sends us on to a server that asks ${sum}`);
    const countMax = options.countMax ?? PAYMENT_COUNT_MAX;
    const count = this.#counts.get(url.href) ?? 0;
    if (count >= countMax) {
      throw errorOf(id, `it asks for another ${sum} after ${countMax} payments`);
    }
    if (this.#paidSat + asked.amountSat > (options.satMax ?? Infinity)) {
      throw errorOf(id, `it asks ${sum}, more than the budget of this fetch; raise it`);
    }
    // Without a lock whoever reads the token on its way can spend it.
    if (asked.p2pk === undefined && url.protocol !== "https:" && !isLoopback(url)) {
      throw errorOf(id, `it asks ${sum} without a lock over a connection that others can read`);
    }
    this.#counts.set(url.href, count + 1);
    // Set aside before the wallet is asked: other servers ask at the same time.
    this.#paidSat += asked.amountSat;
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
      this.#paidSat -= asked.amountSat;
      throw errorOf(id, `it asks ${sum}, and the wallet declined: ${prepared.reason}`);
    }
    if (!/^cashu[A-Za-z0-9_=-]+$/.test(prepared.token) || prepared.token.length > TOKEN_CHARS_MAX) {
      throw errorOf(id, "the wallet's token does not fit a header");
    }
    this.#tokens.set(url.href, prepared.token);
    this.#newest.set(url.origin, prepared.token);
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
}

function errorOf(id: string, why: string): SeedmintError {
  return new SeedmintError("payment-required", `Cannot fetch from origin ${id}: ${why}`);
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
