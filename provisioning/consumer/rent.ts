/** Renting: whom to ask, in which order, and what is tried next when one refuses. */
import { SeedmintError } from "../../src/core/errors.ts";
import { errorTypeOf, hasMint, leavesTokenAlone } from "../wire/mod.ts";
import type { BookedLease } from "./book/lease.ts";
import type { LesseeContext } from "./context.ts";
import { failureOf } from "./failure.ts";
import { CHOICE_LIMITS, LESSEE_LIMITS } from "./limits.ts";
import type { Candidate } from "./market/choose.ts";
import type { Listing } from "./market/listing.ts";
import { checkWishId, newId, planLease, tokenOf } from "./plan.ts";
import { type PaidWish, type Quote, quoteFromOffer, quoteOf } from "./quote.ts";
import type { Watchers } from "./watchers.ts";
import type { LeaseWish, SpawnWish, WishOptions } from "./wishes.ts";

/** Rents leases. */
export class RentDesk {
  readonly #context: LesseeContext;
  readonly #watchers: Watchers;
  readonly #progress: Map<string, (state: string) => void>;

  constructor(
    context: LesseeContext,
    watchers: Watchers,
    progress: Map<string, (state: string) => void>,
  ) {
    this.#context = context;
    this.#watchers = watchers;
    this.#progress = progress;
  }

  /** The best quote for a wish. @throws {SeedmintError} */
  async quote(wish: LeaseWish, signal: AbortSignal): Promise<Quote> {
    const all = await this.quotes(wish, { signal, countMax: CHOICE_LIMITS.quotesMax });
    return all.find((quote) => quote.isAvailable) ?? all[0]!;
  }

  /** Quotes of all that fit, in the order of the wish's policy. @throws {SeedmintError} */
  async quotes(
    wish: PaidWish,
    options: { readonly signal: AbortSignal; readonly countMax?: number },
  ): Promise<readonly Quote[]> {
    const { signal } = options;
    const found = (await this.#candidates(wish, signal)).slice(0, options.countMax ?? 20);
    const context = this.#context;
    return await Promise.all(
      found.map(({ listing, spec }) => quoteOf(listing, spec, wish, { context, signal })),
    );
  }

  /** @throws {SeedmintError} */
  async spawn(wish: SpawnWish, options: WishOptions): Promise<BookedLease> {
    checkWishId(wish.id);
    tokenOf(wish);
    const { book } = this.#context;
    const base = wish.id ?? newId("s", this.#context);
    const known = this.#known(base);
    if (known !== undefined) return await this.#outcome(known.lease, known.payment, options);
    options.onProgress?.({ step: "choosing" });
    const quotes = await this.#payable(wish, options.signal);
    const ownKey = wish.sshPublicKey === undefined ? await this.#context.sshKey.get() : undefined;
    options.signal.throwIfAborted();
    for (let index = 0;; index++) {
      const id = attemptId(base, index);
      // While quotes were asked for, a twin of this wish may have begun.
      const twin = book.payments.get(id);
      if (twin !== undefined) return await this.#outcome(twin.lease, id, options);
      const lease = planLease(wish, quotes[index]!, this.#context, {
        id,
        ...(ownKey === undefined ? {} : { ownKey }),
      });
      const { amountSat } = quotes[index]!;
      options.onProgress?.({ step: "paying", lease, amountSat });
      this.#context.changed(lease.id);
      this.#context.nudge("payment", id);
      try {
        return await this.#outcome(lease.id, id, options);
      } catch (error) {
        options.signal.throwIfAborted();
        const isNext = index + 1 < Math.min(quotes.length, CHOICE_LIMITS.attemptsMax) &&
          wish.token === undefined && isRefusalOfOne(book.payments.get(id)?.problem?.error);
        if (!isNext) throw error;
      }
    }
  }

  /** The lease that an earlier call of the same id began: its last attempt. */
  #known(base: string): { lease: string; payment: string } | undefined {
    for (let index = CHOICE_LIMITS.attemptsMax - 1; index >= 0; index--) {
      const payment = this.#context.book.payments.get(attemptId(base, index));
      if (payment === undefined) continue;
      if (payment.purpose === "spawn") return { lease: payment.lease, payment: payment.id };
      throw new SeedmintError("conflict", `Cannot rent under id ${base}: it stands for a top-up`);
    }
    return undefined;
  }

