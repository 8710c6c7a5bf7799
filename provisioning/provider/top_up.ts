/** Top-ups: the money first into the journal, then from the mint, then into time or back. */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import { durationMsOf, isLive, isOver, type Lease, leftMsat, type Payment } from "../leases/mod.ts";
import type { TokenFacts } from "../ports.ts";
import { type Answer, leaseNameOf, type TopUpRequest } from "../wire/mod.ts";
import { leaseIdOf } from "./answers.ts";
import { redeemOnce } from "./begin_lease.ts";
import { admit, assertUntaken, inspect } from "./check_spawn.ts";
import type { ProviderContext } from "./context.ts";
import { pauseMs, within } from "./deadline.ts";
import { refundOnce } from "./end_lease.ts";
import { instanceEndMs } from "./lease_time.ts";
import { PROVIDER_LIMITS } from "./limits.ts";
import { Refusal } from "./refusal.ts";
import type { LeaseRunner } from "./runner.ts";
import { type AskContext, checkAge } from "./spawn.ts";

/** Serves top-ups. */
export class TopUpDesk {
  readonly #context: ProviderContext;
  readonly #runner: LeaseRunner;
  /** Top-ups being finished, by token. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(context: ProviderContext, runner: LeaseRunner) {
    this.#context = context;
    this.#runner = runner;
  }

  /** Finishes what a stop of ours left open. */
  start(): void {
    for (const payment of this.#context.journal.payments.openTopUps()) this.#finish(payment);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  /** @throws {Refusal} */
  async topUp(request: TopUpRequest, lease: Lease, ask: AskContext): Promise<Answer> {
    const { journal, till } = this.#context;
    // What was begun is answered whatever became of its mint, or of what its key may have now.
    const id = till.idOf(request.token);
    const known = id && journal.payments.get(id);
    const payment = known === undefined || this.#isUntouched(known, ask.owner)
      ? this.#begin(request, lease, ask)
      : known;
    const { owner, purpose } = payment;
    if (owner !== ask.owner || payment.lease !== lease.number || purpose !== "topup") {
      throw new Refusal("token_already_spent", "The token was used already");
    }
    await this.#patiently(payment, ask.signal);
    return this.#answer(journal.payments.get(payment.tokenId)!);
  }

  /** Notes a new payment. @throws {Refusal} */
  #begin(request: TopUpRequest, lease: Lease, ask: AskContext): Payment {
    const { journal, time } = this.#context;
    if (journal.policy.isKeyDenied(ask.owner)) {
      throw new Refusal("denied", "This provider takes no money of this key");
    }
    const facts = inspect(request.token, this.#context);
    assertUntaken(facts);
    checkAge(ask, time.nowMs());
    this.#check(lease, facts);
    journal.payments.add({
      tokenId: facts.id,
      lease: lease.number,
      owner: ask.owner,
      purpose: "topup",
      token: request.token,
      faceSat: facts.amountSat,
      mint: facts.mint,
      status: "redeeming",
      createdMs: time.nowMs(),
      ...(request.refundKey === undefined ? {} : { lockTo: request.refundKey }),
    });
    return journal.payments.get(facts.id)!;
  }

  /** Whether a token is left of a lease that failed before it was asked for: it pays for one thing. */
  #isUntouched(payment: Payment, owner: string): boolean {
    if (payment.status !== "new" || payment.owner !== owner) return false;
    const lease = this.#context.journal.leases.get(payment.lease);
    return lease === undefined || isOver(lease);
  }

  #check(lease: Lease, facts: TokenFacts): void {
    const { amountSat } = facts;
    if (lease.state === "expiring" || isOver(lease)) {
      throw new Refusal("lease_expired", "This lease has ended; its token was left alone");
    }
    if (!isLive(lease)) throw new Refusal("not_ready", "This lease is not ready yet");
    const { spec } = lease.terms;
    if (durationMsOf(amountSat * 1000, spec.rateMsatPerS) < 1000) {
      throw new Refusal(
        "insufficient_payment",
        `A second costs ${spec.rateMsatPerS} msats; this is less`,
      );
    }
    const { journal, time, settings: { maxDurationMs } } = this.#context;
    const open = journal.payments.openTopUps().filter((one) => one.lease === lease.number);
    if (open.length >= PROVIDER_LIMITS.topUpsOpenMax) {
      throw new Refusal("rate_limited", "Other top-ups of this lease wait for their mint", {
        retryMs: 30_000,
      });
    }
    const comingSat = open.reduce((sum, one) => sum + one.faceSat, amountSat);
    const creditMsat = leftMsat(lease, time.nowMs()) + comingSat * 1000;
    if (durationMsOf(creditMsat, spec.rateMsatPerS) > maxDurationMs) {
      throw new Refusal(
        "invalid_request",
        `Too much: no more than ${Math.floor(maxDurationMs / 1000)} s can be paid ahead`,
      );
    }
    admit(facts, this.#context);
  }

  async #patiently(payment: Payment, signal: AbortSignal): Promise<void> {
    try {
      await within(
        this.#context.clock,
        { ms: PROVIDER_LIMITS.redeemPatienceMs, what: "The top-up", signal },
        () => this.#finish(payment),
      );
    } catch (error) {
      if (!isSeedmintError(error, "timeout")) throw error;
    }
  }

