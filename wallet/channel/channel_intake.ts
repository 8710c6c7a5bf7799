/**
 * Channels in which we are paid: opening one, and the balances that its payer signs. A message counts as
 * soon as its balance and signature are on disk with the payment and the credit, in one transaction.
 * Nothing asks the mint: what an open channel owes us is as good as its mint, until its expiry comes near.
 */
import { createHash } from "node:crypto";
import { isSeedmintError } from "../../src/core/errors.ts";
import {
  closeByMs,
  type ClosePlan,
  endOfRecord,
  termsOfRecord,
  wantClose,
} from "../operations/channel_close.ts";
import type { Engine } from "../operations/engine.ts";
import { newOperation } from "../operations/transition.ts";
import { INFO_AGE_MS_MAX, OFFLINE_NUTS } from "../payments/limits.ts";
import { PayerThrottle } from "../payments/payer_throttle.ts";
import { INTAKE_POLICY, type IntakePolicy } from "../payments/policy.ts";
import { HereVerifier, type Verifier } from "../payments/proof_verifier.ts";
import type { ChannelRecord } from "../store/channel_store.ts";
import type { IncomingPayment } from "../store/wallet_store.ts";
import { type Keyset, WALLET_UNIT } from "../types.ts";
import {
  ALLOWANCE_MS,
  ALLOWANCES_KEPT_MAX,
  CHANNEL_MARGIN_MS,
  CHANNEL_UPDATES_MAX,
  CHANNEL_USE_MS,
  FEE_PPK_MAX,
} from "./limits.ts";
import { allowanceOf, exposureTrouble } from "./exposure.ts";
import { type ChannelMessage, decodeChannelMessage } from "./message.ts";
import { refusesChannels } from "./mint_support.ts";
import { ChannelEnd, type ChannelTerms, creditOf } from "./terms.ts";

/** A message as its payer sends it. */
export interface ChannelOffer {
  readonly payer: string;
  readonly paymentId: string;
  readonly message: string;
  /** The least that one payment must be, in sat. @default {1} */
  readonly topUpMinSat?: number;
  /** Mints that it may be of. @default {all that are listed} */
  readonly mints?: ReadonlySet<string>;
}

/** What became of it. */
export type ChannelOutcome =
  | { readonly answer: "credited" }
  | { readonly answer: "refused"; readonly code: string; readonly retryMs?: number };

/** When a payer may come again that found no room. */
const BUSY_RETRY_MS = 5_000;

/** Ends of channels kept at hand, with their outputs. */
const ENDS_KEPT_MAX = 256;

/** Options of {@link ChannelTill}. */
export interface ChannelTillOptions {
  readonly policy?: IntakePolicy;
  readonly verifier?: Verifier;
  /**
   * The most that a channel may hold of who never paid, in sat. A payer can make its mint refuse the
   * closing swap, for a few sat, by having one of the outputs signed before (they are known to both): so
   * what a channel may hold is no more than what its payer has paid for good.
   * @default {0n}
   */
  readonly strangersSatMax?: bigint;
  /** Called when a channel was opened, or is to be closed. */
  readonly onTaken?: () => void;
}

/** See the head of this file. */
export class ChannelTill {
  readonly #engine: Engine;
  readonly #policy: IntakePolicy;
  readonly #verifier: Verifier;
  readonly #throttle: PayerThrottle;
  readonly #strangersSatMax: bigint;
  readonly #onTaken: () => void;
  /** Those asked for longest ago come first. */
  readonly #allowances = new Map<string, { readonly sat: number; readonly untilMs: number }>();
  /** By channel; those used longest ago come first. */
  readonly #ends = new Map<string, ChannelEnd>();

  constructor(
    engine: Engine,
    options: ChannelTillOptions = {},
  ) {
    this.#engine = engine;
    this.#policy = options.policy ?? INTAKE_POLICY;
    this.#verifier = options.verifier ?? new HereVerifier();
    this.#throttle = new PayerThrottle(engine.context.clock);
    this.#strangersSatMax = options.strangersSatMax ?? 0n;
    this.#onTaken = options.onTaken ?? (() => {});
  }

