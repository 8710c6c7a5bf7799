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
import { refundParts } from "./lease_debts.ts";

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
    const parts = refundParts(this.#journal, request, this.#clock.nowMs());
    if (parts.reduce((sum, part) => sum + part.amountSat, 0) < request.amountSat) {
      throw new SeedmintError(
        "storage",
        `Cannot pay ${request.amountSat} sat back: the journal of leases does not say which mints they came from; restore it from a backup`,
      );
    }
    const paid = await Promise.all(
      parts.map((part) => this.#till.refund({ ...request, ...part }, options)),
    );
    const waiting = paid.flatMap((one) => one.status === "pending" ? [one.retryMs] : []);
    // A part that was made is the same when the others are here, too.
    if (waiting.length > 0) return { status: "pending", retryMs: Math.max(...waiting) };
    const tokens = paid.filter((one) => one.status === "refunded");
    const [first] = tokens;
    if (first === undefined) return { status: "dust" };
    return {
      status: "refunded",
      token: tokens.map(({ token }) => token).join(" "),
      amountSat: tokens.reduce((sum, { amountSat }) => sum + amountSat, 0),
      mint: first.mint,
    };
  }

  /** Y of each proof that a redeemed token had, for receipts. */
  ysOf(tokenId: string): readonly string[] {
    return this.#till.ysOf(tokenId);
  }
}
