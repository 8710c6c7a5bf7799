/**
 * NUT-05 with NUT-08: inputs PENDING and blanks kept, then Lightning is asked to pay, then inputs
 * SPENT and change signed, or inputs free again. Between the two the mint may be killed: what is
 * PENDING on disk is asked for again, and Lightning pays an invoice once for one payer.
 *
 * ```
 * UNPAID --inputs taken--> PENDING --succeeded--> PAID
 *    ^                        |
 *    +---------failed---------+
 * ```
 */
import { isSeedmintError } from "../../src/core/errors.ts";
import type { PaymentStatus } from "../lightning/client.ts";
import type { PartPayment } from "./lightning_port.ts";
import { blanksToSign } from "./change.ts";
import type { MintContext } from "./context.ts";
import { MintError, RequestError } from "./errors.ts";
import {
  checkNotPaid,
  type MeltQuote,
  meltQuote,
  pendingMelts,
  wireOfMeltQuote,
} from "./melt_quotes.ts";
import { checkOutputs, keepBlank, signBlank } from "./outputs.ts";
import { checkAuthority, type CheckedInputs, checkInputs, takeInputs, takenBy } from "./proofs.ts";
import {
  type JsonObject,
  type OutputRequest,
  readInputs,
  readOutputs,
  textOf,
} from "./requests.ts";

/** Pays melts, each once at a time. */
export class Melts {
  readonly #context: MintContext;
  readonly #driving = new Map<string, Promise<void>>();

  constructor(context: MintContext) {
    this.#context = context;
  }

  /** POST /v1/melt/bolt11. Answers when Lightning has, or at once if asked to. */
  async melt(body: JsonObject): Promise<JsonObject> {
    const context = this.#context;
    if (!context.settings.hasNut(5)) throw new RequestError(404, "Melting is disabled");
    const quote = this.#begin(body);
    const driven = this.#drive(quote.id);
    if (body.prefer_async !== true) await driven;
    const after = meltQuote(context, quote.id);
    const site = { path: "/v1/melt/bolt11", ...siteOf(quote) };
    const isLie = after.state === "PAID" && context.faults.take("lie-after-paying", site);
    if (after.state === "UNPAID" || isLie) {
      throw new MintError("paymentFailed", "Lightning payment failed");
    }
    return wireOfMeltQuote(context, after);
  }

