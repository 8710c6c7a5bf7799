/**
 * Taking payments in. A payment has an id that its payer chose and a token; both are used once: the same
 * id with the same token gives the same answer, anything else is a conflict.
 *
 * A token of a trusted mint that passes every check gets credit at once. Any other is redeemed first.
 * A mint that is not listed is never asked anything.
 */
import { createHash } from "node:crypto";
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import { hashToCurveHex, isPoint } from "../cashu.ts";
import { INPUTS_PER_REQUEST_MAX, PROOFS_PER_PAYMENT_MAX, TOKEN_CHARS_MAX } from "../limits.ts";
import { AT_ONCE, joinBatch } from "../operations/redeem_plan.ts";
import type { SagaContext } from "../operations/saga.ts";
import { parseSpendingCondition } from "../outputs/p2pk_secret.ts";
import { inputFee } from "../selection/fees.ts";
import type { IncomingPayment, MintRecord, WalletReads } from "../store/wallet_store.ts";
import { readTokenAt, TokenError, tokenMetadata } from "../token.ts";
import { type Keyset, type MintUrl, type Proof, type ProofState, WALLET_UNIT } from "../types.ts";
import { exposureWith, QueuedPace } from "./exposure.ts";
import {
  INFO_AGE_MS_MAX,
  INFO_WAIT_MS,
  INTAKE_KNOWN_MAX,
  INTAKE_STRANGERS_MAX,
  PAYMENT_NAME_CHARS_MAX,
  PAYMENT_SAT_MAX,
  PEER_TOKEN_CHARS_MAX,
  QUEUED_MAX,
  QUEUED_PER_PAYER_MAX,
} from "./limits.ts";
import { offlineAnswer } from "./offline.ts";
import { type PaymentRefusal, refusal, type TakeOutcome } from "./outcome.ts";
import { PayerThrottle } from "./payer_throttle.ts";
import { INTAKE_POLICY, type IntakePolicy } from "./policy.ts";
import { HereVerifier, type Verifier } from "./proof_verifier.ts";
import { RefusedTokens } from "./refused_tokens.ts";
import { spendTrouble } from "./spendable.ts";

/** A payment as its payer sends it. */
export interface PaymentOffer {
  /** Who pays: the peer id that the connection proved, or `local` for the user. */
  readonly payer: string;
  /** Chosen by the payer, 1 to 64 characters. */
  readonly paymentId: string;
  readonly token: string;
  /** What it must be worth after fees, in sat. @default {1n} */
  readonly price?: bigint;
  /** What its ecash must be worth on its face, in sat. @default {1n} */
  readonly amountMin?: bigint;
  /** Mints that it may be of. @default {all that are listed} */
  readonly mints?: ReadonlySet<string>;
  /** Redeemed at once and by itself, as the user wants it. @default {false} */
  readonly alone?: boolean;
}

/** A token that was read and whose ecash is new here. */
interface ReadToken {
  readonly mint: MintRecord;
  readonly proofs: readonly (Proof & { readonly y: string })[];
  readonly amount: bigint;
  /** Amount less the fee of redeeming it alone. */
  readonly credit: bigint;
  readonly keysets: ReadonlyMap<string, Keyset>;
}

/** Options of {@link Intake}. */
export interface IntakeOptions {
  /** @default {INTAKE_POLICY} */
  readonly policy?: IntakePolicy;
  /** @default {one in the calling thread} */
  readonly verifier?: Verifier;
  /** Called when a payment waits for its redemption: its time may be now. */
  readonly onTaken?: () => void;
}

/** The place where payments come in. */
export class Intake {
  readonly #context: SagaContext;
  readonly #policy: IntakePolicy;
  readonly #refused: RefusedTokens<PaymentRefusal>;
  readonly #throttle: PayerThrottle;
  readonly #verifier: Verifier;
  readonly #onTaken: () => void;
  /** Payments of peers that are looked at. */
  readonly #counts = { strangers: 0, known: 0 };
  readonly #pace: QueuedPace;

