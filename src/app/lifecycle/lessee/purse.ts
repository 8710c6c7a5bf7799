/** The purse of a lessee: the wallet of the node. */
import { createHash } from "node:crypto";
import { isSeedmintError, messageOf, SeedmintError } from "../../../core/errors.ts";
import type { Purse, Reclaimed } from "../../../../provisioning/ports.ts";
import type { WalletHost } from "../wallet.ts";

/** A payment as {@link Purse.pay} is asked for it. */
export type PaymentAsked = Parameters<Purse["pay"]>[0];

/** Whether a payment may be made. */
export type Agreement =
  /** `isConfirmed`: a person agreed to it, whatever the wallet spends without asking. */
  | { readonly status: "agreed"; readonly isConfirmed: boolean }
  | { readonly status: "declined"; readonly reason: string };

/** Options of {@link WalletPurse}. */
export interface WalletPurseOptions {
  readonly wallet: Pick<WalletHost, "open" | "isWanted" | "call">;
  /** The wallet's payment key, 66 hex digits. */
  readonly refundKey: string;
  /** Asked before anything is set aside. */
  readonly agree: (payment: PaymentAsked) => Agreement;
}

/** How long until a wallet that does not open is asked again. */
const RETRY_MS = 15_000;

/** Tokens of one refund: a lease is paid for with ecash of a few mints. */
const REFUND_TOKENS_MAX = 16;

/** Money was set aside within the budgets, or by a person's word. */
const BEGUN: Agreement = { status: "agreed", isConfirmed: true };

/** The payer of tokens that are taken from the command line. */
const LOCAL = "local";

/** {@link Purse} over a wallet that may be closed yet. */
export class WalletPurse implements Purse {
  readonly refundKey: string;
  readonly #wallet: WalletPurseOptions["wallet"];
  readonly #agree: WalletPurseOptions["agree"];

  constructor({ wallet, refundKey, agree }: WalletPurseOptions) {
    this.refundKey = refundKey;
    this.#wallet = wallet;
    this.#agree = agree;
  }

  async pay(
    request: PaymentAsked,
    { signal }: { readonly signal: AbortSignal },
  ): ReturnType<Purse["pay"]> {
    if (!await this.#wallet.isWanted()) {
      return {
        status: "declined",
        reason:
          "this node has no wallet; name a mint with --mint, then wallet fund brings money in",
      };
    }
    const { id, mints, amountSat, lockTo, locktimeS, payee } = request;
    // What was agreed to before a crash has its money set aside, or its token made.
    const isBegun = (await this.#wallet.open()).hasPayment(id);
    const agreement = isBegun ? BEGUN : this.#agree(request);
    if (agreement.status === "declined") return agreement;
    const outcome = await this.#wallet.call("wallet.preparePayment", {
      paymentId: id,
      acceptedMints: mints,
      priceSat: amountSat,
      payee,
      confirmed: agreement.isConfirmed,
      ...(lockTo === undefined ? {} : { lockTo }),
      ...(locktimeS === undefined ? {} : { locktimeS }),
    }, { signal });
    signal.throwIfAborted();
    if (outcome.status === "declined") return outcome;
    const { tokenMetadata } = await import("../../../../wallet/token.ts");
    const { token, costSat } = outcome;
    return {
      status: "ready",
      token,
      mint: tokenMetadata(token).mint,
      feeSat: Math.max(0, costSat - amountSat),
    };
  }

  /** One token, or some with spaces between: what several mints paid in comes back in ecash of each. */
  async receive(text: string, { signal }: { readonly signal: AbortSignal }): Promise<number> {
    const tokens = text.trim().split(/\s+/).slice(0, REFUND_TOKENS_MAX);
    const taken = await Promise.allSettled(tokens.map((token) => this.#receive(token, signal)));
    const failures = taken.flatMap((one) =>
      one.status === "rejected" ? [one.reason as unknown] : []
    );
    // What passes comes first: asked again, each token that is here gives the same.
    const passing = failures.find((error) => !isSeedmintError(error, "denied"));
    const arrivedSat = taken.reduce(
      (sum, one) => one.status === "fulfilled" ? sum + one.value : sum,
      0,
    );
    if (passing !== undefined || (failures.length > 0 && arrivedSat === 0)) {
      throw passing ?? failures[0];
    }
    return arrivedSat;
  }

  async #receive(token: string, signal: AbortSignal): Promise<number> {
    const wallet = await this.#wallet.open();
    const paymentId = createHash("sha256").update(token).digest("hex");
    const known = wallet.paymentReceipt(LOCAL, paymentId);
    if (known?.state === "redeemed") return known.creditSat;
    if (known !== undefined && known.operationId !== null && known.state !== "dead") {
      const operation = await wallet.wait(known.operationId, { signal });
      if (operation.status === "done") return operation.amountSat - operation.feeSat;
    }
    try {
      const { operation, receivedSat } = await wallet.receive({ token }, { signal });
      if (operation.status === "done") return receivedSat;
      throw new SeedmintError(
        "unavailable",
        `Cannot take the refund in yet: ${operation.reason ?? operation.state}`,
        { retryable: true },
      );
    } catch (error) {
      signal.throwIfAborted();
      throw asOfPort(error);
    }
  }

  async reclaim(id: string): Promise<Reclaimed> {
    try {
      return await (await this.#wallet.open()).takePaymentBack(id);
    } catch (error) {
      if (isSeedmintError(error, "storage") || isSeedmintError(error, "no-space")) throw error;
      return { status: "waiting", retryMs: RETRY_MS };
    }
  }
}

/** The port's codes: `denied` and `invalid` are for ever, anything else passes. */
function asOfPort(error: unknown): unknown {
  if (!isSeedmintError(error)) return error;
  const isFinal = error.code === "denied" || error.code === "usage" || error.code === "protocol";
  if (!isFinal) return error;
  return error.retryable
    ? new SeedmintError("unavailable", error.message, { cause: error, retryable: true })
    : new SeedmintError("denied", messageOf(error), { cause: error });
}
