/**
 * Single tokens in, and back out. What became of a token is what the wallet's journal says of the
 * payment with its id; what was paid back is the send operation that names the id as its parent.
 *
 *     redeem: taken in (journal) ─▶ swapped at its mint ─▶ redeemed, or refused: spent elsewhere
 *     refund: begun (journal) ─▶ swapped ─▶ token, the same each time it is asked for
 *
 * A refund is ecash of the mint that paid in: whoever paid takes it, and nobody gets better ecash back
 * than was brought.
 */
import { createHash } from "node:crypto";
import type { Sha256 } from "../../src/core/hash.ts";
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import { isPoint } from "../cashu.ts";
import type { Engine } from "../operations/engine.ts";
import type { Operation } from "../operations/operation.ts";
import type { RedeemPlan } from "../operations/redeem_plan.ts";
import type { SagaContext } from "../operations/saga.ts";
import { beginSend, markDelivered, tokenOf } from "../operations/send_plan.ts";
import type { Intake } from "../payments/intake.ts";
import type { PaymentRefusal, RefusalCode } from "../payments/outcome.ts";
import type { IncomingPayment } from "../store/wallet_store.ts";
import type { MintUrl } from "../types.ts";
import { type InspectedToken, TokenInspector } from "./inspect_token.ts";
import {
  COUNTED_MAX,
  KEYSETS_MAX,
  REDEEM_RETRY_MS,
  REDEEM_RETRY_MS_MAX,
  REFUND_LOCK_S,
  REFUND_RETRY_MS,
  REFUND_SHORT_RETRY_MS,
  REFUND_SHORT_RETRY_MS_MAX,
} from "./limits.ts";
import { payableNow } from "./payable.ts";
import type { TillRefusalCode } from "./refusal.ts";

/** What became of a redemption. */
export type Redemption =
  /** In the wallet; `amountSat` is what arrived. */
  | { readonly status: "redeemed"; readonly amountSat: number; readonly feeSat: number }
  /** Not known yet: to be asked again under the same id. */
  | { readonly status: "pending"; readonly retryMs: number }
  /** Nothing of it was kept. */
  | { readonly status: "refused"; readonly code: TillRefusalCode; readonly message: string };

/** What became of paying back. */
export type PaidBack =
  | {
    readonly status: "refunded";
    readonly token: string;
    readonly amountSat: number;
    readonly mint: string;
  }
  | { readonly status: "pending"; readonly retryMs: number }
  /** The mint's fee for sending it takes all of it. */
  | { readonly status: "dust" };

/** Options of a till. */
export interface TillOptions {
  /** Mints whose ecash is taken; those that the wallet does not list are left out. @default {all} */
  readonly mints?: readonly string[];
  /** Told what keeps money from being paid back, in one line without anything secret. */
  readonly onProblem?: (message: string) => void;
}

/** What the intake's words are called here. */
const CODES: Readonly<Record<RefusalCode, TillRefusalCode | "later">> = {
  malformed: "invalid_token",
  mint: "non_whitelisted_mint",
  unit: "unsupported_unit",
  locked: "invalid_token",
  worthless: "invalid_token",
  price: "invalid_token",
  spent: "token_already_spent",
  own: "invalid_token",
  exposure: "non_whitelisted_mint",
  busy: "later",
  unavailable: "later",
};

/** States of a send in which its token is out. */
const TOKEN_STATES: ReadonlySet<string> = new Set(["token-ready", "delivered", "claimed"]);

/** See the head of this file. */
export class Till {
  readonly #engine: Engine;
  readonly #intake: Intake;
  readonly #options: TillOptions;
  readonly #inspector: TokenInspector;
  /** Tries of what is not decided, by the ids of redemptions and {@link triesOf} refunds. */
  readonly #tries = new Map<string, number>();
  readonly #refunding = new Map<string, Promise<PaidBack>>();

  constructor(
    parts: { readonly engine: Engine; readonly intake: Intake },
    options: TillOptions = {},
  ) {
    this.#engine = parts.engine;
    this.#intake = parts.intake;
    this.#options = options;
    this.#inspector = new TokenInspector(parts.engine.context);
  }

  /** Mints whose ecash is taken now. */
  get mints(): readonly string[] {
    const listed = this.#context.store.mints()
      .filter(({ blockedReason }) => blockedReason === undefined).map(({ url }) => url as string);
    const wanted = this.#options.mints;
    return wanted === undefined || wanted.length === 0
      ? listed
      : wanted.filter((url) => listed.includes(url));
  }

