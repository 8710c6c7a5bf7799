/** Pays what a session says is due, one payment after another, and learns what became of each. */
import type { Clock } from "../../src/core/ports.ts";
import type { PaymentAnswer, PaymentOffer, PaySession } from "../ports.ts";
import { FRUITLESS_PAYMENTS_MAX, PAYMENT_RETRY_MS_MAX, PAYMENT_RETRY_MS_MIN } from "./limits.ts";
import type { PaymentLine } from "./payment_line.ts";

/** What the seller said of a payment already. */
export interface Asked {
  /** Its id in hex, when the seller has it and may be asked about it without the token. */
  readonly pendingId?: string;
  /** When it wants to be asked again, in milliseconds. */
  readonly retryMs: number;
}

/** How paying ended. */
export type Settled =
  /** Enough is prepaid, or nothing more can be had: `trouble` says why. */
  | { readonly isSettled: true; readonly trouble?: string }
  /** Nobody knows what became of a payment. */
  | { readonly isSettled: false; readonly trouble: string };

/** Options of {@link payDue}. */
export interface PayDueOptions {
  readonly session: PaySession;
  readonly line: PaymentLine;
  readonly clock: Pick<Clock, "sleep">;
  /** Ends everything. */
  readonly signal: AbortSignal;
  /** Nothing more is to be paid; what is on its way is still waited for. */
  readonly enough: AbortSignal;
  readonly asked?: Asked;
  readonly onCredited: (creditMsat: number) => void;
}

/** See the head of this file. Bounded in steps and, by the pauses of each, in time. Never throws. */
export async function payDue(options: PayDueOptions): Promise<Settled> {
  const { session, line, clock, signal, enough } = options;
  let asked: Asked | undefined = options.asked;
  let trouble = "it did not say what became of a payment";
  for (let fruitless = 0; fruitless < FRUITLESS_PAYMENTS_MAX; fruitless++) {
    if (asked !== undefined && !await slept(clock, { ms: asked.retryMs, signal: enough })) break;
    if (enough.aborted) break;
    const due = await session.next({ signal: enough });
    if (due.due === "nothing") return { isSettled: true };
    if (due.due === "declined") return { isSettled: true, trouble: due.reason };
    const { payment } = due;
    const offer = offerOf(payment, asked);
    const delivery = await line.pay(offer, signal);
    if (delivery.state === "broken") return { isSettled: false, trouble: delivery.reason };
    const { answer } = delivery;
    const isForgotten = answer.answer === "refused" && offer !== payment;
    if (!isForgotten) session.answered(payment.id, answer);
    if (answer.answer === "credited") {
      options.onCredited(answer.creditMsat);
      fruitless = -1;
      asked = undefined;
      continue;
    }
    if (answer.answer === "refused") trouble = `it refused a payment (${answer.code})`;
    asked = askedAfter(payment, answer);
  }
  return { isSettled: false, trouble: enough.aborted ? "the fetch is over" : trouble };
}

/** Without the token, when the seller said that it looks at it already. */
function offerOf(payment: PaymentOffer, asked: Asked | undefined): PaymentOffer {
  const isKnown = asked?.pendingId === payment.id.toHex() && payment.token !== undefined;
  return isKnown ? { id: payment.id } : payment;
}

function askedAfter(payment: PaymentOffer, answer: PaymentAnswer): Asked {
  if (answer.answer !== "pending") return { retryMs: retryMsOf(answer) };
  return { pendingId: payment.id.toHex(), retryMs: retryMsOf(answer) };
}

function retryMsOf(answer: PaymentAnswer): number {
  return answer.answer === "credited" ? 0 : answer.retryMs ?? 0;
}

/** Whether the pause was over before the fetch was. */
async function slept(
  clock: Pick<Clock, "sleep">,
  { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
): Promise<boolean> {
  try {
    const bounded = Math.min(Math.max(ms, PAYMENT_RETRY_MS_MIN), PAYMENT_RETRY_MS_MAX);
    await clock.sleep(bounded, { signal });
    return true;
  } catch {
    return false;
  }
}
