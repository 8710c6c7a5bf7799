/** Paying credit back to who asks for it. */
import type { Clock } from "../../src/core/ports.ts";
import type { Gate, RefundAnswer, Viewer } from "../ports.ts";
import { type ResponseMessage, TOKEN_LENGTH_MAX } from "../protocol/mod.ts";
import { PAYMENT_ANSWER_MS, PENDING_RETRY_MS } from "./limits.ts";
import { codeOf } from "./till.ts";

/** What a viewer is told that wants its credit back, within a bounded time. Never throws. */
export async function refundAnswer(
  viewer: Viewer,
  options: {
    readonly gate: Gate | undefined;
    readonly clock: Pick<Clock, "timer">;
    readonly signal: AbortSignal;
  },
): Promise<ResponseMessage> {
  const { gate, clock, signal } = options;
  if (gate?.refund === undefined) return { t: "denied", code: "unavailable" };
  const late = Promise.withResolvers<RefundAnswer>();
  const giveUp = () => late.resolve({ status: "pending", retryMs: PENDING_RETRY_MS });
  const cancel = clock.timer(PAYMENT_ANSWER_MS, giveUp);
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  try {
    // What was begun goes on, and is found when it is asked for again.
    return messageOf(await Promise.race([gate.refund(viewer), late.promise]));
  } catch {
    return { t: "denied", code: "internal", retryMs: PENDING_RETRY_MS };
  } finally {
    cancel();
    signal.removeEventListener("abort", giveUp);
  }
}

function messageOf(answer: RefundAnswer): ResponseMessage {
  switch (answer.status) {
    case "refunded": {
      const { token, amountSat } = answer;
      if (token.length > TOKEN_LENGTH_MAX) return { t: "denied", code: "unavailable" };
      return { t: "refund", token, amountSat };
    }
    case "pending":
      return { t: "denied", code: "busy", retryMs: answer.retryMs };
    case "declined":
      return { t: "denied", code: codeOf(answer.code) };
  }
}