  /** The most that a channel of the payer may hold, in sat; 0 for none. */
  allowanceOf(payer: string): number {
    const nowMs = this.#engine.context.clock.monotonicMs();
    const kept = this.#allowances.get(payer);
    if (kept !== undefined && kept.untilMs > nowMs) return kept.sat;
    const sat = Number(
      allowanceOf(this.#engine.context.store, payer, this.#strangersSatMax),
    );
    this.#allowances.delete(payer);
    this.#allowances.set(payer, { sat, untilMs: nowMs + ALLOWANCE_MS });
    for (const oldest of this.#allowances.keys()) {
      if (this.#allowances.size <= ALLOWANCES_KEPT_MAX) break;
      this.#allowances.delete(oldest);
    }
    return sat;
  }

  /**
   * Takes a message. Never throws for what a payer sends or a mint does.
   *
   * @throws {SeedmintError} `storage` or `no-space`
   */
  async pay(offer: ChannelOffer): Promise<ChannelOutcome> {
    const { store } = this.#engine.context;
    const tokenHash = createHash("sha256").update(offer.message).digest("hex");
    const known = store.incoming(offer.payer, offer.paymentId);
    if (known !== undefined) return knownOutcome(known, tokenHash);
    const isStranger = (store.creditAccount(offer.payer)?.paid ?? 0n) === 0n;
    const tokenChars = offer.message.length;
    const admission = this.#throttle.admit(offer.payer, { isStranger, tokenChars });
    if ("retryMs" in admission) return refused("busy", admission.retryMs);
    const outcome = await this.#look(offer, tokenHash);
    if (outcome.answer === "credited" || !BLAMED.has(outcome.code)) {
      this.#throttle.forgive(admission);
    } else this.#throttle.charge(offer.payer, 2);
    return outcome;
  }

  /** Has every channel closed that is open: of one payer, or of all. */
  closeAll(reason: string, { payer }: { readonly payer?: string } = {}): void {
    const { store, clock } = this.#engine.context;
    const open = store.openChannels(payer === undefined ? {} : { payer });
    store.transact((tx) => {
      for (const { operationId } of open) {
        wantClose(tx, operationId, { reason, nowMs: clock.nowMs() });
      }
    });
    for (const { operationId } of open) this.#drive(operationId);
  }

  async #look(offer: ChannelOffer, tokenHash: string): Promise<ChannelOutcome> {
    const message = decodeChannelMessage(offer.message);
    if (message === undefined) return refused("malformed");
    const { store } = this.#engine.context;
    const record = store.channel(message.channelId);
    if (record === undefined) {
      return message.open === undefined
        ? refused("unavailable")
        : await this.#open(offer, { ...message, open: message.open }, tokenHash);
    }
    if (record.payer !== offer.payer) return refused("conflict");
    const known = await this.#endOf(record, message.keysetId);
    if ("answer" in known) return known;
    return this.#update(offer, { message, known, tokenHash });
  }

  /** A balance of a channel that is open. Synchronous: nothing comes between the checks and the disk. */
  #update(
    offer: ChannelOffer,
    found: {
      readonly message: ChannelMessage;
      readonly known: { readonly end: ChannelEnd; readonly keyset: Keyset };
      readonly tokenHash: string;
    },
  ): ChannelOutcome {
    const { message, known: { end, keyset }, tokenHash } = found;
    const { store, clock, fault } = this.#engine.context;
    const record = store.channel(message.channelId)!;
    const { balance } = message;
    // What is signed on outputs of another keyset is what a seller needs whose mint rotated its own out.
    const isRenewed = message.keysetId !== record.keysetId;
    const isStuck = record.state === "closing" && this.#isRefused(record);
    if (isStuck && !isRenewed && balance > record.balance) {
      return refused("unavailable", BUSY_RETRY_MS);
    }
    if (record.state !== "open" && !isStuck) return refused("spent");
    // What is below, or the same again, was counted with the highest.
    if (balance <= record.balance) return { answer: "credited" };
    const expiryS = end.terms.expiryS;
    if (clock.nowMs() >= closeByMs({ expiryS })) return refused("locked");
    if (record.updateCount >= CHANNEL_UPDATES_MAX) return refused("exposure");
    if (balance > end.sums.balanceMax) return refused("malformed");
    if (isRenewed && !(keyset.active && keyset.unit === WALLET_UNIT)) return refused("malformed");
    const credit = creditOf(balance, end.sums);
    const more = credit - record.credit;
    const isFull = balance === end.sums.balanceMax;
    if (more < BigInt(offer.topUpMinSat ?? 1) && !isFull && !isRenewed) return refused("price");
    if (!end.isSigned(message, keyset)) return refused("malformed");
    fault("channel-close.take.before-commit");
    store.transact((tx) => {
      const nowMs = clock.nowMs();
      tx.updateChannel(record.id, {
        balance,
        credit,
        keysetId: message.keysetId,
        signature: message.signature,
        updateCount: record.updateCount + 1,
        movedMs: nowMs,
      });
      const amount = balance - record.balance;
      tx.putIncoming(paymentOf(offer, { record, tokenHash, amount, credit: more, expiryS, nowMs }));
      const reason = isFull ? "it is full" : "its mint rotated the keyset out";
      if (isFull || isRenewed) wantClose(tx, record.operationId, { reason, nowMs });
    });
    fault("channel-close.take.after-commit");
    if (isFull || isRenewed) this.#drive(record.operationId);
    return { answer: "credited" };
  }

