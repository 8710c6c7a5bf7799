/** Renting: whom to ask, in which order, and what is tried next when one refuses. */
import { SeedmintError } from "../../src/core/errors.ts";
import { errorTypeOf, hasMint, leavesTokenAlone } from "../wire/mod.ts";
import type { BookedLease } from "./book/lease.ts";
import type { LesseeContext } from "./context.ts";
import { failureOf } from "./failure.ts";
import { CHOICE_LIMITS, LESSEE_LIMITS } from "./limits.ts";
import { type Candidate, cheapest } from "./market/choose.ts";
import { misfits, narrowed } from "./market/filter.ts";
import type { Listing } from "./market/listing.ts";
import { checkWishId, newId, planLease, tokenOf } from "./plan.ts";
import { type PaidWish, type Quote, quoteFromOffer, quoteOf } from "./quote.ts";
import type { Watchers } from "./watchers.ts";
import type { LeaseWish, SpawnWish, WishOptions } from "./wishes.ts";

/** Whom leases of our kind are logged in to as. */
const ROOT = "root";
/** Names that are one word everywhere. */
const USERNAME = /^[a-z_][a-z0-9_-]{0,31}$/;

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
    const quotes = await Promise.all(
      found.map(({ listing, spec }) => quoteOf(listing, spec, wish, { context, signal })),
    );
    // Of those that nobody named none is there that robbed us.
    return wish.provider === undefined ? quotes : quotes.map((quote) => this.#warned(quote));
  }

  /** @throws {SeedmintError} */
  async spawn(wish: SpawnWish, options: WishOptions): Promise<BookedLease> {
    checkWishId(wish.id);
    checkUser(wish.sshUser);
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
    const good = quotes.filter((quote) => unfitness(quote, wish) === undefined);
    if (good.length > 0) return good;
    const first = quotes[0]!;
    const why = unfitness(first, wish);
    throw new SeedmintError(
      "unavailable",
      quotes.length === 1
        ? `Cannot rent ${first.spec.name} from ${first.listing.name}: ${why}. Nothing was paid`
        : `Cannot rent from any of ${quotes.length} providers that fit; ${first.listing.name}: ${why}. Nothing was paid`,
    );
  }

  /** @throws {SeedmintError} */
  async #candidates(wish: LeaseWish, signal: AbortSignal): Promise<readonly Candidate[]> {
    const { market } = this.#context;
    await market.ensureFresh({ signal });
    if (wish.provider !== undefined) return [named(market.find(wish.provider), wish)];
    const policy = {
      ...wish.policy,
      ...(wish.specId === undefined ? {} : { specId: wish.specId }),
    };
    const fit = market.choose(policy).filter(({ listing, spec }) => isPayable(listing, spec, wish));
    const robbers = this.#robbers();
    const found = fit.filter(({ listing }) => !robbers.has(listing.provider));
    if (found.length > 0) return found;
    throw new SeedmintError(
      "not-found",
      fit.length > 0
        ? `Cannot find a provider that fits, is online and took no money for nothing lately: ` +
          `${
            fit.map(({ listing }) => listing.name).join(", ")
          } did; name one to rent from it all the same`
        : "Cannot find a provider that fits and is online; look at `market list`, or ask for less",
    );
  }

  /** Providers that took money for nothing lately. */
  #robbers(): ReadonlySet<string> {
    const { book, clock } = this.#context;
    return new Set(book.robbers(clock.nowMs() - CHOICE_LIMITS.robbedMs));
  }

  /** Says of a provider that was named why nobody else would choose it. */
  #warned(quote: Quote): Quote {
    if (!this.#robbers().has(quote.listing.provider)) return quote;
    const warning = "It took money of ours for nothing lately";
    return { ...quote, note: quote.note === undefined ? warning : `${quote.note}; ${warning}` };
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

/** Why a quote cannot be paid for this wish; undefined if it can. */
function unfitness(quote: Quote, wish: SpawnWish): string | undefined {
  const { sshUser = ROOT, token, tokenMint } = wish;
  if (!quote.isAvailable) return quote.note ?? "it cannot begin now";
  if (token !== undefined && tokenMint !== undefined && !hasMint(quote.mints, tokenMint)) {
    return "it does not take the mint of this token";
  }
  // Its SSH is its own, and knows nobody else.
  return quote.listing.address.isOurs && sshUser !== ROOT
    ? `its leases are logged in to as ${ROOT}, not as ${sshUser}; name no other user`
    : undefined;
}

/** @throws {SeedmintError} `usage` */
function checkUser(name: string | undefined): void {
  if (name === undefined || USERNAME.test(name)) return;
  throw new SeedmintError(
    "usage",
    "Cannot log in as this user: a name of 1 to 32 small letters, digits, _ and - wanted",
  );
}

/**
 * The tier of a provider that was named: whether it is there and has room is for it to say.
 *
 * @throws {SeedmintError} `usage`, `not-found`
 */
function named(listing: Listing, { specId, policy = {} }: LeaseWish): Candidate {
  const { name } = listing;
  const specs = listing.specs.filter(({ id }) => specId === undefined || id === specId);
  if (specs.length === 0) {
    const ids = listing.specs.map(({ id }) => id).join(", ");
    throw new SeedmintError(
      "not-found",
      specId === undefined
        ? `Cannot rent from ${name}: it offers no tier`
        : `Cannot find tier ${specId} with ${name}; it has ${ids || "none"}`,
    );
  }
  const { isOnline: _, hasRoom: __, prefer: ___, allowsOld: ____, only: _____, ...filter } = policy;
  const meant = { ...listing, specs };
  const fit = narrowed(meant, filter);
  if (fit !== undefined) return { listing, spec: cheapest(fit.specs) };
  throw new SeedmintError(
    "usage",
    `Cannot rent ${specId === undefined ? "" : `${specId} `}from ${name}: it does not have ${
      misfits(meant, filter).join("; ")
    }; ask for less, or see what it has with \`market show\``,
  );
}
