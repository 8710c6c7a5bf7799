/** From a grant to the end of its answer: what is granted is sent, metered if it costs something. */
import type { Granted } from "../protocol/mod.ts";
import { AnswerFailure } from "./answer_failure.ts";
import type { Answer, Outcome } from "./answer.ts";
import { MeteredSending } from "./metered_sending.ts";
import type { Sender } from "./sender.ts";
import type { PaidTerms, ServingTerms } from "./terms.ts";

/** Grants, has `send` send what was granted, metered if it costs something, and says how it ended. */
export async function granting(
  answer: Answer,
  terms: ServingTerms,
  granted: Granted,
  send: (metered: MeteredSending | undefined) => Promise<void>,
): Promise<Outcome> {
  const { sender } = answer;
  if (terms.kind === "free") {
    await sender.message(granted);
    return await finish(sender, await failureOf(send(undefined)));
  }
  let metered: MeteredSending;
  try {
    metered = meteredOf(answer, terms);
  } catch {
    await sender.message({ t: "denied", code: "internal" });
    return "denied";
  }
  try {
    await sender.message(granted);
    return await finish(sender, await failureOf(send(metered)));
  } finally {
    await metered[Symbol.asyncDispose]();
    answer.onPaid({ paidBytes: metered.chargedBytes, priceMsatPerMiB: terms.priceMsatPerMiB });
  }
}

/** Opens the credit of the viewer for this answer. @throws whatever the gate throws */
function meteredOf(answer: Answer, terms: PaidTerms): MeteredSending {
  const { context: { metering, clock }, sender, account, signal } = answer;
  const meter = terms.openMeter();
  return new MeteredSending({
    meter,
    metering,
    account,
    clock,
    signal,
    sink: {
      sentBytes: () => sender.sentBytes,
      write: (part, isLast) => sender.ownData(part, !isLast),
      flush: () => sender.flush(),
      low: (creditMsat) => sender.interject({ t: "low", creditMsat }),
    },
  });
}

/** The code of the failure that ended `sending`; undefined at its end. Others than ours are thrown. */
async function failureOf(sending: Promise<void>): Promise<AnswerFailure["code"] | undefined> {
  try {
    await sending;
    return undefined;
  } catch (error) {
    if (error instanceof AnswerFailure) return error.code;
    throw error;
  }
}

/** Sends all of `pieces`. @throws {AnswerFailure} if they cannot be read */
export async function sendPieces<T>(
  options: { readonly pieces: AsyncIterable<T>; readonly send: (piece: T) => Promise<void> | void },
): Promise<void> {
  const iterator = options.pieces[Symbol.asyncIterator]();
  try {
    for (let next = await stepOf(iterator); !next.done; next = await stepOf(iterator)) {
      await options.send(next.value);
    }
  } finally {
    await iterator.return?.();
  }
}

async function stepOf<T>(iterator: AsyncIterator<T, void>): Promise<IteratorResult<T, void>> {
  try {
    return await iterator.next();
  } catch (cause) {
    throw AnswerFailure.ofReading(cause);
  }
}

async function finish(sender: Sender, code: AnswerFailure["code"] | undefined): Promise<Outcome> {
  if (code === undefined) {
    await sender.message({ t: "end" });
    return "served";
  }
  await sender.message({ t: "failed", code });
  return code === "unpaid" ? "unpaid" : "failed";
}