  async #open(
    offer: ChannelOffer,
    message: ChannelMessage & { readonly open: ChannelTerms },
    tokenHash: string,
  ): Promise<ChannelOutcome> {
    const { open } = message;
    const { context } = this.#engine;
    const early = this.#termsTrouble(offer, open);
    if (early !== undefined) return early;
    const keyset = await this.#keysetFor(open);
    if ("answer" in keyset) return keyset;
    const end = new ChannelEnd(open, { keyset, key: context.keys.payment });
    const { balance } = message;
    if (message.keysetId !== open.keysetId) return refused("malformed");
    if (balance > end.sums.balanceMax) return refused("malformed");
    const credit = creditOf(balance, end.sums);
    if (credit < BigInt(Math.max(1, offer.topUpMinSat ?? 1))) return refused("price");
    if (!end.isSigned(message, keyset)) return refused("malformed");
    const full = this.#roomTrouble(offer, end);
    if (full !== undefined) return full;
    const isProven = await this.#isProven(end, keyset, offer.payer);
    if (typeof isProven !== "boolean") return isProven;
    if (!isProven) return refused("malformed");
    // The same one may have come in meanwhile, or others.
    if (context.store.channel(end.id) !== undefined) return await this.#look(offer, tokenHash);
    const late = this.#termsTrouble(offer, open) ?? this.#roomTrouble(offer, end);
    if (late !== undefined) return late;
    this.#insert(offer, { message, end, credit, tokenHash });
    this.#keep(end);
    return { answer: "credited" };
  }

  /** Whether the mint refused to close it, so that it may need another signature. */
  #isRefused({ operationId }: ChannelRecord): boolean {
    const operation = this.#engine.context.store.operation<ClosePlan>(operationId);
    return operation?.status === "open" && operation.plan.refusedCode !== undefined;
  }

  /** What can be told of it without asking anybody. */
  #termsTrouble(offer: ChannelOffer, open: ChannelTerms): ChannelOutcome | undefined {
    const { store, keys, clock } = this.#engine.context;
    const mint = store.mint(open.mint);
    if (mint === undefined || offer.mints?.has(open.mint) === false) return refused("mint");
    if (mint.blockedReason !== undefined || mint.trust !== "trusted") return refused("mint");
    if (open.seller !== keys.payment.publicKey) return refused("locked");
    const leastMs = clock.nowMs() + CHANNEL_MARGIN_MS + CHANNEL_USE_MS;
    if (open.expiryS * 1000 < leastMs) return refused("locked");
    return undefined;
  }

  /** The keyset of its funding, if the mint can be relied on. */
  async #keysetFor(open: ChannelTerms): Promise<Keyset | (ChannelOutcome & { answer: "refused" })> {
    const { mints, clock } = this.#engine.context;
    const api = mints.of(open.mint);
    try {
      const cached = api.cachedInfo();
      const isRecent = cached !== undefined && clock.nowMs() - cached.atMs <= INFO_AGE_MS_MAX;
      const info = isRecent ? cached.info : await api.info({ fresh: true });
      const isAble = OFFLINE_NUTS.every((nut) => info.nuts.has(nut)) && !refusesChannels(info);
      if (!isAble) return refused("mint");
      const keyset = await api.keyset(open.keysetId);
      if (keyset.unit !== WALLET_UNIT) return refused("unit");
      const isLasting = (keyset.finalExpiry ?? Infinity) > open.expiryS;
      if (!keyset.active || !isLasting || keyset.inputFeePpk > FEE_PPK_MAX) return refused("mint");
      const hasKeys = open.proofs.every(({ amount }) => keyset.keys[amount.toString()]);
      return hasKeys ? keyset : refused("malformed");
    } catch (error) {
      if (isSeedmintError(error, "storage") || isSeedmintError(error, "no-space")) throw error;
      if (isSeedmintError(error, "not-found")) return refused("mint");
      return refused("unavailable", BUSY_RETRY_MS);
    }
  }

  /** Whether more may be owed to us in channels, and whether its ecash is new here. */
  #roomTrouble(offer: ChannelOffer, end: ChannelEnd): ChannelOutcome | undefined {
    const { store } = this.#engine.context;
    const { mint } = end.terms;
    const channel = { payer: offer.payer, mint, capacity: end.sums.capacity };
    const code = exposureTrouble(store, channel, {
      policy: this.#policy,
      strangersSatMax: this.#strangersSatMax,
    });
    if (code !== undefined) return refused(code);
    const seen = end.inputs.some(({ secret }) => store.stateOfSecret(secret) !== undefined);
    return seen && store.channel(end.id) === undefined ? refused("conflict") : undefined;
  }

  async #isProven(
    end: ChannelEnd,
    keyset: Keyset,
    payer: string,
  ): Promise<boolean | ChannelOutcome> {
    const isFirst = (this.#engine.context.store.creditAccount(payer)?.paid ?? 0n) > 0n;
    try {
      return await this.#verifier.verify(end.inputs, () => keyset, { isFirst });
    } catch (error) {
      if (!isSeedmintError(error)) throw error;
      return refused("busy", BUSY_RETRY_MS);
    }
  }

  #insert(
    offer: ChannelOffer,
    found: {
      readonly message: ChannelMessage;
      readonly end: ChannelEnd;
      readonly credit: bigint;
      readonly tokenHash: string;
    },
  ): void {
    const { context } = this.#engine;
    const { store, clock, fault } = context;
    const { message, end, credit, tokenHash } = found;
    const { mint, expiryS } = end.terms;
    const nowMs = clock.nowMs();
    const { balance, keysetId, signature } = message;
    const operation = newOperation<ClosePlan>(context, {
      kind: "channel-close",
      state: "open",
      mint,
      amount: balance,
      plan: {
        channelId: end.id,
        round: 0,
        expiryS,
        balanceMaxSat: Number(end.sums.balanceMax),
      },
    });
    const record: ChannelRecord = {
      id: end.id,
      operationId: operation.id,
      payer: offer.payer,
      mint,
      terms: offer.message,
      capacity: end.sums.capacity,
      balance,
      credit,
      keysetId,
      signature,
      updateCount: 1,
      state: "open",
      movedMs: nowMs,
      createdMs: nowMs,
    };
    fault("channel-close.take.before-commit");
    store.transact((tx) => {
      tx.insertOperation(operation);
      tx.insertChannel(record);
      tx.insertProofs(end.inputs, { mint, state: "incoming", operationId: operation.id });
      const amount = balance;
      tx.putIncoming(paymentOf(offer, { record, tokenHash, amount, credit, expiryS, nowMs }));
      // What its payer may have back goes to the key that it named.
      tx.putRefundKey(offer.payer, end.terms.buyer);
    });
    fault("channel-close.take.after-commit");
    this.#drive(operation.id);
  }

  /** Our end of a channel, and the keyset of the outputs that are signed. */
  async #endOf(
    record: ChannelRecord,
    keysetId: string,
  ): Promise<{ readonly end: ChannelEnd; readonly keyset: Keyset } | ChannelOutcome> {
    const { context } = this.#engine;
    const api = context.mints.of(record.mint);
    const keysetOf = async (id: string) => api.cachedKeyset(id) ?? await api.keyset(id);
    try {
      const keyset = await keysetOf(keysetId);
      const end = this.#ends.get(record.id) ??
        endOfRecord(context, record, await keysetOf(termsOfRecord(record).keysetId));
      this.#keep(end);
      return { end, keyset };
    } catch (error) {
      if (isSeedmintError(error, "storage") || isSeedmintError(error, "no-space")) throw error;
      // A keyset that is not known may be new at the mint, which is asked for it again in a moment.
      return refused("unavailable", BUSY_RETRY_MS);
    }
  }

  #keep(end: ChannelEnd): void {
    this.#ends.delete(end.id);
    this.#ends.set(end.id, end);
    for (const oldest of this.#ends.keys()) {
      if (this.#ends.size <= ENDS_KEPT_MAX) break;
      this.#ends.delete(oldest);
    }
  }

  #drive(operationId: string): void {
    this.#engine.drive(operationId).catch(() => {
      // It is in the journal: whoever drives what is due goes on with it.
    }).finally(this.#onTaken);
  }
}

