/** What goes into the book before a purse is asked: a lease and its first payment, or a top-up. */
import { SeedmintError } from "../../src/core/errors.ts";
import { randomBelow } from "../../src/core/ports.ts";
import type { BookedLease, PaymentTerms } from "./book/lease.ts";
import type { BookedPayment, PaymentPurpose } from "./book/payment.ts";
import type { LesseeContext } from "./context.ts";
import { BOOK_LIMITS, LESSEE_LIMITS } from "./limits.ts";
import type { SshKey } from "./ports.ts";
import type { Quote } from "./quote.ts";
import type { SpawnWish } from "./wishes.ts";

const ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
const WISH_ID = /^[A-Za-z0-9_.:-]{1,40}$/;

/** @throws {SeedmintError} `usage` */
export function checkWishId(id: string | undefined): void {
  if (id === undefined || WISH_ID.test(id)) return;
  throw new SeedmintError(
    "usage",
    "Cannot use this id: 1 to 40 letters, digits and _ . : - wanted",
  );
}

/**
 * Writes a lease and its payment into the book, in one transaction.
 *
 * @param options `id`: of the payment; `ownKey`: our key, if the wish names none.
 * @throws {SeedmintError} `busy` if too many are open.
 */
export function planLease(
  wish: SpawnWish,
  quote: Quote,
  context: LesseeContext,
  options: { readonly id: string; readonly ownKey?: SshKey },
): BookedLease {
  const { book, clock, purse } = context;
  const { listing, spec } = quote;
  const nowMs = clock.nowMs();
  const id = newLeaseId(context);
  const payment: PaymentTerms = {
    mints: quote.mints,
    refundKey: purse.refundKey,
    ...(quote.lockTo === undefined ? {} : { lockTo: quote.lockTo }),
    ...(quote.locktimeMin === undefined ? {} : { locktimeMin: quote.locktimeMin }),
  };
  const { ownKey } = options;
  const lease: BookedLease = {
    id,
    stage: "asking",
    address: listing.address,
    providerName: listing.name,
    wanted: {
      specId: spec.id,
      specName: spec.name,
      cpuMillicores: spec.cpuMillicores,
      memoryMb: spec.memoryMb,
      rateMsatPerS: quote.rateMsatPerS,
      image: wish.image,
      sshPublicKey: wish.sshPublicKey ?? ownKey?.publicKey ?? "",
      sshPassword: newPassword(context),
      ...(spec.diskMb === undefined ? {} : { diskMb: spec.diskMb }),
      ...(wish.imageDigest === undefined ? {} : { imageDigest: wish.imageDigest }),
      ...(wish.env === undefined ? {} : { env: wish.env }),
      ...(wish.ports === undefined ? {} : { ports: wish.ports }),
      ...(wish.template === undefined ? {} : { template: wish.template }),
      ...(wish.sshUser === undefined ? {} : { sshUser: wish.sshUser }),
      ...(wish.sshPublicKey !== undefined || ownKey === undefined
        ? {}
        : { sshKeyPath: ownKey.path }),
    },
    payment,
    verbs: listing.terms?.verbs ?? [],
    createdMs: nowMs,
    changedMs: nowMs,
    complaints: [],
    isRecovered: false,
    owesReceipt: false,
    ...(wish.keepAlive === undefined ? {} : { keepAlive: wish.keepAlive }),
  };
  book.transaction(() => {
    if (book.leases.open().length >= BOOK_LIMITS.openLeasesMax) {
      throw new SeedmintError(
        "busy",
        `Cannot rent another lease: ${BOOK_LIMITS.openLeasesMax} are open; stop some`,
      );
    }
    refuseConfusion(lease, context);
    book.leases.put(lease);
    planPayment(lease, context, {
      id: options.id,
      purpose: "spawn",
      amountSat: quote.amountSat,
      ...tokenOf(wish),
    });
  });
  return lease;
}

/** Of two answers without ids nobody could tell which payment they are for. */
function refuseConfusion(lease: BookedLease, context: LesseeContext): void {
  if (lease.address.isOurs) return;
  const { book } = context;
  const isOpen = book.payments.open().some((one) =>
    book.leases.get(one.lease)?.address.provider === lease.address.provider
  );
  if (!isOpen) return;
  throw new SeedmintError(
    "busy",
    `Cannot rent from ${lease.providerName} now: another payment to it is open, and it does not tell its answers apart; wait for that one`,
    { retryable: true },
  );
}

/** Writes a payment into the book. @throws {SeedmintError} `conflict` if there is one of this id. */
export function planPayment(
  lease: BookedLease,
  context: Pick<LesseeContext, "book" | "clock">,
  options: {
    readonly id: string;
    readonly purpose: PaymentPurpose;
    readonly amountSat: number;
    readonly token?: string;
    readonly mint?: string;
    readonly terms?: PaymentTerms;
  },
): BookedPayment {
  const { token, mint } = options;
  if (context.book.payments.get(options.id) !== undefined) {
    throw new SeedmintError("conflict", `Cannot pay under id ${options.id}: it stands for another`);
  }
  const terms = options.terms ?? lease.payment;
  const nowMs = context.clock.nowMs();
  const isLocked = token === undefined && terms.lockTo !== undefined;
  const lockMin = Math.min(terms.locktimeMin ?? 0, LESSEE_LIMITS.locktimeMinMax);
  const lockMs = lockMin * 60_000 + LESSEE_LIMITS.lockMarginMs;
  const payment: BookedPayment = {
    id: options.id,
    lease: lease.id,
    purpose: options.purpose,
    state: token === undefined ? "planned" : "ready",
    amountSat: options.amountSat,
    mints: terms.mints,
    isBare: token !== undefined,
    createdMs: nowMs,
    changedMs: nowMs,
    attemptCount: 0,
    ...(isLocked ? { lockTo: terms.lockTo!, locktimeS: Math.ceil((nowMs + lockMs) / 1000) } : {}),
    ...(token === undefined ? {} : { token }),
    ...(mint === undefined ? {} : { mint }),
  };
  context.book.payments.put(payment);
  return payment;
}

/** What a wish hands in. @throws {SeedmintError} `usage` */
export function tokenOf(
  wish: { readonly token?: string; readonly tokenSat?: number; readonly tokenMint?: string },
): { readonly token?: string; readonly mint?: string } {
  if (wish.token === undefined) return {};
  if (wish.tokenSat === undefined || !(wish.tokenSat > 0)) {
    throw new SeedmintError("usage", "Cannot pay with a token whose worth is not known");
  }
  return { token: wish.token, ...(wish.tokenMint === undefined ? {} : { mint: wish.tokenMint }) };
}

/** A password as old providers want one. */
function newPassword({ random }: Pick<LesseeContext, "random">): string {
  return Array.from({ length: 20 }, () => ALPHABET[randomBelow(random, ALPHABET.length)]).join("");
}

/** An id for what the caller gave none. */
export function newId(prefix: string, context: Pick<LesseeContext, "random">): string {
  return `${prefix}-${context.random.bytes(10).toHex()}`;
}

function newLeaseId(context: LesseeContext): string {
  for (;;) {
    const id = context.random.bytes(4).toHex();
    if (context.book.leases.get(id) === undefined) return id;
  }
}
