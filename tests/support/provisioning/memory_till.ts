/** A till whose mints are a table: every sat is counted, so tests can balance the books. */
import { createHash } from "node:crypto";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Sha256 } from "../../../src/core/hash.ts";
import type {
  Redeemed,
  Refunded,
  Till,
  TokenFacts,
  TokenRefusal,
} from "../../../provisioning/ports.ts";

/** What a play token says. */
export interface PlayToken {
  readonly secret: string;
  readonly amountSat: number;
  readonly mint?: string;
  readonly unit?: string;
  readonly lockedTo?: string;
  readonly locktimeS?: number;
  readonly hasValidDleq?: boolean;
}

/** The mint that is taken. */
export const PLAY_MINT = "https://mint.example";

/** The till's key. */
export const PAYMENT_KEY = `02${"ab".repeat(32)}`;

/** Writes a play token. */
export function playToken(token: PlayToken): string {
  return `cashuP${btoa(JSON.stringify(token))}`;
}

/** One that is locked to the till, for good, with valid proofs. */
export function safeToken(secret: string, amountSat: number): string {
  return playToken({ secret, amountSat, lockedTo: PAYMENT_KEY, hasValidDleq: true });
}

/** One that anybody can spend; its proofs are valid. */
export function bareToken(secret: string, amountSat: number): string {
  return playToken({ secret, amountSat, hasValidDleq: true });
}

/** What was paid back. */
export interface PlayRefund {
  readonly token: string;
  readonly askedSat: number;
  /** What the token is worth: `askedSat`, or less by its fee. */
  readonly amountSat: number;
  readonly feeSat: number;
  readonly mint: string;
  readonly lockTo?: string;
}

/** A till in memory. It outlives the provider, as a wallet and its mints do. */
export class MemoryTill implements Till {
  mints: readonly string[] = [PLAY_MINT];
  readonly paymentKey = PAYMENT_KEY;
  /** Taken off each token. */
  feeSat = 0;
  /** What its mint takes for sending ecash that is locked. */
  sendFeeSat = 0;
  /** Whether the mint answers; nothing is known while it does not. */
  isReachable = true;
  /** Whether paying back works. */
  canRefund = true;
  /** What a token's secret is refused with. */
  readonly refusals = new Map<string, TokenRefusal>();
  /** What was redeemed, by token. */
  readonly redeemed = new Map<string, number>();
  readonly refunds = new Map<string, PlayRefund>();
  /** What is here, by mint: a refund is ecash of one of them. */
  readonly #holdings = new Map<string, number>();
  /** Questions to the mint. */
  redeemCount = 0;

  inspect(token: string): TokenFacts {
    const read = readToken(token);
    const mint = read.mint ?? PLAY_MINT;
    if (!this.mints.includes(mint)) throw refusal("non_whitelisted_mint");
    const unit = read.unit ?? "sat";
    if (unit !== "sat") throw refusal("unsupported_unit");
    return {
      mint,
      unit,
      amountSat: read.amountSat,
      hasValidDleq: read.hasValidDleq ?? false,
      id: idOf(read.secret),
      wasTaken: this.redeemed.has(idOf(read.secret)),
      ...(read.lockedTo === undefined ? {} : { lockedTo: read.lockedTo }),
      ...(read.locktimeS === undefined ? {} : { locktimeS: read.locktimeS }),
    };
  }

  idOf(token: string): Sha256 | undefined {
    try {
      return idOf(readToken(token).secret);
    } catch {
      return undefined;
    }
  }

  redeem(request: { readonly id: string; readonly token: string }): Promise<Redeemed> {
    this.redeemCount++;
    const read = readToken(request.token);
    const known = this.redeemed.get(request.id);
    if (known !== undefined) {
      return Promise.resolve({ status: "redeemed", amountSat: known, feeSat: this.feeSat });
    }
    if (!this.isReachable) return Promise.resolve({ status: "pending", retryMs: 1000 });
    const code = this.refusals.get(read.secret);
    if (code !== undefined) {
      return Promise.resolve({ status: "refused", code, message: "The mint refused it" });
    }
    const amountSat = read.amountSat - this.feeSat;
    this.redeemed.set(request.id, amountSat);
    this.#move(read.mint ?? PLAY_MINT, amountSat);
    return Promise.resolve({ status: "redeemed", amountSat, feeSat: this.feeSat });
  }

  refund(
    request: { readonly id: string; readonly amountSat: number; readonly lockTo?: string },
  ): Promise<Refunded> {
    if (!this.canRefund) return Promise.resolve({ status: "pending", retryMs: 1000 });
    const { id, ...asked } = request;
    const known = this.refunds.get(id);
    if (known !== undefined && known.askedSat !== asked.amountSat) {
      throw new Error(`Refund ${id} asked for two amounts`);
    }
    const refund = known ?? this.#pay(`cashuR${id}`, asked);
    if (refund === "short") return Promise.resolve({ status: "pending", retryMs: 1000 });
    if (refund === "dust") return Promise.resolve({ status: "dust" });
    this.refunds.set(id, refund);
    const { token, amountSat, mint } = refund;
    return Promise.resolve({ status: "refunded", token, amountSat, mint });
  }

  /** As the wallet does: the fee is taken off where nothing else is there. */
  #pay(
    token: string,
    { amountSat: askedSat, lockTo }: { readonly amountSat: number; readonly lockTo?: string },
  ): PlayRefund | "short" | "dust" {
    const found = [...this.#holdings].find(([, heldSat]) => heldSat >= askedSat);
    if (found === undefined) return "short";
    const [mint, heldSat] = found;
    const feeSat = lockTo === undefined ? 0 : this.sendFeeSat;
    const amountSat = Math.min(askedSat, heldSat - feeSat);
    if (amountSat < 1) return "dust";
    this.#move(mint, -amountSat - feeSat);
    return {
      token,
      askedSat,
      amountSat,
      feeSat,
      mint,
      ...(lockTo === undefined ? {} : { lockTo }),
    };
  }

  #move(mint: string, sat: number): void {
    this.#holdings.set(mint, (this.#holdings.get(mint) ?? 0) + sat);
  }

  /** What is kept: redeemed and not paid back. */
  get balanceSat(): number {
    return [...this.#holdings.values()].reduce((total, sat) => total + sat, 0);
  }
}

function readToken(token: string): PlayToken {
  try {
    if (token.startsWith("cashuP")) return JSON.parse(atob(token.slice(6))) as PlayToken;
  } catch {
    // Refused below.
  }
  throw refusal("invalid_token");
}

function idOf(secret: string): Sha256 {
  return createHash("sha256").update(secret).digest("hex") as Sha256;
}

function refusal(code: TokenRefusal): SeedmintError {
  return new SeedmintError("denied", `Cannot take the token: ${code}`, { cause: { code } });
}
