/**
 * Paying for a fetch out of the node's wallet, which is opened when the first seller asks for money.
 * Whatever is wrong with it is a reason to decline: the fetch goes on without.
 */
import { messageOf } from "../../core/errors.ts";
import type { PaidTo, PayAnswer, Payer, PayRequest, PaySession } from "../../../swarm/ports.ts";
import type { BuyerOptions } from "../../../wallet/buying/buying_api.ts";
import type { PaymentChoice } from "../api/methods.ts";
import type { Config } from "../config/settings.ts";
import type { WalletHost } from "./wallet.ts";

/** What fetches may pay where they say nothing of it. */
export type PayingDefaults = Pick<Config, "pay" | "priceMax">;

/** A payer that knows whom a payment is not ready for. */
export interface FetchPayer extends Required<Payer> {
  /** Peers whose payment is being made: their bytes wait for it, as when a mint does not answer. */
  waiting(): readonly string[];
}

/** The payer of one fetch; undefined when it is not to pay. */
export function payerOf(
  host: WalletHost,
  choice: PaymentChoice | undefined,
  defaults: PayingDefaults,
): FetchPayer | undefined {
  if (choice === undefined || !(choice.pays ?? defaults.pay)) return undefined;
  return new WalletPayer(host, {
    priceMaxMsatPerMiB: choice.priceMaxMsatPerMiB ?? defaults.priceMax,
    // Who names a budget for one fetch has agreed to it, whatever the settings allow without asking.
    ...(choice.budgetSat === undefined ? {} : { budgetSat: choice.budgetSat, confirmed: true }),
  });
}

type Buyer = Required<Payer>;

/** A payer whose wallet may be closed yet. */
class WalletPayer implements FetchPayer {
  readonly #waiting = new Map<string, number>();
  readonly #host: WalletHost;
  readonly #options: BuyerOptions;
  #buyer: Promise<Buyer> | undefined;
  #opened: Buyer | undefined;

  constructor(host: WalletHost, options: BuyerOptions) {
    this.#host = host;
    this.#options = options;
  }

  async open(
    request: PayRequest,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<PayAnswer> {
    return await this.#whileWaiting(request.peerId, async () => {
      const buyer = await this.#orDeclined();
      if ("reason" in buyer) return { status: "declined", ...buyer };
      const answer = await buyer.open(request, options);
      return answer.status === "open"
        ? { status: "open", session: this.#watched(answer.session, request.peerId) }
        : answer;
    });
  }

  waiting(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  paidFor(...args: Parameters<Required<Payer>["paidFor"]>): readonly PaidTo[] {
    return this.#opened?.paidFor(...args) ?? [];
  }

  async preparePayment(...[request]: Parameters<Buyer["preparePayment"]>) {
    const buyer = await this.#orDeclined();
    if ("reason" in buyer) return { status: "declined", ...buyer } as const;
    return await buyer.preparePayment(request);
  }

  #watched(session: PaySession, peerId: string): PaySession {
    return {
      terms: session.terms,
      next: (options) => this.#whileWaiting(peerId, () => session.next(options)),
      answered: (id, answer) => session.answered(id, answer),
      told: (creditMsat) => session.told(creditMsat),
      verified: (bytes) => session.verified(bytes),
      onDue: (listener) => session.onDue(listener),
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    };
  }

  async #whileWaiting<T>(peerId: string, task: () => Promise<T>): Promise<T> {
    const change = (by: number) => {
      const count = (this.#waiting.get(peerId) ?? 0) + by;
      if (count > 0) this.#waiting.set(peerId, count);
      else this.#waiting.delete(peerId);
    };
    change(1);
    try {
      return await task();
    } finally {
      change(-1);
    }
  }

  async #orDeclined(): Promise<Buyer | { readonly reason: string }> {
    try {
      if (!await this.#host.isWanted()) {
        return { reason: "this node has no wallet; see wallet mints --help" };
      }
      this.#buyer ??= this.#host.open().then((wallet) => wallet.buyer(this.#options));
      return this.#opened = await this.#buyer;
    } catch (error) {
      this.#buyer = undefined;
      return { reason: `the wallet does not open: ${messageOf(error)}` };
    }
  }
}