  /** GET of a quote, after asking Lightning if it is being paid. */
  async read(id: string): Promise<JsonObject> {
    const quote = meltQuote(this.#context, id);
    // A payment that this process is making right now will say so itself.
    if (quote.state === "PENDING" && !this.#driving.has(id)) await this.#drive(id);
    return wireOfMeltQuote(this.#context, meltQuote(this.#context, id));
  }

  /** The quote as it is on disk, or undefined. */
  onDisk(id: string): JsonObject | undefined {
    const row = this.#context.db.get("SELECT id FROM melt_quotes WHERE id = ?", id);
    return row && wireOfMeltQuote(this.#context, meltQuote(this.#context, id));
  }

  /** Asks Lightning about everything that is being paid; returns whether anything is. */
  async driveAll(): Promise<boolean> {
    const pending = pendingMelts(this.#context).filter(({ isHeld }) => !isHeld);
    await Promise.all(pending.map(({ id }) => this.#drive(id)));
    return pending.length > 0;
  }

  /** Lets go of a melt that was held for ever. */
  async release(id: string): Promise<void> {
    this.#context.db.run("UPDATE melt_quotes SET is_held = 0 WHERE id = ?", id);
    await this.#drive(id);
  }

  /** Gives a melt up that was held for ever, and never paid. */
  abandon(id: string): void {
    if (meltQuote(this.#context, id).isHeld) this.#giveUp(id);
  }

  /** Waits until nothing is under way in this process. */
  async settled(): Promise<void> {
    await Promise.all(this.#driving.values());
  }

  #begin(body: JsonObject): MeltQuote {
    const context = this.#context;
    const quote = meltQuote(context, textOf(body.quote, "quote", 64));
    const blanks = context.settings.hasNut(8) ? readOutputs(body, { isOptional: true }) : [];
    const read = readInputs(body);
    checkQuote(context, quote);
    const inputs = checkInputs(context, read);
    checkOutputs(context, blanks, { areBlank: true });
    const wanted = quote.amount + quote.feeReserve + inputs.fee;
    if (inputs.amount < wanted) {
      throw new MintError(
        "unbalanced",
        `Transaction is not balanced: inputs ${inputs.amount} < amount, reserve and fees ${wanted}`,
      );
    }
    checkAuthority(context, inputs, blanks, quote.id);
    this.#take(quote, inputs, blanks);
    return quote;
  }

  #take(quote: MeltQuote, inputs: CheckedInputs, blanks: readonly OutputRequest[]): void {
    const { db, faults, updates } = this.#context;
    const site = { path: "/v1/melt/bolt11", ...siteOf(quote) };
    const isHeld = faults.take("pending-forever", site) !== undefined;
    const origin = `melt:${quote.id}`;
    db.transaction(() => {
      takeInputs(this.#context, inputs, { state: "PENDING", origin });
      keepBlank(this.#context, blanks, origin);
      db.run(
        `UPDATE melt_quotes SET state = 'PENDING', is_held = ?, was_asked = 0, input_amount = ?,
           input_fee = ? WHERE id = ?`,
        isHeld ? 1 : 0,
        inputs.amount,
        inputs.fee,
        quote.id,
      );
    });
    updates.publish("proof_state", inputs.proofs.map(({ y }) => y));
    updates.publish("bolt11_melt_quote", [quote.id]);
  }

  #drive(id: string): Promise<void> {
    const running = this.#driving.get(id);
    if (running) return running;
    const driven = this.#pay(id).finally(() => this.#driving.delete(id));
    this.#driving.set(id, driven);
    return driven;
  }

  async #pay(id: string): Promise<void> {
    const context = this.#context;
    const quote = meltQuote(context, id);
    if (quote.state !== "PENDING" || quote.isHeld) return;
    let status: PaymentStatus;
    try {
      status = await askLightning(context, quote);
    } catch (error) {
      if (context.signal.aborted) return;
      // These say that there is no such payment; anything else says nothing.
      if (isSeedmintError(error, "not-found") || isSeedmintError(error, "usage")) this.#giveUp(id);
      return;
    }
    if (context.signal.aborted) return;
    if (status.state === "succeeded") this.#finish(quote, status);
    else if (status.state === "failed") this.#giveUp(id);
    else context.db.run("UPDATE melt_quotes SET was_asked = 1 WHERE id = ?", id);
  }

  #finish(quote: MeltQuote, status: PaymentStatus): void {
    const context = this.#context;
    const origin = `melt:${quote.id}`;
    const paid = (quote.amountMsat + status.feeMsat + 999n) / 1000n;
    context.db.transaction(() => {
      context.db.run("UPDATE proofs SET state = 'SPENT' WHERE origin = ?", origin);
      const overpaid = quote.inputAmount - quote.inputFee - paid;
      for (const blank of blanksToSign(context, origin, overpaid)) signBlank(context, blank);
      context.db.run(
        `UPDATE melt_quotes SET state = 'PAID', preimage = ?, paid_msat = ?, lightning_fee_msat = ?
         WHERE id = ?`,
        status.preimage ?? null,
        quote.amountMsat,
        status.feeMsat,
        quote.id,
      );
    });
    this.#publish(quote.id, takenBy(context, origin));
  }

  #giveUp(id: string): void {
    const { db } = this.#context;
    const origin = `melt:${id}`;
    const ys = takenBy(this.#context, origin);
    db.transaction(() => {
      db.run("DELETE FROM proofs WHERE origin = ?", origin);
      db.run("DELETE FROM outputs WHERE origin = ?", origin);
      db.run(
        `UPDATE melt_quotes SET state = 'UNPAID', is_held = 0, was_asked = 0, input_amount = 0,
           input_fee = 0 WHERE id = ?`,
        id,
      );
    });
    this.#publish(id, ys);
  }

  #publish(id: string, ys: readonly string[]): void {
    this.#context.updates.publish("proof_state", ys);
    this.#context.updates.publish("bolt11_melt_quote", [id]);
  }
}

function checkQuote(context: MintContext, quote: MeltQuote): void {
  if (quote.state === "PAID") throw new MintError("invoicePaid", "Invoice already paid");
  if (quote.state === "PENDING") throw new MintError("quotePending", "Quote is pending");
  if (quote.expiryS <= context.clock.nowS()) {
    throw new MintError("quoteExpired", "Quote is expired");
  }
  // Lightning pays an invoice once for one payer, so that a second quote would pay for nothing.
  checkNotPaid(context, quote.paymentHash, quote.id);
}

async function askLightning(context: MintContext, quote: MeltQuote): Promise<PaymentStatus> {
  const { lightning, name, signal } = context;
  if (quote.wasAsked) {
    const status = await lightning.payment(quote.paymentHash, name, { signal });
    if (status) return status;
  }
  const order: PartPayment = {
    bolt11: quote.request,
    from: name,
    maxFeeMsat: (quote.amount + quote.feeReserve) * 1000n - quote.amountMsat,
    ...amountToPay(quote),
  };
  return await lightning.pay(order, { signal });
}

function amountToPay(
  quote: MeltQuote,
): { readonly amountMsat?: bigint; readonly partMsat?: bigint } {
  if (quote.partMsat !== undefined) return { partMsat: quote.partMsat };
  return quote.isAmountless ? { amountMsat: quote.amountMsat } : {};
}

function siteOf(quote: MeltQuote) {
  return { quote: quote.id, request: quote.request, paymentHash: quote.paymentHash };
}