/** What only who errs or lies sends. */
const BLAMED: ReadonlySet<string> = new Set(["malformed", "locked", "conflict", "price", "mint"]);

function refused(code: string, retryMs?: number): ChannelOutcome & { readonly answer: "refused" } {
  return { answer: "refused", code, ...retryMs === undefined ? {} : { retryMs } };
}

function knownOutcome(payment: IncomingPayment, tokenHash: string): ChannelOutcome {
  if (payment.tokenHash !== tokenHash) return refused("conflict");
  return payment.state === "dead" ? refused("spent") : { answer: "credited" };
}

function paymentOf(
  offer: ChannelOffer,
  found: {
    readonly record: Pick<ChannelRecord, "mint" | "operationId">;
    readonly tokenHash: string;
    readonly amount: bigint;
    readonly credit: bigint;
    readonly expiryS: number;
    readonly nowMs: number;
  },
): IncomingPayment {
  const { record, tokenHash, amount, credit, expiryS, nowMs } = found;
  return {
    paymentId: offer.paymentId,
    payer: offer.payer,
    tokenHash,
    mint: record.mint,
    amount,
    credit,
    state: "credited",
    redeemByMs: closeByMs({ expiryS }),
    operationId: record.operationId,
    version: 1,
    createdMs: nowMs,
  };
}
