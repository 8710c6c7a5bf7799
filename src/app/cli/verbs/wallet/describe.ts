/** How operations are told to people. */
import { SeedmintError } from "../../../../core/errors.ts";
import { formatDuration, printable } from "../../../output/format.ts";
import type { OperationView } from "../../../../../wallet/wallet_api.ts";
import { formatSat } from "./amounts.ts";

const DOING: Readonly<Record<OperationView["kind"], string>> = {
  fund: "fund",
  send: "send",
  strip: "buy bytes with",
  channel: "open a channel of",
  "channel-close": "close a channel of",
  redeem: "receive",
  melt: "pay",
  swap: "swap",
  restore: "restore",
};

/** `pay 21 sat from https://mint.example`. */
export function describeOperation(operation: OperationView): string {
  const { kind, amountSat, mint, peerMint } = operation;
  const preposition = kind === "fund" || kind === "redeem" || kind === "restore" ? "at" : "from";
  const to = peerMint === null ? "" : ` to ${printable(peerMint)}`;
  return `${DOING[kind]} ${formatSat(amountSat)} ${preposition} ${printable(mint)}${to}`;
}

/** `fee 1 sat`, `fee at most 3 sat`. */
export function describeFee({ feeSat, feeMaxSat, status }: OperationView): string {
  if (status === "done" || feeMaxSat === null) return `fee ${formatSat(feeSat)}`;
  return feeMaxSat === 0 ? "no fee" : `fee at most ${formatSat(feeMaxSat)}`;
}

/** When it goes on, in words: `now`, `in 12.0 s`, `when something happens`. */
export function describeNext({ status, nextAtMs }: OperationView, nowMs: number): string {
  if (status === "attention") return "needs you";
  if (nextAtMs === null) return "when something happens";
  return nextAtMs <= nowMs ? "now" : `in ${formatDuration(nextAtMs - nowMs)}`;
}

/**
 * An operation that ended well or goes on; the others become the error that ends the verb.
 *
 * @throws {SeedmintError} If it failed or needs a person.
 */
export function assertWell(operation: OperationView): OperationView {
  const { status, id } = operation;
  const reason = printable(operation.reason ?? "no reason was given");
  if (status === "failed") {
    throw new SeedmintError(
      "unavailable",
      `Could not ${describeOperation(operation)}: ${reason}; nothing is lost`,
    );
  }
  if (status === "attention") {
    throw new SeedmintError(
      "unavailable",
      `The operation ${id} (${
        describeOperation(operation)
      }) needs you: ${reason}; see wallet pending`,
    );
  }
  return operation;
}
