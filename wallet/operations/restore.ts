/** Ecash found again from the seed words (NUT-09, NUT-13), and what we hold looked at again (NUT-07). */
import { unreachable } from "../../src/core/assert.ts";
import { isSeedmintError } from "../../src/core/errors.ts";
import type { ProofRecord } from "../store/wallet_store.ts";
import {
  RESTORE_BATCH,
  RESTORE_COUNTER_MAX,
  RESTORE_GAP,
  RESTORE_KEYSET_TRIES_MAX,
  RESTORE_PENDING_LOOKS_MAX,
} from "./limits.ts";
import type { Operation } from "./operation.ts";
import { type Find, find, insertFound } from "./restore_find.ts";
import type { Derived, KeysetScan, RestorePlan, RestoreState } from "./restore_plan.ts";
import type { Saga, SagaContext, Step } from "./saga.ts";
import { commit, postpone } from "./transition.ts";

/** The saga of {@link RestorePlan}. */
export const restoreSaga: Saga = {
  kind: "restore",
  step(operation, context, { signal }) {
    const restore = operation as Operation<RestorePlan>;
    const state = restore.state as RestoreState;
    switch (state) {
      case "planned":
        return list(restore, context, signal);
      case "rechecking":
        return recheck(restore, context, signal);
      case "scanning":
        return scan(restore, context, signal);
      case "waiting":
        return lookAgain(restore, context, signal);
      case "done":
        return Promise.resolve("rest");
      default:
        return unreachable(state);
    }
  },
};

/** planned → rechecking: which keysets there are, inactive ones too. */
async function list(
  operation: Operation<RestorePlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const keysets = await context.mints.of(operation.mint).keysets({ signal, fresh: true });
  commit(context, operation, (tx) =>
    tx.updateOperation(operation, {
      state: "rechecking",
      plan: {
        ...operation.plan,
        keysets: keysets.map(({ id }) => ({ id, next: 0, signedTo: 0 })),
      },
      reason: null,
    }));
  return "again";
}

/** rechecking → rechecking, scanning or done: what we hold, a batch at a time in the order of Y. */
async function recheck(
  operation: Operation<RestorePlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { plan, mint } = operation;
  const after = plan.checkedTo ?? "";
  const batch = held(context, operation).filter((proof) => proof.y > after)
    .sort((a, b) => (a.y < b.y ? -1 : 1)).slice(0, RESTORE_BATCH);
  const last = batch.at(-1);
  if (last === undefined) {
    if (plan.heldOnly) return finish(operation, context);
    commit(
      context,
      operation,
      (tx) => tx.updateOperation(operation, { state: "scanning", reason: null }),
    );
    return "again";
  }
  const states = await context.mints.of(mint).checkStates(batch.map((proof) => proof.y), {
    signal,
  });
  const atMs = context.clock.nowMs();
  commit(context, operation, (tx) => {
    const lost: ProofRecord[] = [];
    for (const [index, { y }] of batch.entries()) {
      const now = tx.proof(y);
      if (now === undefined || now.state === "spent") continue;
      const { state } = states[index]!;
      // What an operation has its hand on is that operation's to settle.
      if (state === "SPENT" && now.state === "free") lost.push(now);
      // What is out stays marked: unspent does not mean that nobody was given it since the backup.
      else if (state === "UNSPENT" && now.needsRecheck === true && now.state !== "outgoing") {
        tx.markChecked([y]);
      }
    }
    const lostSat = lost.reduce((sum, proof) => sum + proof.amount, 0n);
    tx.moveProofs(lost.map((proof) => proof.y), "spent", operation.id);
    if (lostSat > 0n) {
      const { id: operationId } = operation;
      tx.addLedger([{ operationId, mint, kind: "loss", delta: -lostSat, atMs }]);
    }
    tx.updateOperation(operation, {
      plan: { ...plan, checkedTo: last.y, lostSat: plan.lostSat + Number(lostSat) },
      reason: null,
    });
  });
  return "again";
}

function held(context: SagaContext, { mint, plan }: Operation<RestorePlan>): ProofRecord[] {
  const flagged = context.store.proofs({ mint, needsRecheck: true });
  if (plan.heldOnly) return flagged;
  const free = context.store.proofs({ mint, state: "free", needsRecheck: false });
  return [...flagged, ...free];
}

