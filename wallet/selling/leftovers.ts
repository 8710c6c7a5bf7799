/**
 * Credit that is left over. It stays usable by its payer; {@link REFUND_MIN_SAT} and more goes back to
 * the payer when it asks, as ecash locked to the key that its own payments named for a refund, once a
 * day; less expires when nobody used it for {@link CREDIT_KEPT_MS}, and is booked as such. What could be
 * paid back never expires: no payment is kept without service or refund.
 *
 *     credit ─▶ send operation begun, credit used ─▶ token, the same each time it is asked for
 *        ▲              │ failed                        │ never redeemed: taken back after its locktime
 *        └──────────────┴───────────────────────────────┘
 */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import { UNITS_PER_SAT } from "../credit_units.ts";
import type { Engine } from "../operations/engine.ts";
import type { Operation } from "../operations/operation.ts";
import type { SagaContext } from "../operations/saga.ts";
import { beginSend, markDelivered, tokenOf } from "../operations/send_plan.ts";
import type { CreditAccount, CreditRefund } from "../store/selling_store.ts";
import type { MintUrl } from "../types.ts";
import type { CreditAccounts } from "./credit_accounts.ts";
import {
  CREDIT_KEPT_MS,
  EXPIRY_BATCH,
  EXPIRY_ROUND_MS,
  PENDING_RETRY_MS,
  REFUND_FEE_MAX_SAT,
  REFUND_MIN_SAT,
  REFUNDS_PER_HOUR_MAX,
} from "./limits.ts";
import type { RefundAnswer, RefundRefusal } from "./selling_api.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** States of a send in which its token is out. */
const TOKEN_STATES: ReadonlySet<string> = new Set(["token-ready", "delivered"]);

/** See the head of this file. */
export class Leftovers implements Disposable {
  readonly #engine: Engine;
  readonly #accounts: CreditAccounts;
  readonly #underWay = new Map<string, Promise<RefundAnswer>>();
  readonly #off: () => void;
  #cancelRound: () => void = () => {};

