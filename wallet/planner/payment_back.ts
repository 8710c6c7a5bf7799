/** Taking back what a payment that we made still holds, found by the payment's id. */
import { isSeedmintError } from "../../src/core/errors.ts";
import type { Engine } from "../operations/engine.ts";
import type { Operation } from "../operations/operation.ts";
import { reclaimableFromMs, requestReclaim, type SendPlan } from "../operations/send_plan.ts";
import { hasToken, letGo, settlePayment, workOf } from "./payment_work.ts";

/** What became of taking a payment back. */
export type PaymentBack =
  /** It is ours again; `amountSat` is what arrived, the mint's fee taken off. */
  | { readonly status: "returned"; readonly amountSat: number }
  /** Its payee has redeemed it. */
  | { readonly status: "spent" }
  /** No token was made for it, and none is being made. */
  | { readonly status: "nothing" }
  /** It is locked still, or its mint does not answer. */
  | { readonly status: "waiting"; readonly retryMs: number };

/** How long until a mint is asked again. */
const RETRY_MS = 15_000;
/** A lock may have this long to go and is looked at once more before. */
const RETRY_MS_MAX = 3_600_000;

/**
 * Takes back what nobody redeemed of a payment's token: at once if it is not locked, after its locktime
 * if it is. The same again is harmless.
 *
 * @throws {SeedmintError} `storage`
 * @throws `signal.reason`
 */
export async function takePaymentBack(
  engine: Engine,
  paymentId: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<PaymentBack> {
  const { store, clock } = engine.context;
  letGo(engine, paymentId);
  settlePayment(store, paymentId);
  const begun = workOf(store, paymentId).send as Operation<SendPlan> | undefined;
  if (begun === undefined) return { status: "nothing" };
  const fromMs = reclaimableFromMs(begun.plan);
  const isHeld = hasToken(begun) && begun.state !== "claimed";
  if (isHeld && fromMs <= clock.nowMs()) {
    try {
      requestReclaim(engine.context, begun.id);
    } catch (error) {
      if (!isSeedmintError(error, "denied")) throw error; // it moved on in the meantime
    }
  }
  const operation = await engine.resume(begun.id, options) as Operation<SendPlan>;
  if (operation.state === "claimed") return { status: "spent" };
  if (operation.state === "reclaimed") {
    return { status: "returned", amountSat: returnedSat(engine, operation.id) };
  }
  if (operation.status === "failed") return { status: "nothing" };
  const leftMs = reclaimableFromMs(operation.plan) - clock.nowMs();
  return {
    status: "waiting",
    retryMs: leftMs > 0 ? Math.min(leftMs, RETRY_MS_MAX) : RETRY_MS,
  };
}

/** What came back: the ecash that was left, and the fee of that swap. */
function returnedSat({ context: { store } }: Engine, operationId: string): number {
  const entries = store.ledger({ operationId });
  const atMs = entries.find(({ kind }) => kind === "reclaim")?.atMs;
  return Number(
    entries.filter((entry) =>
      entry.kind === "reclaim" || (entry.kind === "fee" && entry.atMs === atMs)
    ).reduce((sum, { delta }) => sum + delta, 0n),
  );
}
