/** What happens to a payment in the book; the diagram is in `payment.ts`. */
import type { BookedPayment, PaymentState } from "./payment.ts";

/** One thing that happens to a payment. */
export type PaymentEvent =
  | {
    readonly type: "token";
    readonly token: string;
    readonly mint: string;
    readonly feeSat: number;
  }
  | { readonly type: "declined"; readonly message: string }
  /** From now on the provider may have it. */
  | { readonly type: "send" }
  | { readonly type: "accepted" }
  /** What was paid for was not done, and the money comes back with the answer. */
  | { readonly type: "refunded"; readonly error: string; readonly message: string }
  /** What came back with the answer is worth nothing. */
  | { readonly type: "worthless"; readonly message: string }
  /** The provider gave nothing for it, and says so. */
  | { readonly type: "refused"; readonly error: string; readonly message: string }
  /** The provider says nothing. */
  | { readonly type: "silence"; readonly message: string }
  /** It was given up before the provider could have it. */
  | { readonly type: "abandon"; readonly message: string }
  | { readonly type: "returned"; readonly amountSat: number }
  /** Somebody else has it for good. */
  | { readonly type: "spent" }
  /** The purse never made a token. */
  | { readonly type: "nothing" }
  /** It is looked at again later. */
  | { readonly type: "wait"; readonly untilMs: number }
  /** Nobody needs its token any more. */
  | { readonly type: "forget" };

const FROM: { readonly [T in PaymentEvent["type"]]: readonly PaymentState[] } = {
  token: ["planned"],
  declined: ["planned"],
  send: ["ready"],
  accepted: ["sent", "recovering", "lost"],
  refunded: ["sent", "recovering", "lost"],
  worthless: ["refunded"],
  refused: ["sent"],
  silence: ["sent"],
  abandon: ["planned", "ready"],
  returned: ["recovering"],
  spent: ["recovering"],
  nothing: ["recovering"],
  wait: ["planned", "ready", "sent", "recovering"],
  forget: ["taken", "refunded", "returned", "declined", "lost"],
};

/** States in which something will still be done about a payment. */
const OPEN: ReadonlySet<PaymentState> = new Set(["planned", "ready", "sent", "recovering"]);

/** Whether something will still be done about it. */
export function isPaymentOpen(payment: Pick<BookedPayment, "state">): boolean {
  return OPEN.has(payment.state);
}

/** Whether `event` can happen to a payment in `state`. */
export function canHappenToPayment(state: PaymentState, event: PaymentEvent["type"]): boolean {
  return FROM[event].includes(state);
}

/** The payment after the event; undefined if it cannot happen to it as it is. */
export function paymentAfter(
  payment: BookedPayment,
  event: PaymentEvent,
  nowMs: number,
): BookedPayment | undefined {
  if (!canHappenToPayment(payment.state, event.type)) return undefined;
  // Nobody can have given anything for what nobody was sent.
  const isAnswer = event.type === "accepted" || event.type === "refunded";
  if (isAnswer && payment.sentMs === undefined) return undefined;
  const { nextMs: _, ...rest } = payment;
  const enter = (state: PaymentState, more: Partial<BookedPayment> = {}): BookedPayment => ({
    ...rest,
    ...more,
    state,
    changedMs: nowMs,
    attemptCount: 0,
  });
  switch (event.type) {
    case "token": {
      const { token, mint, feeSat } = event;
      return enter("ready", { token, mint, feeSat });
    }
    case "declined":
      return enter("declined", { problem: { error: "declined", message: event.message } });
    case "send":
      return enter("sent", { sentMs: nowMs });
    case "accepted":
      return enter("taken");
    case "refunded":
      return enter("refunded", { problem: { error: event.error, message: event.message } });
    case "worthless":
      return enter("recovering", {
        problem: { error: payment.problem?.error ?? "protocol", message: event.message },
      });
    case "refused":
      return enter("recovering", { problem: { error: event.error, message: event.message } });
    case "silence":
      return enter("recovering", { problem: { error: "silence", message: event.message } });
    case "abandon":
      return enter("recovering", { problem: { error: "abandoned", message: event.message } });
    case "returned":
      return enter("returned", { returnedSat: event.amountSat });
    case "spent":
      return enter("lost");
    case "nothing":
      return enter("declined");
    case "wait":
      return { ...rest, nextMs: event.untilMs, attemptCount: payment.attemptCount + 1 };
    case "forget": {
      const { token: _, ...without } = payment;
      return without;
    }
    default:
      return event satisfies never;
  }
}
