/** What a lease would cost at one provider: from its offer, and by its own word where it gives one. */
import { SeedmintError } from "../../src/core/errors.ts";
import { durationMsOf, satFor } from "../leases/credit.ts";
import { hasMint, type QuoteAnswer } from "../wire/mod.ts";
import { ask } from "./ask.ts";
import type { LesseeContext } from "./context.ts";
import { LESSEE_LIMITS } from "./limits.ts";
import { isSilence, questionId } from "./look.ts";
import type { ListedSpec, Listing } from "./market/listing.ts";
import type { LeaseWish } from "./wishes.ts";

/** A quote, checked against the offer. */
export interface Quote {
  readonly listing: Listing;
  readonly spec: ListedSpec;
  readonly rateMsatPerS: number;
  readonly durationS: number;
  /** What buys the duration, in whole sats; what the mint takes for redeeming is not in it. */
  readonly amountSat: number;
  readonly minDurationS: number;
  readonly maxDurationS?: number;
  /** Mints that the provider takes. */
  readonly mints: readonly string[];
  /** The key that the token is to be locked to; absent: it is handed over unlocked. */
  readonly lockTo?: string;
  readonly locktimeMin?: number;
  readonly isAvailable: boolean;
  /** Why not, or what to expect. */
  readonly note?: string;
  readonly isImageHere?: boolean;
  /** Whether the provider was asked; otherwise it is read from its offer. */
  readonly isAsked: boolean;
}

/** What a wish may say of money. */
export type PaidWish = LeaseWish & { readonly tokenSat?: number };

const HOUR_MS = 3_600_000;

/** Where nothing is said, Paygress wants a minute at least. */
const MIN_DURATION_S = 60;

/** Where nothing is said, a lock holds a quarter of an hour. */
const LOCKTIME_MIN = 15;

/** What an offer alone says. @throws {SeedmintError} `usage` if the wish cannot be. */
export function quoteFromOffer(listing: Listing, spec: ListedSpec, wish: PaidWish): Quote {
  const { terms } = listing;
  const { rateMsatPerS } = spec;
  const amountSat = amountFor(wish, rateMsatPerS);
  const durationS = Math.floor(durationMsOf(amountSat * 1000, rateMsatPerS) / 1000);
  const isFull = listing.isDraining || spec.slotCount === 0;
  const note = listing.isDraining
    ? "It takes no new leases at the moment"
    : isFull
    ? "It says that there is no room at the moment"
    : undefined;
  return bounded({
    listing,
    spec,
    rateMsatPerS,
    durationS,
    amountSat,
    minDurationS: terms?.minDurationS ?? MIN_DURATION_S,
    mints: listing.mints,
    isAvailable: !isFull,
    isAsked: false,
    ...(terms === undefined ? {} : {
      lockTo: terms.paymentKey,
      locktimeMin: terms.locktimeMin ?? LOCKTIME_MIN,
    }),
    ...(terms?.maxDurationS === undefined ? {} : { maxDurationS: terms.maxDurationS }),
    ...(note === undefined ? {} : { note }),
  });
}

/**
 * The quote of a provider that gives some; of any other, and of one that does not answer, that of its
 * offer.
 *
 * @throws {SeedmintError} `usage` if the wish cannot be.
 */
export async function quoteOf(
  listing: Listing,
  spec: ListedSpec,
  wish: PaidWish,
  options: { readonly context: LesseeContext; readonly signal: AbortSignal },
): Promise<Quote> {
  const offered = quoteFromOffer(listing, spec, wish);
  if (listing.terms?.verbs.includes("quote") !== true) return offered;
  const { context, signal } = options;
  let answer;
  try {
    answer = await ask(context, listing.address, {
      type: "quote",
      requestId: questionId(context),
      specId: spec.id,
      // Nothing is asked of an image that nobody named.
      ...(wish.image === "" ? {} : { image: wish.image }),
      durationS: Math.max(1, offered.durationS),
      portCount: wish.ports?.length ?? 0,
      ...(wish.imageDigest === undefined ? {} : { imageDigest: wish.imageDigest }),
    }, { signal, timeoutMs: LESSEE_LIMITS.quoteMs });
  } catch (error) {
    signal.throwIfAborted();
    if (!isSilence(error)) throw error;
    return { ...offered, isAvailable: false, note: "It does not answer" };
  }
  if (answer.type === "quote") return checked(offered, answer);
  const note = answer.type === "error" ? answer.message : `It answered with ${answer.type}`;
  return { ...offered, isAvailable: false, isAsked: true, note };
}

/** A provider may ask less than its offer says, never more, and nothing else to be paid to. */
function checked(offered: Quote, answer: QuoteAnswer): Quote {
  const { spec } = offered;
  const mints = answer.mints.filter((mint) => hasMint(offered.mints, mint));
  const problem = answer.specId !== spec.id
    ? `It quoted tier ${answer.specId}`
    : answer.rateMsatPerS > spec.rateMsatPerS
    ? `It asks ${answer.rateMsatPerS} msat a second where its offer says ${spec.rateMsatPerS}`
    : answer.paymentKey !== offered.lockTo
    ? "It names another payment key than its offer"
    : mints.length === 0
    ? "It takes no mint that its offer names"
    : answer.locktimeMin > LESSEE_LIMITS.locktimeMinMax
    ? `It wants tokens to be locked for ${answer.locktimeMin} minutes`
    : undefined;
  if (problem !== undefined) {
    return { ...offered, isAvailable: false, isAsked: true, note: `${problem}; it is not paid` };
  }
  const { note, isImageHere, maxDurationS } = answer;
  // The offer's price holds: a lower one makes the time longer.
  return bounded({
    ...offered,
    mints,
    minDurationS: answer.minDurationS,
    locktimeMin: answer.locktimeMin,
    isAvailable: answer.isAvailable,
    isAsked: true,
    ...(maxDurationS === undefined ? {} : { maxDurationS }),
    ...(note === undefined ? {} : { note }),
    ...(isImageHere === undefined ? {} : { isImageHere }),
  });
}

function bounded(quote: Quote): Quote {
  const { durationS, minDurationS, maxDurationS = Infinity } = quote;
  const note = durationS < minDurationS
    ? `It lends for ${minDurationS} s at least; this pays for ${durationS} s`
    : durationS > maxDurationS
    ? `It lends for ${maxDurationS} s at most; this pays for ${durationS} s`
    : undefined;
  return note === undefined ? quote : { ...quote, isAvailable: false, note };
}

/** @throws {SeedmintError} `usage` */
function amountFor(wish: PaidWish, rateMsatPerS: number): number {
  if (wish.tokenSat !== undefined) return wish.tokenSat;
  const { durationMs, budgetSat } = wish;
  if (durationMs === undefined && budgetSat !== undefined) return budgetSat;
  const amountSat = satFor(durationMs ?? HOUR_MS, rateMsatPerS);
  if (budgetSat !== undefined && amountSat > budgetSat) {
    throw new SeedmintError(
      "usage",
      `${Math.round((durationMs ?? HOUR_MS) / 1000)} s at ${rateMsatPerS} msat a second cost ` +
        `${amountSat} sat, more than the budget of ${budgetSat}; ask for less time or allow more`,
    );
  }
  return amountSat;
}