  constructor(engine: Engine, accounts: CreditAccounts) {
    this.#engine = engine;
    this.#accounts = accounts;
    this.#off = engine.onEvent(({ operationId }) => {
      if (operationId !== undefined) this.#guarded(() => this.#heard(operationId));
    });
  }

  /** Catches up, and looks at idle credit from time to time. */
  start(): void {
    this.#guarded(() => this.#giveBackLost());
    this.#guarded(() => this.expire());
    this.#cancelRound = this.#context.clock.timer(EXPIRY_ROUND_MS, () => this.start());
  }

  [Symbol.dispose](): void {
    this.#off();
    this.#cancelRound();
  }

  /** Pays back what a payer has, or says why not. Whoever asks again gets the same token. */
  async refund(
    payer: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<RefundAnswer> {
    const running = this.#underWay.get(payer);
    if (running !== undefined) return await running;
    const task = this.#refund(payer, options).finally(() => this.#underWay.delete(payer));
    this.#underWay.set(payer, task);
    return await task;
  }

  /** Books what is too little to be paid back and was not used for a week. Returns how many there were. */
  expire(): number {
    const { store, clock } = this.#context;
    const nowMs = clock.nowMs();
    let count = 0;
    const idle = store.creditAccounts({ idleSinceMs: nowMs - CREDIT_KEPT_MS, hasCredit: true })
      .filter((account) => !this.#accounts.isInUse(account.payer) && isDust(account));
    for (let at = 0; at < idle.length; at += EXPIRY_BATCH) {
      const some = idle.slice(at, at + EXPIRY_BATCH);
      for (const { payer } of some) this.#accounts.settle(payer);
      store.transact((tx) => {
        for (const { payer } of some) {
          const account = tx.creditAccount(payer)!;
          const units = leftOf(account);
          if (units <= 0n || !isDust(account)) continue;
          tx.addSale({
            day: Math.floor(nowMs / DAY_MS),
            payer,
            kind: "expired",
            root: "",
            bytes: 0,
            units,
          });
          count++;
        }
      });
      for (const { payer } of some) this.#accounts.refresh(payer);
    }
    return count;
  }

  get #context(): SagaContext {
    return this.#engine.context;
  }

  async #refund(
    payer: string,
    { signal }: { readonly signal?: AbortSignal },
  ): Promise<RefundAnswer> {
    const { store } = this.#context;
    const last = store.lastCreditRefund(payer);
    const before = last && store.operation(last.operationId);
    if (before !== undefined && (before.status === "open" || before.status === "attention")) {
      return await this.#finish(before, signal);
    }
    const begun = await this.#begin(payer, last);
    return "status" in begun ? begun : await this.#finish(begun.operation, signal);
  }

  /** The operation and what it takes off the credit, in one transaction. */
  async #begin(
    payer: string,
    last: CreditRefund | undefined,
  ): Promise<RefundAnswer | { readonly operation: Operation }> {
    const { store, clock } = this.#context;
    const nowMs = clock.nowMs();
    const period = Math.floor(nowMs / DAY_MS);
    if (this.#accounts.isInUse(payer)) return no("in-use", "an answer is under way");
    this.#accounts.settle(payer);
    const account = store.creditAccount(payer);
    const left = account === undefined ? 0n : leftOf(account) / UNITS_PER_SAT;
    if (account === undefined || left < REFUND_MIN_SAT) {
      return no("dust", `less than ${REFUND_MIN_SAT} sat are left; they stay usable`);
    }
    // Real money is given back for real money only.
    const amount = left - store.unredeemedSat({ payer });
    if (amount < REFUND_MIN_SAT) return no("unavailable", "its payments are not redeemed yet");
    const { refundKey } = account;
    if (refundKey === undefined) {
      return no("no-key", "no payment named a key that ecash can go back to");
    }
    if (
      last?.period === period ||
      store.creditRefundCount(nowMs - HOUR_MS) >= REFUNDS_PER_HOUR_MAX
    ) return no("busy", "credit is paid back once a day; ask again later");
    const mint = this.#mintFor(payer, amount);
    if (mint === undefined) return no("unavailable", "no mint holds enough; ask again later");
    const operation = await beginSend(this.#context, {
      mint,
      amount,
      lock: { publicKey: refundKey },
      maxFee: REFUND_FEE_MAX_SAT,
      parent: `refund:${payer}:${period}`,
      alongside: (tx, { id }) => {
        tx.addSale({
          day: period,
          payer,
          kind: "refund",
          root: "",
          bytes: 0,
          units: amount * UNITS_PER_SAT,
        });
        tx.addCreditRefund({ payer, period, operationId: id, createdMs: nowMs });
      },
    });
    this.#accounts.refresh(payer);
    return { operation };
  }

  async #finish(begun: Operation, signal: AbortSignal | undefined): Promise<RefundAnswer> {
    let operation = begun;
    if (!TOKEN_STATES.has(operation.state)) {
      operation = await this.#engine.drive(begun.id, signal === undefined ? {} : { signal });
    }
    if (TOKEN_STATES.has(operation.state)) {
      try {
        const token = tokenOf(this.#context, operation.id);
        markDelivered(this.#context, operation.id);
        return { status: "refunded", token, amountSat: Number(operation.amount) };
      } catch (error) {
        if (!isSeedmintError(error, "denied")) throw error;
      }
    }
    if (operation.status === "open") return { status: "pending", retryMs: PENDING_RETRY_MS };
    return no("unavailable", "the mint did not make the ecash; ask again later");
  }

  /** One that the payer paid with, if it can be, and holds enough. */
  #mintFor(payer: string, amount: bigint): MintUrl | undefined {
    const { store } = this.#context;
    const holding = store.balances().filter(({ mint, free }) =>
      free >= amount && store.mint(mint)?.blockedReason === undefined &&
      store.mint(mint) !== undefined
    );
    const known = store.mintsOfPayer(payer);
    const place = (mint: string) => known.includes(mint) ? known.indexOf(mint) : known.length;
    return holding.sort((a, b) => place(a.mint) - place(b.mint))[0]?.mint;
  }

  #heard(operationId: string): void {
    const { store } = this.#context;
    const operation = store.operation(operationId);
    if (operation?.parent?.startsWith("refund:") !== true) return;
    if (operation.status === "failed" || operation.state === "reclaimed") this.#giveBackLost();
  }

  /** Refunds that came to nothing: the credit is there again, once. */
  #giveBackLost(): void {
    const { store } = this.#context;
    for (const refund of store.lostCreditRefunds()) {
      const { payer, period, operationId } = refund;
      const amount = this.#cameBack(operationId);
      store.transact((tx) => {
        if (!tx.removeCreditRefund(payer, period)) return;
        tx.addSale({
          day: period,
          payer,
          kind: "refund",
          root: "",
          bytes: 0,
          units: -amount * UNITS_PER_SAT,
        });
      });
      this.#accounts.refresh(payer);
    }
  }

  /** All of one that failed; of one that was taken back what its payer had not redeemed, in sat. */
  #cameBack(operationId: string): bigint {
    const { store } = this.#context;
    const { amount, status } = store.operation(operationId)!;
    if (status === "failed") return amount;
    return store.ledger({ operationId }).filter(({ kind }) => kind === "reclaim")
      .reduce((sum, { delta }) => sum + delta, 0n);
  }

  #guarded(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.#context.emit({
        event: "attention",
        message: `Credit that is left over is looked at again later: ${messageOf(error)}`,
      });
    }
  }
}

/** Whether what is left could be paid back to nobody: too little. */
function isDust(account: CreditAccount): boolean {
  return leftOf(account) < REFUND_MIN_SAT * UNITS_PER_SAT;
}

function leftOf(account: CreditAccount): bigint {
  return account.paid * UNITS_PER_SAT - account.used - account.drawn;
}

function no(code: RefundRefusal, reason: string): RefundAnswer {
  return { status: "declined", code, reason };
}