  /** The key that payments are locked to, 66 hex digits. */
  get paymentKey(): string {
    return this.#context.keys.payment.publicKey;
  }

  /** Whether ecash can be locked to `key`: a point of the curve. */
  canLockTo(key: string): boolean {
    return isPoint(key);
  }

  /**
   * Asks the mints for what {@link inspect} needs of them, so that the first token can be read, too.
   * What a mint does not say now is asked for when it redeems.
   */
  async prepare({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await Promise.all(this.mints.map(async (url) => {
      try {
        const mint = this.#context.mints.of(url as MintUrl);
        const listed = await mint.keysets({ signal });
        for (const { id } of listed.slice(0, KEYSETS_MAX)) await mint.keyset(id, { signal });
      } catch {
        signal.throwIfAborted();
      }
    }));
  }

  /**
   * Reads a token without asking anybody. One that this till has taken is read as it was.
   *
   * @throws {TillRefusal} If it cannot be taken.
   */
  inspect(token: string): InspectedToken {
    return this.#inspector.inspect(token, {
      mints: new Set(this.mints),
      isTaken: (id) => this.#payment(id) !== undefined,
    });
  }

  /**
   * Redeems a token at its mint. The same id gives the same or a newer outcome, never a second credit.
   *
   * @throws {SeedmintError} `storage`, `no-space`
   * @throws `signal.reason`
   */
  async redeem(
    { id, token }: { readonly id: string; readonly token: string },
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Redemption> {
    const known = this.#payment(id);
    if (known !== undefined) return await this.#redeemed(id, known, signal);
    const outcome = await this.#intake.take({
      payer: "local",
      paymentId: paymentIdOf(id),
      token: token.trim(),
      mints: new Set(this.mints),
      alone: true,
    }, { signal });
    switch (outcome.status) {
      case "taken":
        return await this.#redeemed(id, outcome.payment, signal);
      case "conflict":
        return { status: "refused", code: "token_already_spent", message: outcome.reason };
      case "refused":
        return this.#refused(id, outcome);
      default:
        return outcome satisfies never;
    }
  }

  /**
   * Pays back in ecash of `mint`, which paid in. The fee is ours to bear while there is something to
   * spare besides `owedSat`, what others are owed there; else the token is worth that much less. The
   * same id gives the same token. One that is locked comes back here when nobody redeemed it in a year.
   *
   * @throws {SeedmintError} `storage`, `no-space`
   * @throws `signal.reason`
   */
  async refund(
    request: {
      readonly id: string;
      readonly amountSat: number;
      readonly lockTo?: string;
      readonly mint: string;
      readonly owedSat?: number;
    },
    options: { readonly signal: AbortSignal },
  ): Promise<PaidBack> {
    const { id } = request;
    const running = this.#refunding.get(id);
    if (running !== undefined) return await running;
    const task = this.#refund(request, options).finally(() => this.#refunding.delete(id));
    this.#refunding.set(id, task);
    return await task;
  }

  /** Y of each proof (NUT-00) that a redeemed payment had, 66 hex digits; none when they are not known. */
  ysOf(id: string): readonly string[] {
    const operationId = this.#payment(id)?.operationId;
    if (operationId === undefined) return [];
    const plan = this.#context.store.operation<RedeemPlan>(operationId)?.plan;
    const paymentId = paymentIdOf(id);
    return plan?.payments.find((one) => one.payer === "local" && one.paymentId === paymentId)?.ys ??
      [];
  }

  get #context(): SagaContext {
    return this.#engine.context;
  }

  #payment(id: string): IncomingPayment | undefined {
    return this.#context.store.incoming("local", paymentIdOf(id));
  }

  async #redeemed(
    id: string,
    before: IncomingPayment,
    signal: AbortSignal,
  ): Promise<Redemption> {
    const { store } = this.#context;
    const operation = await this.#engine.drive(before.operationId!, { signal });
    const payment = this.#payment(id) ?? before;
    if (operation.status === "done" && payment.state === "redeemed") {
      this.#tries.delete(id);
      const entries = store.ledger({ operationId: operation.id });
      const sum = (kind: string) =>
        entries.filter((entry) => entry.kind === kind)
          .reduce((total, entry) => total + Number(entry.delta), 0);
      return {
        status: "redeemed",
        amountSat: sum("receive") + sum("fee"),
        feeSat: 0 - sum("fee"),
      };
    }
    if (operation.status === "failed" || payment.state === "dead") {
      this.#tries.delete(id);
      const why = operation.reason ?? "it is worth nothing";
      const code = why.includes("spent elsewhere") ? "token_already_spent" : "mint_error";
      return { status: "refused", code, message: `The mint did not redeem the token: ${why}` };
    }
    return this.#later(id);
  }

  #refused(id: string, refusal: PaymentRefusal): Redemption {
    const code = CODES[refusal.code];
    if (code === "later") return this.#later(id, refusal.retryMs);
    return { status: "refused", code, message: refusal.reason };
  }

  /** Longer each time: whoever asks may ask for days. */
  #later(id: string, leastMs = 0): Redemption {
    const retryMs = this.#pause(id, REDEEM_RETRY_MS, REDEEM_RETRY_MS_MAX);
    return { status: "pending", retryMs: Math.max(retryMs, leastMs) };
  }

  #pause(key: string, firstMs: number, lastMs: number): number {
    const tries = this.#tries.get(key) ?? 0;
    this.#tries.delete(key);
    this.#tries.set(key, tries + 1);
    if (this.#tries.size > COUNTED_MAX) this.#tries.delete(this.#tries.keys().next().value!);
    return Math.min(firstMs * 2 ** Math.min(tries, 10), lastMs);
  }

  async #refund(
    request: Parameters<Till["refund"]>[0],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<PaidBack> {
    const { store } = this.#context;
    const parent = `till-refund:${request.id}`;
    // One that failed moved nothing: it is begun anew.
    const begun = store.operations({ parent, kind: "send" })
      .find(({ status }) => status !== "failed") ?? await this.#begin(request, parent, signal);
    return "kind" in begun ? await this.#finish(request.id, begun, signal) : begun;
  }

  async #begin(
    request: Parameters<Till["refund"]>[0],
    parent: string,
    signal: AbortSignal,
  ): Promise<Operation | PaidBack> {
    const { id, amountSat, lockTo, owedSat = 0 } = request;
    const mint = request.mint as MintUrl;
    const isLocked = lockTo !== undefined;
    // Asked before anything is written: one that cannot be paid for months leaves no rows.
    const amount = await payableNow(
      this.#context,
      { mint, amount: BigInt(amountSat), isLocked, owed: BigInt(owedSat) },
      { signal },
    );
    if (typeof amount === "string") {
      const advice = "bring ecash there with wallet fund or wallet swap";
      return this.#short(id, `${amountSat} sat of ${mint}: ${amount}; ${advice}`);
    }
    if (amount < 1n) return { status: "dust" };
    const locktimeS = Math.floor(this.#context.clock.nowMs() / 1000) + REFUND_LOCK_S;
    return await beginSend(this.#context, {
      mint,
      amount,
      parent,
      ...(isLocked ? { lock: { publicKey: lockTo, locktimeS } } : {}),
    });
  }

  async #finish(refundId: string, begun: Operation, signal: AbortSignal): Promise<PaidBack> {
    const { id, mint } = begun;
    const operation = TOKEN_STATES.has(begun.state)
      ? begun
      : await this.#engine.drive(id, { signal });
    if (TOKEN_STATES.has(operation.state)) {
      try {
        const token = tokenOf(this.#context, id);
        markDelivered(this.#context, id);
        this.#tries.delete(triesOf(refundId));
        return { status: "refunded", token, amountSat: Number(operation.amount), mint };
      } catch (error) {
        if (!isSeedmintError(error, "denied")) throw error;
        this.#options.onProblem?.(`A refund is not given out: ${messageOf(error)}`);
      }
    }
    if (operation.status === "failed" || operation.status === "attention") {
      return this.#short(
        refundId,
        `${operation.amount} sat: ${operation.reason ?? operation.state}`,
      );
    }
    return { status: "pending", retryMs: REFUND_RETRY_MS };
  }

  /** Told, and longer each time: it may take a person. */
  #short(id: string, message: string): PaidBack {
    this.#options.onProblem?.(`Cannot pay back yet ${message}`);
    const retryMs = this.#pause(triesOf(id), REFUND_SHORT_RETRY_MS, REFUND_SHORT_RETRY_MS_MAX);
    return { status: "pending", retryMs };
  }
}

/** What the tries of a refund are counted under. */
function triesOf(refundId: string): string {
  return `refund ${refundId}`;
}

/** Of the till's own: no payment that a person pastes has it. */
function paymentIdOf(id: string): Sha256 {
  return createHash("sha256").update(`till:${id}`).digest("hex") as Sha256;
}