  constructor(
    context: SagaContext,
    options: IntakeOptions = {},
  ) {
    this.#context = context;
    this.#policy = options.policy ?? INTAKE_POLICY;
    this.#refused = new RefusedTokens(context.clock);
    this.#throttle = new PayerThrottle(context.clock);
    this.#pace = new QueuedPace(context.clock);
    this.#verifier = options.verifier ?? new HereVerifier();
    this.#onTaken = options.onTaken ?? (() => {});
  }

  /** Payments may come soon: what takes long to load is loaded. */
  prepare(): void {
    this.#verifier.prepare?.();
  }

  /** A payment that was taken in came to nothing: its payer is heard less for a while. */
  penalize(payer: string): void {
    this.#throttle.charge(payer);
  }

  /**
   * Takes a payment. Never throws for what a payer sends or a mint does.
   *
   * @throws {SeedmintError} `storage` or `no-space`
   * @throws `signal.reason`
   */
  async take(
    offer: PaymentOffer,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<TakeOutcome> {
    const malformed = shapeTrouble(offer);
    if (malformed !== undefined) return refusal("malformed", malformed);
    const tokenHash = createHash("sha256").update(offer.token).digest("hex");
    const known = this.#known(this.#context.store, offer, tokenHash);
    if (known !== undefined) return await this.#lasting(known);
    const refusedBefore = this.#refused.get(tokenHash);
    if (refusedBefore !== undefined) return refusedBefore;
    const outcome = isOfPeer(offer)
      ? await this.#takeOfPeer(offer, tokenHash, signal)
      : await this.#takeNew(offer, tokenHash, { signal, isFirst: true });
    if (outcome.status === "refused" && outcome.isFinal && outcome.code !== "own") {
      this.#refused.add(tokenHash, outcome);
    }
    return await this.#lasting(outcome);
  }

  /** The outcome, once a power cut cannot undo it. */
  async #lasting(outcome: TakeOutcome): Promise<TakeOutcome> {
    if (outcome.status === "taken") await this.#context.store.flush();
    return outcome;
  }

