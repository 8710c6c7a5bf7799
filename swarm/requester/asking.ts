/** Asks for content on a line until it is granted, paying where that is agreed. */
import type { Clock } from "../../src/core/ports.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Granted, Message, Want } from "../protocol/mod.ts";
import type { Cancellation } from "./cancellation.ts";
import { refusalOf } from "./failure.ts";
import { PAYMENT_ANSWER_MS, WANTS_PER_REQUEST_MAX } from "./limits.ts";
import type { Line } from "./line.ts";
import type { Purchase } from "./purchase.ts";
import { termsOfAnswer } from "./terms.ts";
import { type Charge, PriceRaised, type Ticket } from "./ticket.ts";

/** What was granted, and how it is charged when it costs something. */
export interface Grant {
  readonly granted: Granted;
  readonly charge?: Charge;
}

/** Options of {@link askFor}. */
export interface AskOptions {
  readonly want: Want;
  readonly cancel: Cancellation;
  readonly clock: Pick<Clock, "timer">;
  /** Absent: nothing is paid. */
  readonly purchase: Purchase | undefined;
  /** Called with what a MiB costs as the answer says; 0 for free. */
  readonly onPriced: (priceMsatPerMiB: number) => void;
}

/**
 * Sends the want, and sends it again on the same line after each answer about money.
 *
 * @throws {SeedmintError} what the answer says; `payment-required` for a price that is not paid.
 */
export async function askFor(line: Line, options: AskOptions): Promise<Grant> {
  const { want, cancel, purchase } = options;
  if (purchase === undefined) return await askUnpaid(line, options);
  let demanded: Ticket | undefined;
  let { creditedCount } = purchase;
  for (let wants = 0; wants < WANTS_PER_REQUEST_MAX; wants++) {
    // Others may use up what was paid before this want arrives: that is no lie of the seller's.
    if (creditedCount !== purchase.creditedCount) wants = 0;
    creditedCount = purchase.creditedCount;
    using ticket = await purchase.ticket(cancel, demanded);
    await line.send({ ...want, ...fieldsOf(ticket) });
    const answer = await answerTo(line, ticket, options);
    switch (answer.t) {
      case "granted": {
        options.onPriced(answer.priceMsatPerMiB ?? 0);
        const charge = purchase.granted(ticket, answer);
        return { granted: answer, ...(charge === undefined ? {} : { charge }) };
      }
      case "payment-required": {
        options.onPriced(answer.priceMsatPerMiB);
        demanded = await purchase.required(ticket, termsOfAnswer(answer), cancel)
          ? ticket
          : undefined;
        break;
      }
      case "pending":
        purchase.pending(ticket, answer);
        break;
      case "denied":
        if (!purchase.denied(ticket, answer)) throw refusalOf(answer);
        break;
      default:
        throw refusalOf(answer);
    }
  }
  throw purchase.failure("it asks for more before it delivered what was paid for");
}

async function askUnpaid(line: Line, options: AskOptions): Promise<Grant> {
  await line.send(options.want);
  const answer = await line.nextMessage();
  if (answer.t === "payment-required") options.onPriced(answer.priceMsatPerMiB);
  if (answer.t !== "granted") throw refusalOf(answer);
  const price = answer.priceMsatPerMiB ?? 0;
  options.onPriced(price);
  if (price > 0) throw new PriceRaised(price, 0);
  return { granted: answer };
}

function fieldsOf(ticket: Ticket): Pick<Want, "payment" | "priceMsatPerMiB"> {
  const { open, payment } = ticket;
  return {
    priceMsatPerMiB: open?.terms.priceMsatPerMiB ?? 0,
    ...(payment === undefined ? {} : { payment }),
  };
}

/** The answer; a seller that takes a payment must give one in a bounded time. */
async function answerTo(
  line: Line,
  ticket: Ticket,
  { cancel, clock }: AskOptions,
): Promise<Message> {
  if (ticket.payment === undefined) return await line.nextMessage();
  const late = Promise.withResolvers<never>();
  const stop = clock.timer(PAYMENT_ANSWER_MS, () => {
    late.reject(new SeedmintError("timeout", "it took a payment and did not answer"));
  });
  try {
    return await cancel.wait(Promise.race([line.nextMessage(), late.promise]));
  } finally {
    stop();
  }
}
