/** A purse and a till whose mint is one table: every sat is somewhere, so tests can balance the books. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { Purse, Reclaimed, Redeemed } from "../../../provisioning/ports.ts";
import { MemoryTill, PLAY_MINT, type PlayToken, playToken } from "./memory_till.ts";

/** The lessee's key for refunds. */
export const REFUND_KEY = `03${"cd".repeat(32)}`;

/** The ecash of the play mint, by its secrets: who has it. */
export class PlayMint {
  /** Who redeemed a token, by its secret. */
  readonly spentBy = new Map<string, "till" | "purse">();
}

/** A till that asks the mint whether a token was spent. */
export class MintedTill extends MemoryTill {
  readonly #mint: PlayMint;

  constructor(mint: PlayMint) {
    super();
    this.#mint = mint;
  }

  override async redeem(
    request: { readonly id: string; readonly token: string },
  ): Promise<Redeemed> {
    const { secret } = readPlayToken(request.token);
    if (this.#mint.spentBy.has(secret) && !this.redeemed.has(request.id)) {
      return { status: "refused", code: "token_already_spent", message: "It was spent before" };
    }
    const redeemed = await super.redeem(request);
    if (redeemed.status === "redeemed") this.#mint.spentBy.set(secret, "till");
    return redeemed;
  }
}

/** A purse in memory. It outlives the lessee, as a wallet does. */
export class MemoryPurse implements Purse {
  readonly refundKey = REFUND_KEY;
  balanceSat: number;
  /** Why it declines, if it does. */
  declines: string | undefined;
  /** Whether its mint answers. */
  isReachable = true;
  /** Tokens that were made, by the id of their payment. */
  readonly made = new Map<string, PlayToken & { readonly token: string }>();
  readonly #received = new Map<string, number>();
  readonly #mint: PlayMint;
  readonly #till: MemoryTill;
  readonly #clock: Pick<Clock, "nowMs">;

  constructor(options: {
    readonly balanceSat: number;
    readonly mint: PlayMint;
    readonly till: MemoryTill;
    readonly clock: Pick<Clock, "nowMs">;
  }) {
    this.balanceSat = options.balanceSat;
    this.#mint = options.mint;
    this.#till = options.till;
    this.#clock = options.clock;
  }

  pay(request: Parameters<Purse["pay"]>[0]): ReturnType<Purse["pay"]> {
    this.#assertReachable();
    const known = this.made.get(request.id);
    if (known !== undefined) return Promise.resolve(ready(known.token));
    if (this.declines !== undefined) {
      return Promise.resolve({ status: "declined", reason: this.declines });
    }
    if (request.amountSat > this.balanceSat) {
      return Promise.resolve({ status: "declined", reason: "The purse is empty" });
    }
    this.balanceSat -= request.amountSat;
    const play: PlayToken = {
      secret: `secret of ${request.id}`,
      amountSat: request.amountSat,
      hasValidDleq: true,
      ...(request.lockTo === undefined ? {} : { lockedTo: request.lockTo }),
      ...(request.locktimeS === undefined ? {} : { locktimeS: request.locktimeS }),
    };
    const token = playToken(play);
    this.made.set(request.id, { ...play, token });
    return Promise.resolve(ready(token));
  }

  receive(token: string): Promise<number> {
    this.#assertReachable();
    const known = this.#received.get(token);
    if (known !== undefined) return Promise.resolve(known);
    const refund = [...this.#till.refunds.values()].find((one) => one.token === token);
    const amountSat = refund === undefined ? this.#takePlay(token) : refund.amountSat;
    if (refund?.lockTo !== undefined && refund.lockTo !== this.refundKey) throw worthless();
    this.balanceSat += amountSat;
    this.#received.set(token, amountSat);
    return Promise.resolve(amountSat);
  }

  reclaim(id: string): Promise<Reclaimed> {
    this.#assertReachable();
    const made = this.made.get(id);
    if (made === undefined) return Promise.resolve({ status: "nothing" });
    const spentBy = this.#mint.spentBy.get(made.secret);
    if (spentBy === "till") return Promise.resolve({ status: "spent" });
    const unlockMs = (made.locktimeS ?? 0) * 1000;
    if (spentBy === undefined && unlockMs > this.#clock.nowMs()) {
      return Promise.resolve({ status: "waiting", retryMs: unlockMs - this.#clock.nowMs() });
    }
    if (spentBy === undefined) {
      this.#mint.spentBy.set(made.secret, "purse");
      this.balanceSat += made.amountSat;
    }
    return Promise.resolve({ status: "returned", amountSat: made.amountSat });
  }

  /** What was made and nobody has yet. */
  get inFlightSat(): number {
    return [...this.made.values()].filter(({ secret }) => !this.#mint.spentBy.has(secret))
      .reduce((sum, { amountSat }) => sum + amountSat, 0);
  }

  /** What was paid back and not received yet. */
  get unreceivedSat(): number {
    return [...this.#till.refunds.values()].filter(({ token }) => !this.#received.has(token))
      .reduce((sum, { amountSat }) => sum + amountSat, 0);
  }

  #takePlay(token: string): number {
    const { secret, amountSat, lockedTo } = readPlayToken(token);
    if (lockedTo !== undefined || this.#mint.spentBy.has(secret)) throw worthless();
    this.#mint.spentBy.set(secret, "purse");
    return amountSat;
  }

  #assertReachable(): void {
    if (this.isReachable) return;
    throw new SeedmintError("unavailable", "The mint does not answer", { retryable: true });
  }
}

function ready(token: string) {
  return { status: "ready", token, mint: PLAY_MINT, feeSat: 0 } as const;
}

function worthless(): SeedmintError {
  return new SeedmintError("denied", "Cannot take the token: it is worth nothing to us");
}

function readPlayToken(token: string): PlayToken {
  if (!token.startsWith("cashuP")) throw worthless();
  try {
    return JSON.parse(atob(token.slice(6))) as PlayToken;
  } catch {
    throw worthless();
  }
}
