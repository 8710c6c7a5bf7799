/** The wallet's till as a provider of compute uses it: ids are leases', refunds go by the mint that paid. */
import { SeedmintError } from "../../../core/errors.ts";
import type { Sha256 } from "../../../core/hash.ts";
import type { LeaseJournal } from "../../../../provisioning/leases/mod.ts";
import type { Redeemed, Refunded, Till, TokenFacts } from "../../../../provisioning/ports.ts";
import { type Till as WalletTill, TillRefusal } from "../../../../wallet/till/mod.ts";

/** {@link Till} over the wallet. */
export class LeaseTill implements Till {
  readonly #till: WalletTill;
  readonly #journal: LeaseJournal;

  constructor(till: WalletTill, journal: LeaseJournal) {
    this.#till = till;
    this.#journal = journal;
  }

  get mints(): readonly string[] {
    return this.#till.mints;
  }

  get paymentKey(): string {
    return this.#till.paymentKey;
  }

  inspect(token: string): TokenFacts {
    try {
      return this.#till.inspect(token);
    } catch (error) {
      if (!(error instanceof TillRefusal)) throw error;
      throw new SeedmintError("denied", `Cannot take the token: ${error.message}`, {
        cause: error,
      });
    }
  }

  canLockTo(key: string): boolean {
    return this.#till.canLockTo(key);
  }

  redeem(
    request: { readonly id: string; readonly token: string },
    options: { readonly signal: AbortSignal },
  ): Promise<Redeemed> {
    return this.#till.redeem(request, options);
  }

  async refund(
    request: { readonly id: string; readonly amountSat: number; readonly lockTo?: string },
    options: { readonly signal: AbortSignal },
  ): Promise<Refunded> {
    if (request.amountSat < 1) return { status: "dust" };
    const mint = this.#mintOf(request.id);
    return await this.#till.refund(
      { ...request, ...(mint === undefined ? {} : { mint }) },
      options,
    );
  }

  /** Y of each proof that a redeemed token had, for receipts. */
  ysOf(tokenId: string): readonly string[] {
    return this.#till.ysOf(tokenId);
  }

  /** The mint that was paid with: `lease:<n>:<created>`, or `topup:<token>`. */
  #mintOf(id: string): string | undefined {
    const [kind, name] = id.split(":");
    const { payments } = this.#journal;
    return kind === "lease"
      ? payments.ofLease(Number(name)).find((payment) => payment.amountSat !== undefined)?.mint
      : payments.get(name as Sha256)?.mint;
  }
}
