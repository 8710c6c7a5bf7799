/** Choices and refusals of the wallet that people read. */
import { SeedmintError } from "../src/core/errors.ts";
import { AMOUNT_SAT_MAX } from "./limits.ts";
import { meltResultOf } from "./operations/melt_plan.ts";
import type { Operation } from "./operations/operation.ts";
import type { PaymentRefusal, RefusalCode } from "./payments/outcome.ts";
import type { IncomingPayment, MintRecord, WalletReads } from "./store/wallet_store.ts";
import type { MintUrl } from "./types.ts";

/** An amount that a caller gave. @throws {RangeError} */
export function wholeSat(amountSat: number, what: string): bigint {
  if (Number.isSafeInteger(amountSat) && amountSat >= 1 && BigInt(amountSat) <= AMOUNT_SAT_MAX) {
    return BigInt(amountSat);
  }
  throw new RangeError(`Cannot ${what}: an amount of 1 sat or more, without fractions, is wanted`);
}

/** The same of a limit that may be absent. @throws {RangeError} */
export function limitSat(limit: number | undefined): bigint | undefined {
  if (limit === undefined) return undefined;
  if (Number.isSafeInteger(limit) && limit >= 0) return BigInt(limit);
  throw new RangeError("Cannot use this fee limit: a whole number of sat is wanted");
}

/**
 * The mint to pay from: the one that is asked for, else the home mint, else the one with the most, of
 * those with enough.
 *
 * @throws {SeedmintError} `payment-required`
 */
export function sourceOf(
  reads: Pick<WalletReads, "balances" | "coins" | "mints">,
  request: {
    readonly what: string;
    readonly amount: bigint;
    readonly mint?: MintUrl | undefined;
    readonly home?: MintUrl | undefined;
  },
): MintUrl {
  const { amount, mint, home } = request;
  const listed = new Set(reads.mints().map((record) => record.url));
  const balances = reads.balances().filter((balance) => listed.has(balance.mint))
    .sort((a, b) =>
      Number(b.mint === home) - Number(a.mint === home) ||
      (a.free < b.free ? 1 : a.free > b.free ? -1 : a.mint < b.mint ? -1 : 1)
    );
  const wanted = mint === undefined ? balances : balances.filter((one) => one.mint === mint);
  const enough = wanted.filter((balance) => balance.free >= amount);
  const found = enough.find(({ mint }) => spendable(reads, mint) >= amount);
  if (found !== undefined) return found.mint;
  const [unchecked] = enough;
  if (unchecked !== undefined) {
    throw new SeedmintError(
      "unavailable",
      `Cannot ${request.what} ${amount} sat: what is free at ${unchecked.mint} came out of a backup, and ` +
        `the mint was not asked yet whether it is unspent; "wallet resume" asks it`,
      { retryable: true },
    );
  }
  throw new SeedmintError("payment-required", shortOf(request, balances));
}

/** What is free and needs no question to its mint first, in sat. */
function spendable(reads: Pick<WalletReads, "coins">, mint: MintUrl): bigint {
  return reads.coins(mint).reduce((sum, { amount, count }) => sum + amount * BigInt(count), 0n);
}

function shortOf(
  request: {
    readonly what: string;
    readonly amount: bigint;
    readonly mint?: MintUrl | undefined;
    readonly home?: MintUrl | undefined;
  },
  balances: readonly { readonly mint: MintUrl; readonly free: bigint }[],
): string {
  const { what, amount, mint, home } = request;
  const held = balances.filter((balance) => balance.free > 0n);
  const place = mint ?? held[0]?.mint ?? home;
  if (place === undefined) {
    return `Cannot ${what} ${amount} sat: no mint is listed; list one with "wallet mints add" and fund it`;
  }
  const free = balances.find((balance) => balance.mint === place)?.free ?? 0n;
  const others = held.filter((balance) => balance.mint !== place);
  const help = others.length === 0
    ? "fund it"
    : `fund it or swap from ${
      others.map((balance) => `${balance.mint} (${balance.free} sat)`).join(", ")
    }`;
  return `Cannot ${what} ${amount} sat: ${free} sat are free at ${place}; ${help}`;
}

/**
 * An operation that was to be prepared and was not.
 *
 * @returns What to tell.
 */
export function notPrepared(operation: Operation): SeedmintError {
  const reason = operation.reason ?? `it is ${operation.state}`;
  const isWaiting = operation.status === "open";
  // Reasons of operations that failed are whole sentences already.
  const message = reason.startsWith("Cannot ") ? reason : `Cannot ${verbOf(operation)}: ${reason}`;
  return new SeedmintError(isWaiting ? "unavailable" : "denied", message, { retryable: isWaiting });
}

function verbOf(operation: Operation): string {
  switch (operation.kind) {
    case "melt":
      return "pay the invoice";
    case "swap":
      return `swap from ${operation.mint}`;
    default:
      return operation.kind;
  }
}

const RECEIVE_CODES: Readonly<Record<RefusalCode, "denied" | "unavailable" | "busy" | "usage">> = {
  malformed: "usage",
  mint: "denied",
  unit: "denied",
  locked: "denied",
  worthless: "denied",
  price: "denied",
  spent: "denied",
  own: "denied",
  exposure: "denied",
  busy: "busy",
  unavailable: "unavailable",
};

/** @throws {SeedmintError} `denied` for a mint that is listed and not trusted to hold money. */
export function assertMayHold(record: MintRecord | undefined): void {
  if (record === undefined || record.trust === "trusted") return;
  throw new SeedmintError(
    "denied",
    `Cannot fund ${record.url}: its money is accepted, but it is not trusted to hold any; ` +
      `choose a trusted mint, or trust it with "wallet mints add"`,
  );
}

/** @throws {SeedmintError} `denied` for a token that was received before, or found dead. */
export function assertNew(payment: IncomingPayment | undefined): void {
  if (payment === undefined || payment.state === "queued") return;
  const what = payment.state === "dead" ? "was spent elsewhere" : "was received before";
  throw new SeedmintError(
    "denied",
    `Cannot receive the token: it ${what}, in operation ${payment.operationId}; see "wallet history"`,
  );
}

/** A token that the user pasted and that is not taken. */
export function notReceived(refusal: PaymentRefusal): SeedmintError {
  const help = refusal.code === "mint"
    ? '; list the mint with "wallet mints add" if you trust it'
    : "";
  const code = RECEIVE_CODES[refusal.code];
  return new SeedmintError(code, `Cannot receive the token: ${refusal.reason}${help}`, {
    retryable: !refusal.isFinal,
  });
}

/** @throws {SeedmintError} `denied` for what cannot be cancelled without losing something. */
export function assertCancellable(operation: Operation): void {
  if (operation.kind !== "redeem") return;
  throw new SeedmintError(
    "denied",
    `Cannot cancel operation ${operation.id}: it redeems ecash that was taken, which is never given up`,
  );
}

/** The proof that a melt paid its invoice. @throws {SeedmintError} `not-found` */
export function preimageOf(operation: Operation): string {
  const { id, kind, status, state } = operation;
  const { preimage, isProven } = kind === "melt" ? meltResultOf(operation) : NO_PAYMENT;
  if (preimage !== null && isProven) return preimage;
  const why = kind !== "melt"
    ? `it is no payment of an invoice (${kind})`
    : status === "done"
    ? "its mint gave none that belongs to the invoice"
    : `the invoice is not paid (${state})`;
  throw new SeedmintError("not-found", `There is no proof of payment of operation ${id}: ${why}`);
}

const NO_PAYMENT = { preimage: null, isProven: false };