  /** Waits until a lease is live, or failed and its money where it is to stay for a while. */
  async #outcome(leaseId: string, paymentId: string, options: WishOptions): Promise<BookedLease> {
    const { book } = this.#context;
    const { signal, onProgress } = options;
    let isAsking = false;
    const look = () => {
      const lease = book.leases.get(leaseId)!;
      if (!isAsking && book.payments.get(paymentId)?.state === "sent") {
        isAsking = true;
        onProgress?.({ step: "asking", lease });
      }
      return lease.stage === "asking" ? undefined : lease;
    };
    if (onProgress !== undefined) {
      this.#progress.set(leaseId, (state) => {
        onProgress({ step: "provider", lease: book.leases.get(leaseId)!, state });
      });
    }
    try {
      const lease = await this.#watchers.until(look, { signal });
      if (lease!.stage !== "failed") return lease!;
    } finally {
      this.#progress.delete(leaseId);
    }
    await this.#watchers.until(() => this.#isMoneySettled(leaseId) ? true : undefined, {
      signal,
      ms: LESSEE_LIMITS.listenMs + LESSEE_LIMITS.recoverFirstMs,
    });
    // It may have come to life in between.
    const lease = book.leases.get(leaseId)!;
    if (lease.stage !== "failed") return lease;
    const what = `rent ${lease.wanted.specName} from ${lease.providerName}`;
    throw failureOf(what, book.payments.get(paymentId), lease, this.#context);
  }

  #isMoneySettled(leaseId: string): boolean {
    const { book, clock } = this.#context;
    return book.payments.of(leaseId).every(({ state, nextMs, lockTo }) =>
      state !== "recovering" || (lockTo !== undefined && (nextMs ?? 0) > clock.nowMs())
    ) && book.refunds.of(leaseId).every(({ state }) => state !== "received");
  }

  /** Those who can be paid now, the best first. @throws {SeedmintError} */
  async #payable(wish: SpawnWish, signal: AbortSignal): Promise<readonly Quote[]> {
    const quotes = await this.quotes(wish, { signal, countMax: CHOICE_LIMITS.quotesMax });
    const good = quotes.filter((quote) => quote.isAvailable && this.#takesToken(quote, wish));
    if (good.length > 0) return good;
    const first = quotes[0]!;
    const why = first.note ?? "it does not take the mint of this token";
    throw new SeedmintError(
      "unavailable",
      quotes.length === 1
        ? `Cannot rent ${first.spec.name} from ${first.listing.name}: ${why}. Nothing was paid`
        : `Cannot rent from any of ${quotes.length} providers that fit; ${first.listing.name}: ${why}. Nothing was paid`,
    );
  }

  #takesToken(quote: Quote, wish: SpawnWish): boolean {
    return wish.token === undefined || wish.tokenMint === undefined ||
      hasMint(quote.mints, wish.tokenMint);
  }

  /** @throws {SeedmintError} */
  async #candidates(wish: LeaseWish, signal: AbortSignal): Promise<readonly Candidate[]> {
    const { market } = this.#context;
    if (wish.provider !== undefined) {
      await market.ensureFresh({ signal });
      const listing = market.find(wish.provider);
      return [{ listing, spec: specOf(listing, wish.specId) }];
    }
    await market.ensureFresh({ signal });
    const policy = {
      ...wish.policy,
      ...(wish.specId === undefined ? {} : { specId: wish.specId }),
    };
    const found = market.choose(policy).filter(({ listing, spec }) =>
      isPayable(listing, spec, wish)
    );
    if (found.length > 0) return found;
    throw new SeedmintError(
      "not-found",
      "Cannot find a provider that fits and is online; look at `market list`, or ask for less",
    );
  }
}

function attemptId(base: string, index: number): string {
  return index === 0 ? base : `${base}.${index + 1}`;
}

/** A wish that one tier's price makes impossible may be possible with another. */
function isPayable(listing: Listing, spec: Candidate["spec"], wish: LeaseWish): boolean {
  try {
    quoteFromOffer(listing, spec, wish);
    return true;
  } catch {
    return false;
  }
}

/** Whether another provider may do what this one refused without touching the money. */
function isRefusalOfOne(error: string | undefined): boolean {
  const type = error === undefined ? "unknown" : errorTypeOf(error);
  return leavesTokenAlone(type) && type !== "invalid_request";
}

/** @throws {SeedmintError} `usage`, `not-found` */
function specOf(listing: Listing, specId: string | undefined): Candidate["spec"] {
  const { specs } = listing;
  const spec = specId === undefined
    ? specs.toSorted((a, b) => a.rateMsatPerS - b.rateMsatPerS)[0]
    : specs.find((one) => one.id === specId);
  if (spec !== undefined) return spec;
  const ids = specs.map((one) => one.id).join(", ");
  throw new SeedmintError(
    "not-found",
    specId === undefined
      ? `Cannot rent from ${listing.name}: it offers no tier`
      : `Cannot find tier ${specId} with ${listing.name}; it has ${ids || "none"}`,
  );
}