  /** Before anything of it costs the processor: may its payer be heard, and is there room? */
  async #takeOfPeer(
    offer: PaymentOffer,
    tokenHash: string,
    signal: AbortSignal | undefined,
  ): Promise<TakeOutcome> {
    const { payer, token } = offer;
    const isStranger = (this.#context.store.creditAccount(payer)?.paid ?? 0n) === 0n;
    const lane = isStranger ? "strangers" : "known";
    const countMax = isStranger ? INTAKE_STRANGERS_MAX : INTAKE_KNOWN_MAX;
    if (this.#counts[lane] >= countMax) {
      return refusal("busy", "many payments are being checked; send the same one again soon");
    }
    const admission = this.#throttle.admit(payer, { isStranger, tokenChars: token.length });
    if ("retryMs" in admission) {
      const busy = refusal(
        "busy",
        "too many payments came to nothing; send the same one again later",
      );
      return { ...busy, retryMs: admission.retryMs };
    }
    this.#counts[lane]++;
    try {
      let isVerified = false;
      const outcome = await this.#takeNew(offer, tokenHash, {
        signal,
        isFirst: !isStranger,
        onVerify: () => isVerified = true,
      });
      this.#throttle.settle(admission, outcome, { isVerified });
      return outcome;
    } catch (error) {
      this.#throttle.forgive(admission);
      throw error;
    } finally {
      this.#counts[lane]--;
    }
  }

  async #takeNew(
    offer: PaymentOffer,
    tokenHash: string,
    options: {
      readonly signal: AbortSignal | undefined;
      readonly isFirst: boolean;
      /** Called before its proofs are verified, which takes long. */
      readonly onVerify?: () => void;
    },
  ): Promise<TakeOutcome> {
    const { signal, isFirst, onVerify } = options;
    signal?.throwIfAborted();
    const token = await this.#read(offer, signal);
    if ("status" in token) return token;
    if (offer.alone) return this.#commit(offer, { tokenHash, token, offline: undefined });
    onVerify?.();
    const isProven = await this.#isProven(token, isFirst);
    signal?.throwIfAborted();
    if (typeof isProven !== "boolean") return isProven;
    if (!isProven && isOfPeer(offer) && this.#policy.unproven === "refuse") {
      if (token.proofs.every(({ dleq }) => dleq?.r !== undefined)) this.penalize(offer.payer);
      return refusal("malformed", "its ecash does not prove that the mint signed it (NUT-12)");
    }
    const offline = isProven ? await this.#offline(offer, token, signal) : undefined;
    return this.#commit(offer, { tokenHash, token, offline });
  }

  async #isProven(token: ReadToken, isFirst: boolean): Promise<boolean | TakeOutcome> {
    try {
      return await this.#verifier.verify(token.proofs, (id) => token.keysets.get(id), { isFirst });
    } catch (error) {
      if (!isSeedmintError(error)) throw error;
      return refusal("busy", "many payments are being checked; send the same one again soon");
    }
  }

  /** What was said of this payment before, if it was seen. */
  #known(
    reads: Pick<WalletReads, "incoming">,
    offer: PaymentOffer,
    tokenHash: string,
  ): TakeOutcome | undefined {
    const payment = reads.incoming(offer.payer, offer.paymentId);
    if (payment === undefined) return undefined;
    return payment.tokenHash === tokenHash
      ? { status: "taken", payment }
      : { status: "conflict", reason: "this payment id came with another token before" };
  }

  async #read(
    offer: PaymentOffer,
    signal: AbortSignal | undefined,
  ): Promise<ReadToken | TakeOutcome> {
    const proofCountMax = isOfPeer(offer) ? PROOFS_PER_PAYMENT_MAX : INPUTS_PER_REQUEST_MAX;
    let mint: MintRecord | TakeOutcome;
    try {
      mint = this.#mintOf(offer, proofCountMax);
    } catch (error) {
      const why = error instanceof TokenError ? error.message : "the token cannot be read";
      return refusal("malformed", why);
    }
    if ("status" in mint) return mint;
    const api = this.#context.mints.of(mint.url);
    const options = signal === undefined ? {} : { signal };
    try {
      const { token, keysets } = await readTokenAt(offer.token, api, options);
      return this.#checked(offer, mint, token.proofs, keysets);
    } catch (error) {
      signal?.throwIfAborted();
      if (isSeedmintError(error, "storage") || isSeedmintError(error, "no-space")) throw error;
      if (error instanceof TokenError) return refusal("malformed", error.message);
      if (isSeedmintError(error, "not-found")) {
        return refusal(
          "unavailable",
          "the mint has not told of the token's keysets; see whose it is, or send it again later",
        );
      }
      return refusal("unavailable", `the mint cannot be asked: ${messageOf(error)}`);
    }
  }

  #mintOf({ token, mints }: PaymentOffer, proofCountMax: number): MintRecord | TakeOutcome {
    const { mint, unit } = tokenMetadata(token, { proofCountMax });
    const record = this.#context.store.mint(mint);
    if (record === undefined || mints?.has(mint) === false) {
      return refusal("mint", "tokens of this mint are not taken here: it is not listed");
    }
    if (record.blockedReason !== undefined) {
      return refusal("mint", "tokens of this mint are not taken here: it is blocked");
    }
    if (unit !== WALLET_UNIT) return refusal("unit", `tokens in ${WALLET_UNIT} only`);
    return record;
  }

  #checked(
    offer: PaymentOffer,
    mint: MintRecord,
    proofs: readonly Proof[],
    keysets: ReadonlyMap<string, Keyset>,
  ): ReadToken | TakeOutcome {
    const { context, price } = { context: this.#context, price: offer.price ?? 1n };
    if ([...keysets.values()].some((keyset) => keyset.unit !== WALLET_UNIT)) {
      return refusal("unit", `tokens in ${WALLET_UNIT} only`);
    }
    const locked = proofs.map(({ secret }) => spendTrouble(secret, context.keys.payment.publicKey))
      .find((trouble) => trouble !== undefined);
    if (locked !== undefined) return refusal("locked", locked);
    const seen = this.#seen(proofs.map(({ secret }) => context.store.stateOfSecret(secret)));
    if (seen !== undefined) return seen;
    const amount = proofs.reduce((sum, proof) => sum + proof.amount, 0n);
    if (amount > PAYMENT_SAT_MAX) {
      return refusal("malformed", `payments of at most ${PAYMENT_SAT_MAX} sat are taken`);
    }
    if (amount < (offer.amountMin ?? 1n)) {
      return refusal(
        "price",
        `worth ${amount} sat, and one payment is ${offer.amountMin} sat at least`,
      );
    }
    const credit = amount - inputFee(proofs, (id) => keysets.get(id)!.inputFeePpk);
    if (credit <= 0n || credit < price) {
      const why = `worth ${credit} sat after fees, and ${price} sat are wanted`;
      // Another price may be lower.
      return { ...refusal("worthless", why), isFinal: credit <= 0n };
    }
    const withYs = proofs.map((proof) => ({ ...proof, y: hashToCurveHex(proof.secret) }));
    return { mint, proofs: withYs, amount, credit, keysets };
  }

  /** Ecash that is known here is never taken again. */
  #seen(found: readonly (ProofState | undefined)[]): TakeOutcome | undefined {
    const states = new Set(found.filter((state) => state !== undefined));
    if (states.size === 0) return undefined;
    if (states.has("incoming")) {
      return { status: "conflict", reason: "this ecash came in another payment before" };
    }
    if (states.has("spent")) return refusal("spent", "this ecash was taken here before");
    return refusal("own", "this is our own token: take it back with `wallet reclaim`");
  }

  async #offline(
    offer: PaymentOffer,
    token: ReadToken,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly redeemByMs?: number } | undefined> {
    const { store, clock, keys } = this.#context;
    const answer = offlineAnswer({
      mint: token.mint,
      info: await this.#recentInfo(token.mint.url, signal),
      keysetOf: (id) => token.keysets.get(id),
      proofs: token.proofs,
      publicKey: keys.payment.publicKey,
      credit: token.credit,
      price: offer.price ?? 1n,
      unredeemedOfMint: store.unredeemedSat({ mint: token.mint.url }),
      unredeemedOfPayer: store.unredeemedSat({ payer: offer.payer }),
      policy: this.#policy,
      nowMs: clock.nowMs(),
    });
    if (!answer.offline) return undefined;
    return answer.redeemByMs === undefined ? {} : { redeemByMs: answer.redeemByMs };
  }

  /** What the mint said of itself; it is asked once a day, and not waited for if it is slow. */
  async #recentInfo(mint: MintUrl, signal: AbortSignal | undefined) {
    const { clock, mints } = this.#context;
    const api = mints.of(mint);
    const cached = api.cachedInfo();
    if (cached !== undefined && clock.nowMs() - cached.atMs <= INFO_AGE_MS_MAX) return cached;
    const deadline = new AbortController();
    const cancel = clock.timer(INFO_WAIT_MS, () => deadline.abort());
    try {
      const signals = signal === undefined ? [deadline.signal] : [deadline.signal, signal];
      await api.info({ signal: AbortSignal.any(signals), fresh: true });
    } catch {
      signal?.throwIfAborted();
    } finally {
      cancel();
    }
    return api.cachedInfo();
  }

  #commit(
    offer: PaymentOffer,
    found: {
      readonly tokenHash: string;
      readonly token: ReadToken;
      readonly offline: { readonly redeemByMs?: number } | undefined;
    },
  ): TakeOutcome {
    const { store, clock, fault } = this.#context;
    const { token, tokenHash } = found;
    const nowMs = clock.nowMs();
    const ys = token.proofs.map((proof) => proof.y);
    fault("redeem.take.before-commit");
    const outcome = store.transact((tx): TakeOutcome => {
      // Others may have come first while this one was checked, and taken the room.
      const { mint, amount } = { mint: token.mint.url, amount: token.amount };
      const exposure = exposureWith(tx, { mint, payer: offer.payer, amount }, this.#policy);
      const offline = exposure === "over" ? undefined : found.offline;
      const before = this.#known(tx, offer, tokenHash) ??
        this.#seen(ys.map((y) => tx.proof(y)?.state)) ??
        this.#crowded(tx, offer, { token, isQueued: offline === undefined });
      if (before !== undefined) return before;
      const payment: Omit<IncomingPayment, "operationId"> = {
        payer: offer.payer,
        paymentId: offer.paymentId,
        tokenHash,
        mint: token.mint.url,
        amount: token.amount,
        credit: token.credit,
        state: offline === undefined ? "queued" : "credited",
        version: 1,
        createdMs: nowMs,
        ...offline?.redeemByMs === undefined ? {} : { redeemByMs: offline.redeemByMs },
      };
      const operation = joinBatch(tx, this.#context, {
        payment,
        proofs: token.proofs,
        policy: offline !== undefined
          ? this.#policy.batch
          : isOfPeer(offer)
          ? this.#pace.next(mint, this.#policy.batch)
          : AT_ONCE,
        alone: offer.alone ?? false,
        closes: offline !== undefined && exposure === "high",
      });
      const refundKey = isOfPeer(offer) ? refundKeyOf(token.proofs) : undefined;
      if (refundKey !== undefined) tx.putRefundKey(offer.payer, refundKey);
      return { status: "taken", payment: { ...payment, operationId: operation.id } };
    }, { isLazy: true });
    fault("redeem.take.after-commit");
    if (outcome.status === "taken") this.#onTaken();
    return outcome;
  }

  #crowded(
    reads: Pick<WalletReads, "incomingPayments" | "unredeemedSat" | "balances">,
    offer: PaymentOffer,
    found: { readonly token: ReadToken; readonly isQueued: boolean },
  ): PaymentRefusal | undefined {
    const { mint, amount } = found.token;
    const held = reads.balances().find((balance) => balance.mint === mint.url);
    // What is queued is anybody's word: it may not take the room of what proves itself.
    const coming = found.isQueued ? held?.incoming ?? 0n : reads.unredeemedSat({ mint: mint.url });
    const holding = (held?.free ?? 0n) + (held?.reserved ?? 0n) + coming;
    if (mint.exposureMaxSat !== undefined && holding + amount > mint.exposureMaxSat) {
      return refusal("exposure", "this node holds as much of this mint as it wants to");
    }
    if (!found.isQueued || offer.alone) return undefined;
    const queued = reads.incomingPayments({ state: "queued" });
    const ofPayer = queued.filter((payment) => payment.payer === offer.payer).length;
    return queued.length >= QUEUED_MAX || ofPayer >= QUEUED_PER_PAYER_MAX
      ? refusal("busy", "many payments wait to be redeemed; send the same one again later")
      : undefined;
  }
}

