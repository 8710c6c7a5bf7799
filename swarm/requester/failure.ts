/** What a peer's refusal or breach is called, with the peer named. */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { ErrorCode } from "../../src/core/errors.ts";
import type { Message } from "../protocol/mod.ts";

/** The error that stands for an answer which grants nothing. */
export function refusalOf(message: Message): SeedmintError {
  switch (message.t) {
    case "not-found":
      return new SeedmintError("not-found", "it does not have it");
    case "payment-required":
      return new SeedmintError(
        "payment-required",
        `it asks ${message.priceMsatPerMiB} msat per MiB and this node does not pay`,
      );
    case "denied":
      return message.code === "busy"
        ? new SeedmintError("busy", "it is busy", { retryable: true })
        : new SeedmintError("denied", `it refused: ${message.code}`);
    case "failed":
      if (message.code === "unpaid") return new UnpaidError();
      return message.code === "gone"
        ? new SeedmintError("not-found", "it no longer has it")
        : new SeedmintError("reset", `it could not go on: ${message.code}`, { retryable: true });
    default:
      return new SeedmintError("protocol", `it sent "${message.t}" where that means nothing`);
  }
}

/** The provider sent what was paid for and stopped. */
export class UnpaidError extends SeedmintError {
  constructor() {
    super("payment-required", "it sends no more until it is paid more");
  }
}

/** The error for a price that is not paid, with what the user can do about it. */
export function unpaid(why: string, priceMsatPerMiB?: number): SeedmintError {
  const price = priceMsatPerMiB === undefined ? "money" : `${priceMsatPerMiB} msat per MiB`;
  return new SeedmintError(
    "payment-required",
    `it asks ${price} and was not paid: ${why}; fund the wallet, or raise price-max or the budget`,
  );
}

/** Codes that say what the peer did; the rest is ours and keeps its own words. */
const PEER_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "not-found",
  "corrupt",
  "protocol",
  "denied",
  "payment-required",
  "timeout",
  "reset",
  "busy",
]);

/** `error` with the peer and the blob named; what is not about the peer passes as it is. */
export function namePeer(error: unknown, peerId: string, what: string): unknown {
  if (!isSeedmintError(error)) return error;
  const isUnreachable = error.code === "unavailable";
  if (!isUnreachable && !PEER_CODES.has(error.code)) return error;
  return new SeedmintError(
    isUnreachable ? "reset" : error.code,
    `Cannot fetch ${what} from peer ${peerId}: ${messageOf(error)}`,
    { cause: error, retryable: error.retryable },
  );
}