  #finish(payment: Payment): Promise<void> {
    const running = this.#running.get(payment.tokenId) ??
      this.#run(payment).finally(() => this.#running.delete(payment.tokenId));
    this.#running.set(payment.tokenId, running);
    running.catch(() => {});
    return running;
  }

  async #run({ tokenId }: Payment): Promise<void> {
    await Promise.resolve();
    const { clock, journal, signal, emit } = this.#context;
    for (let attempt = 0;;) {
      const payment = journal.payments.get(tokenId);
      if (payment === undefined || payment.outcome !== undefined) return;
      let waitMs: number | undefined;
      try {
        waitMs = await this.#step(payment);
      } catch (error) {
        signal.throwIfAborted();
        emit({ type: "problem", message: `A top-up is tried again: ${messageOf(error)}` });
        waitMs = PROVIDER_LIMITS.retryFirstMs;
      }
      if (waitMs === undefined) continue;
      const pause = pauseMs(attempt++, {
        firstMs: Math.max(waitMs, 100),
        lastMs: PROVIDER_LIMITS.retryLastMs,
      });
      await clock.sleep(pause, { signal });
    }
  }

  /** @returns How long to wait, if it could not go on. */
  async #step(payment: Payment): Promise<number | undefined> {
    const { journal } = this.#context;
    if (payment.status === "redeeming") {
      const redeemed = await redeemOnce(payment, this.#context);
      if (redeemed.status === "pending") return redeemed.retryMs;
      journal.transaction(() => {
        if (redeemed.status === "redeemed") {
          journal.payments.redeemed(payment.tokenId, redeemed.amountSat);
          this.#credit(payment, redeemed.amountSat);
          return;
        }
        const { code, message } = redeemed;
        journal.payments.refused(payment.tokenId, code, message);
        journal.payments.settle(payment.tokenId, { status: "refused", code, message });
      });
      await this.#tell(payment.lease);
      return undefined;
    }
    // The money is ours, and its lease is no more.
    const refund = await refundOnce(
      `topup:${payment.tokenId}`,
      (payment.amountSat ?? 0) * 1000,
      { terms: journal.leases.get(payment.lease)!.terms },
      this.#context,
      payment.lockTo,
    );
    if (!("status" in refund)) return refund.waitMs;
    journal.payments.settle(payment.tokenId, { status: "returned", refund });
    return undefined;
  }

  /** Turns money into time, if there is still a lease for it. */
  #credit(payment: Payment, amountSat: number): void {
    const { journal, time } = this.#context;
    const amountMsat = amountSat * 1000;
    const before = journal.leases.get(payment.lease);
    const after = journal.leases.apply(payment.lease, { type: "topped-up", amountMsat }, {
      nowMs: time.nowMs(),
    });
    if (before === undefined || after?.expiresMs === undefined) return;
    journal.payments.settle(payment.tokenId, {
      status: "extended",
      extendedMs: durationMsOf(amountMsat, after.terms.spec.rateMsatPerS),
      expiresMs: after.expiresMs,
    });
  }

  async #tell(number: number): Promise<void> {
    const { journal, backend, emit, settings } = this.#context;
    const lease = journal.leases.get(number);
    if (lease === undefined) return;
    this.#runner.announce(lease);
    this.#runner.nudge(number);
    const endMs = instanceEndMs(lease, settings);
    if (!isLive(lease) || endMs === undefined) return;
    await backend.extend(leaseNameOf(number), endMs).catch((error) => {
      emit({ type: "problem", message: `Cannot note an end: ${messageOf(error)}` });
    });
  }

  #answer(payment: Payment): Answer {
    const { outcome } = payment;
    const lease = this.#context.journal.leases.get(payment.lease)!;
    switch (outcome?.status) {
      case undefined:
        throw new Refusal(
          "token_pending",
          "The mint does not say whether the token was taken: ask again under the same request id",
          { retryMs: 30_000 },
        );
      case "extended": {
        const seconds = Math.floor(outcome.extendedMs / 1000);
        const msat = (payment.amountSat ?? 0) * 1000;
        const rate = lease.terms.spec.rateMsatPerS;
        return {
          type: "topup",
          lease: leaseNameOf(lease.number),
          extendedS: seconds,
          expiresMs: outcome.expiresMs,
          message: `Lease extended by ${seconds}s (${msat} msats @ ${rate} msats/sec)`,
          leaseId: leaseIdOf(lease, this.#context.provider),
        };
      }
      case "refused":
        throw new Refusal(
          outcome.code as ConstructorParameters<typeof Refusal>[0],
          outcome.message,
        );
      case "returned":
        return {
          type: "error",
          error: "race_lost",
          message: "The lease ended before the money came; the money comes back",
          ...(outcome.refund.status === "refunded"
            ? { refund: { token: outcome.refund.token, amountSat: outcome.refund.amountSat } }
            : {}),
        };
      default:
        return outcome satisfies never;
    }
  }
}
