/** What goes with one want, and what comes of it when it is granted. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { PaymentOffer, PaymentTerms, PaySession } from "../ports.ts";
import type { Cancellation } from "./cancellation.ts";

/** A session and what it was opened for. */
export interface Open {
  readonly session: PaySession;
  readonly terms: PaymentTerms;
}

/** What goes with one want. With a payment, nobody else pays until it is disposed. */
export class Ticket implements Disposable {
  readonly open: Open | undefined;
  readonly payment: PaymentOffer | undefined;
  /** Payments that were credited before it. */
  readonly creditedCount: number;
  #turn: Disposable | undefined;

  constructor(
    options: {
      readonly open: Open | undefined;
      readonly creditedCount: number;
      readonly paid?: { readonly payment: PaymentOffer; readonly turn: Disposable };
    },
  ) {
    this.open = options.open;
    this.creditedCount = options.creditedCount;
    this.payment = options.paid?.payment;
    this.#turn = options.paid?.turn;
  }

  /** Hands the turn on: disposing the ticket ends it no more. */
  handOver(): Disposable {
    const turn = this.#turn;
    this.#turn = undefined;
    return turn ?? { [Symbol.dispose]: () => {} };
  }

  [Symbol.dispose](): void {
    this.handOver()[Symbol.dispose]();
  }
}

/** How content that was granted is charged. */
export interface Charge {
  /** Content of the answer that verified. */
  verified(bytes: number): void;
  /** Bytes of the answer came. */
  received(bytes: number): void;
  /** The seller says what is left. */
  told(creditMsat: number): void;
  /** How many bytes may be held back before they are verified. */
  readonly batchBytesMax: number;
  /** Ends `cancel`, until it is disposed, once nothing is left and no more is to be had. */
  watch(cancel: Cancellation): Disposable;
}

/** A grant at a price above the agreed one: nothing of it is taken. */
export class PriceRaised extends SeedmintError {
  readonly priceMsatPerMiB: number;

  constructor(priceMsatPerMiB: number, agreed: number) {
    super(
      "payment-required",
      `it charges ${priceMsatPerMiB} msat per MiB after it was agreed on ${agreed}`,
    );
    this.priceMsatPerMiB = priceMsatPerMiB;
  }
}
