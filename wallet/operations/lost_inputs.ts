/** What to do when inputs turn out to be spent by somebody else: another copy of this wallet. */
import type { SignedProof } from "../outputs/exchange_types.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext, Step } from "./saga.ts";
import { commit, postpone } from "./transition.ts";

/**
 * Writes off what the mint says is spent, releases the rest, and ends the operation as failed. Waits
 * while the mint is not sure. Only after an exchange that ended with `inputs-spent`.
 *
 * @param left What came of the inputs and is not spent; what was for somebody else is no longer ours.
 */
export async function forgetSpent(
  operation: Operation,
  context: SagaContext,
  { signal, left = [] }: { readonly signal: AbortSignal; readonly left?: readonly SignedProof[] },
): Promise<Step> {
  const inputs = context.store.proofs({ operationId: operation.id, state: "reserved" });
  const states = await context.mints.of(operation.mint).checkStates(
    inputs.map((proof) => proof.y),
    { signal },
  );
  if (states.some((one) => one.state === "PENDING")) {
    postpone(context, operation, { reason: "the mint is still busy with these proofs" });
    return "rest";
  }
  const spent = inputs.filter((_, index) => states[index]!.state === "SPENT");
  const kept = left.filter((proof) => proof.role !== "send");
  const sumOf = (proofs: readonly { readonly amount: bigint }[]) =>
    proofs.reduce((sum, proof) => sum + proof.amount, 0n);
  const lost = sumOf(spent) - sumOf(kept);
  commit(context, operation, (tx) => {
    tx.insertProofs(kept, { mint: operation.mint, state: "free" });
    tx.markOutputs(kept.map((proof) => proof.blinded), "signed");
    const outputs = tx.outputs(operation.id).filter((output) => output.state === "planned");
    tx.markOutputs(outputs.map((output) => output.blinded), "void");
    tx.moveProofs(spent.map((proof) => proof.y), "spent", operation.id);
    tx.releaseProofs(operation.id);
    if (lost > 0n) {
      tx.addLedger([{
        operationId: operation.id,
        mint: operation.mint,
        kind: "loss",
        delta: -lost,
        atMs: context.clock.nowMs(),
      }]);
    }
    tx.updateOperation(operation, {
      state: "failed",
      status: "failed",
      nextAtMs: null,
      reason:
        `${lost} sat were spent elsewhere, by another copy of this wallet; "wallet restore" finds what came of them`,
    });
  });
  return "rest";
}
