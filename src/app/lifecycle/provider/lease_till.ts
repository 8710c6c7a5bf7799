/** The wallet's till as a provider of compute uses it: ids are leases', refunds go by the mints that paid. */
import { SeedmintError } from "../../../core/errors.ts";
import type { Sha256 } from "../../../core/hash.ts";
import type { Clock } from "../../../core/ports.ts";
import { systemClock } from "../../../host/system.ts";
import type { LeaseJournal } from "../../../../provisioning/leases/mod.ts";
import type { Redeemed, Refunded, Till, TokenFacts } from "../../../../provisioning/ports.ts";
import {
  type Till as WalletTill,
  TillRefusal,
  tokenEvidence,
} from "../../../../wallet/till/mod.ts";
import { refundSources } from "./lease_debts.ts";

/** {@link Till} over the wallet. */
export class LeaseTill implements Till {
  readonly #till: WalletTill;
  readonly #journal: LeaseJournal;
  readonly #clock: Pick<Clock, "nowMs">;

  constructor(
    till: WalletTill,
    journal: LeaseJournal,
    clock: Pick<Clock, "nowMs"> = systemClock,
  ) {
    this.#till = till;
    this.#journal = journal;
    this.#clock = clock;
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

  idOf(token: string): Sha256 | undefined {
    return tokenEvidence(token)?.id as Sha256 | undefined;
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
    const sources = refundSources(this.#journal, request.id, this.#clock.nowMs());
    return await this.#till.refund({ ...request, sources }, options);
  }

  /** Y of each proof that a redeemed token had, for receipts. */
  ysOf(tokenId: string): readonly string[] {
    return this.#till.ysOf(tokenId);
  }
}
