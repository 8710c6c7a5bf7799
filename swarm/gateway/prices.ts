/** What content costs, what is asked for it, and what is wrong with a payment. Pure. */
import type { PaymentTerms } from "../ports.ts";
import { REQUEST_MINT_BYTES_MAX, REQUEST_MINT_OVERHEAD_BYTES } from "./limits.ts";
import type { PaymentRequests } from "./payment_requests.ts";
import { busy, Refusal } from "../http/refusal.ts";

/** What a purchase costs. */
export interface Price {
  readonly terms: PaymentTerms;
  readonly costMsat: number;
}

/** What `bytes` of content cost, rounded up to one msat. */
export function costMsatOf(bytes: number, priceMsatPerMiB: number): number {
  const units = BigInt(bytes) * BigInt(priceMsatPerMiB);
  return Number((units + (1n << 20n) - 1n) >> 20n);
}

/**
 * What is asked so that `shortMsat` more are there afterwards: a mint takes a fee when the ecash is
 * redeemed, which the seller's books take off. Never less than the minimum.
 */
export function amountSatOf(shortMsat: number, minTopUpSat: number): number {
  const sat = Math.ceil(Math.max(0, shortMsat) / 1000);
  return Math.max(minTopUpSat, sat + Math.ceil(sat / 50) + 1);
}

/** The first of `mints`, as many as a payment request has room for; the first one always has. */
export function mintsWithRoom(mints: readonly string[]): readonly string[] {
  let left = REQUEST_MINT_BYTES_MAX;
  return mints.filter((mint) => {
    left -= mint.length + REQUEST_MINT_OVERHEAD_BYTES;
    return left >= 0;
  });
}

/** Says no to a token that claims something else than is asked, before it costs anything. */
export function refuseClaim(
  payments: PaymentRequests,
  token: string,
  asked: {
    readonly terms: PaymentTerms;
    readonly amountSat: number;
    readonly demanded: Refusal;
  },
): void {
  const claimed = payments.readToken(token);
  const refuse = (why: string) => refusedWith(asked.demanded, `${why}; nothing was taken`);
  if (claimed === undefined) throw refuse("The token in X-Cashu cannot be read");
  if (claimed.unit !== "sat") throw refuse("The token is of another unit than sat");
  if (!asked.terms.mints.some((mint) => withoutSlash(mint) === withoutSlash(claimed.mint))) {
    throw refuse("The token is of a mint that is not taken here; see the mints of the request");
  }
  if (claimed.amount < asked.amountSat) {
    throw refuse(`The token has ${claimed.amount} sat, and ${asked.amountSat} are asked`);
  }
}

/** What a gate's refusal of a payment is to a client. */
export function refusedPayment(code: string, demanded: Refusal): Refusal {
  if (TEMPORARY.has(code)) {
    return busy(503, "The payment cannot be taken now and was not kept; send it again later", 10);
  }
  return refusedWith(demanded, REASONS.get(code) ?? "The payment was refused and not kept");
}

/** What a gate calls something, as far as a header can say it. */
export function codeOf(text: string): string {
  return /^[a-z][a-z0-9-]{0,31}$/.test(text) ? text : "refused";
}

/** Codes of a refusal that may be none the next time. */
const TEMPORARY: ReadonlySet<string> = new Set(["busy", "unavailable", "internal", "exposure"]);

const REASONS: ReadonlyMap<string, string> = new Map([
  ["malformed", "The token is malformed; make another one"],
  ["mint", "The token is of a mint that is not taken here; see the mints of the request"],
  ["unit", "The token is of another unit than sat"],
  ["locked", "The token is not locked to the key of the request, or not for long enough"],
  ["worthless", "The token is worth less than what is asked, or than its mint's fee"],
  ["price", "The token is worth less than what is asked"],
  ["spent", "The token was spent before; pay with another one"],
  ["conflict", "The token was used for another payment; pay with another one"],
  ["own", "The token is our own; pay with another one"],
]);

/** 400 with a reason, and with what is asked instead. */
function refusedWith(demanded: Refusal, reason: string): Refusal {
  return new Refusal(400, reason, {
    headers: demanded.headers,
    json: { error: reason, ...(demanded.json as object) },
  });
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