/** Not a token that the user pasted. */
function isOfPeer({ payer, alone }: PaymentOffer): boolean {
  return payer !== "local" && alone !== true;
}

/** Where all of it goes back to when nobody takes it: one key, or nowhere that is known. */
function refundKeyOf(proofs: readonly Proof[]): string | undefined {
  const keys = new Set(proofs.map(({ secret }) => {
    const condition = parseSpendingCondition(secret);
    return condition?.kind === "P2PK" && condition.refundKeys.length === 1
      ? condition.refundKeys[0]
      : undefined;
  }));
  const [key] = keys;
  return keys.size === 1 && isPoint(key) ? key : undefined;
}

function shapeTrouble(offer: PaymentOffer): string | undefined {
  const isName = (text: unknown) =>
    typeof text === "string" && text.length > 0 && text.length <= PAYMENT_NAME_CHARS_MAX;
  if (!isName(offer.payer) || !isName(offer.paymentId)) {
    return `a payment id of 1 to ${PAYMENT_NAME_CHARS_MAX} characters is wanted`;
  }
  const charsMax = isOfPeer(offer) ? PEER_TOKEN_CHARS_MAX : TOKEN_CHARS_MAX;
  if (typeof offer.token !== "string" || offer.token.length > charsMax) {
    return `a token of at most ${charsMax} characters is wanted`;
  }
  return undefined;
}