/** scanning → scanning, waiting or done: one batch of counters of one keyset. */
async function scan(
  operation: Operation<RestorePlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { plan } = operation;
  const [current, ...others] = plan.keysets;
  if (current === undefined) return finishScan(operation, context);
  const wanted: Derived[] = Array.from({ length: RESTORE_BATCH }, (_, index) => ({
    keysetId: current.id,
    counter: current.next + index,
  }));
  let found: Find;
  try {
    found = await find(context, operation, { wanted, signal });
  } catch (error) {
    // A keyset that cannot be read must not keep the others from being found.
    const isHopeless = isSeedmintError(error, "not-found") ||
      (isSeedmintError(error, "protocol") && error.retryable &&
        operation.attempts + 1 >= RESTORE_KEYSET_TRIES_MAX);
    if (!isHopeless) throw error;
    commit(context, operation, (tx) =>
      tx.updateOperation(operation, {
        attempts: 0,
        plan: { ...plan, keysets: others, unreadable: [...plan.unreadable, current.id] },
      }));
    return "again";
  }
  commit(context, operation, (tx) => {
    const foundSat = insertFound(tx, context, { operation, find: found });
    const signedTo = Math.max(current.signedTo, ...found.signed.map(({ counter }) => counter + 1));
    tx.advanceCounter(current.id, signedTo);
    const next = { id: current.id, next: current.next + RESTORE_BATCH, signedTo };
    const isDone = isScanned(next, tx.counter(current.id));
    tx.updateOperation(operation, {
      amount: operation.amount + foundSat,
      attempts: 0,
      plan: {
        ...plan,
        keysets: isDone ? others : [next, ...others],
        pending: [...plan.pending, ...found.pending],
        foundSat: plan.foundSat + Number(foundSat),
      },
      reason: null,
    });
  });
  return "again";
}

/** Nothing was signed for a while, neither as the mint says nor as we remember. */
function isScanned(scan: KeysetScan, counter: number): boolean {
  return scan.next >= Math.max(scan.signedTo, counter) + RESTORE_GAP ||
    scan.next >= RESTORE_COUNTER_MAX;
}

function finishScan(operation: Operation<RestorePlan>, context: SagaContext): Step {
  if (operation.plan.pending.length === 0) return finish(operation, context);
  commit(context, operation, (tx) =>
    tx.updateOperation(operation, {
      state: "waiting",
      nextAtMs: context.clock.nowMs(),
      reason: "some of the ecash is in a payment that is under way",
    }));
  return "again";
}

/** waiting → waiting or done. */
async function lookAgain(
  operation: Operation<RestorePlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { plan } = operation;
  if ((operation.nextAtMs ?? 0) > context.clock.nowMs()) return "rest";
  const wanted = plan.pending.slice(0, RESTORE_BATCH);
  const rest = plan.pending.slice(RESTORE_BATCH);
  const found = await find(context, operation, { wanted, signal });
  const settled = found.pending.length < wanted.length;
  if (!settled && operation.attempts >= RESTORE_PENDING_LOOKS_MAX) {
    return finish(operation, context);
  }
  if (!settled) {
    postpone(context, operation, { reason: operation.reason ?? "waits for pending ecash" });
    return "rest";
  }
  commit(context, operation, (tx) => {
    const foundSat = insertFound(tx, context, { operation, find: found });
    tx.updateOperation(operation, {
      amount: operation.amount + foundSat,
      attempts: 0,
      plan: {
        ...plan,
        pending: [...rest, ...found.pending],
        foundSat: plan.foundSat + Number(foundSat),
      },
    });
  });
  const now = context.store.operation<RestorePlan>(operation.id)!;
  return now.plan.pending.length === 0 ? finish(now, context) : "again";
}

function finish(operation: Operation<RestorePlan>, context: SagaContext): Step {
  const { plan } = operation;
  const notes = [
    ...(plan.lostSat > 0 ? [`${plan.lostSat} sat were spent elsewhere`] : []),
    ...(plan.pending.length > 0
      ? [`${plan.pending.length} proofs are still pending; restore again later`]
      : []),
    ...(plan.unreadable.length > 0 ? [`${plan.unreadable.length} keysets could not be read`] : []),
  ];
  commit(context, operation, (tx) =>
    tx.updateOperation(operation, {
      state: "done",
      status: "done",
      nextAtMs: null,
      reason: notes.length === 0 ? null : notes.join("; "),
    }));
  return "again";
}
