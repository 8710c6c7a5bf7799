/** What people are told when a lease could not be had: why, and where the money is. */
import { type ErrorCode, SeedmintError } from "../../src/core/errors.ts";
import { errorTypeOf } from "../wire/mod.ts";
import type { BookedLease } from "./book/lease.ts";
import type { BookedPayment, BookedRefund } from "./book/payment.ts";
import { refundIdOf } from "./book/payment_cost.ts";
import type { LesseeContext } from "./context.ts";

/**
 * By what the provider said. `payment-required` and `not-found` are not among them: they say that no token
 * was made, and an agent's allowance goes by that.
 */
const CODES: Readonly<Record<string, ErrorCode>> = {
  abandoned: "aborted",
  silence: "timeout",
  unsendable: "invalid",
  protocol: "protocol",
  insufficient_payment: "denied",
  payment_required: "denied",
  no_capacity: "busy",
  rate_limited: "busy",
  draining: "busy",
  image_unavailable: "unavailable",
  not_found: "unavailable",
  spec_unavailable: "unavailable",
  lease_expired: "unavailable",
  invalid_request: "invalid",
  denied: "denied",
  not_owner: "denied",
  non_whitelisted_mint: "denied",
  not_ready: "busy",
};

/**
 * The error of a payment that came to nothing.
 *
 * @param what As `rent basic from SwiftGoldenOwl`.
 */
export function failureOf(
  what: string,
  payment: BookedPayment | undefined,
  lease: BookedLease,
  context: Pick<LesseeContext, "book">,
): SeedmintError {
  const problem = payment?.problem;
  const name = problem === undefined ? "unknown" : errorTypeOf(problem.error);
  const code = payment?.state === "declined"
    ? "payment-required"
    : CODES[problem?.error ?? ""] ?? CODES[name] ?? "unavailable";
  const why = problem?.message ?? lease.end?.message ?? "it failed";
  const refund = payment === undefined ? undefined : context.book.refunds.get(refundIdOf(payment));
  const money = payment === undefined ? "" : ` ${moneyOf(payment, refund)}`;
  return new SeedmintError(code, `Cannot ${what}: ${ended(why)}${money}`, {
    cause: { error: problem?.error ?? "unknown", lease: lease.id },
  });
}

/** Where the money of a payment is, in a sentence. */
export function moneyOf(payment: BookedPayment, refund: BookedRefund | undefined): string {
  const sat = `${payment.amountSat} sat`;
  switch (payment.state) {
    case "planned":
    case "ready":
    case "sent":
      return `${sat} are on their way; see \`leases\``;
    case "taken":
      return `${sat} were paid`;
    case "refunded":
      return refund?.state === "banked"
        ? `${refund.bankedSat} sat came back`
        : `${refund?.claimedSat ?? payment.amountSat} sat are coming back`;
    case "recovering":
      return payment.lockTo === undefined || payment.locktimeS === undefined
        ? `${sat} are being taken back`
        : `${sat} are locked to it until ${timeOf(payment.locktimeS)} and come back then`;
    case "returned":
      return `${payment.returnedSat ?? 0} sat came back`;
    case "lost":
      return refund?.state === "worthless"
        ? `It paid back a token that is worth nothing: ${sat} are lost`
        : `${sat} are lost to it`;
    case "declined":
      return "Nothing was paid";
    default:
      return payment.state satisfies never;
  }
}

function timeOf(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function ended(text: string): string {
  const one = text.trim();
  return /[.!?]$/.test(one) ? one : `${one}.`;
}
