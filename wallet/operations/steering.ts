/** What a person may do to an operation: let it go on, end it, have it tried now. */
import { assert } from "../../src/core/assert.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { FrozenRequest, Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";

/** Phases that may have a frozen request without outputs of its own. */
const PHASES = ["mint", "swap", "melt", "fence", "reclaim", "redeem"];

/** What every plan that waits for a person has. */
interface HeldPlan {
  readonly holdUntilMs?: number;
}

/**
 * Lets an operation that was prepared go on. Harmless when it goes on already.
 *
 * @throws {SeedmintError} `denied` when it has ended.
 */
export function confirm(context: SagaContext, id: string): Operation {
  return context.store.transact((tx) => {
    const operation = existing(tx.operation<HeldPlan>(id), id);
    if (operation.status !== "open") {
      throw new SeedmintError(
        "denied",
        `Cannot confirm operation ${id}: it has ended (${operation.reason ?? operation.state})`,
      );
    }
    const { holdUntilMs, ...plan } = operation.plan;
    if (holdUntilMs === undefined) return operation;
    const nowMs = context.clock.nowMs();
    if (operation.state !== "prepared") {
      throw new SeedmintError(
        "denied",
        `Cannot confirm operation ${id}: it is not prepared yet, so that its fees are not known; wait for it, or cancel it`,
      );
    }
    if (holdUntilMs <= nowMs) {
      throw new SeedmintError(
        "denied",
        `Cannot confirm operation ${id}: what it had reserved was let go; prepare it again`,
      );
    }
    return tx.updateOperation<HeldPlan>(operation, { plan, nextAtMs: nowMs, reason: null });
  });
}

/**
 * Ends an operation of which nothing was sent and releases what it had reserved.
 *
 * @throws {SeedmintError} `denied` when a request of it may be under way, or it is done.
 */
export function cancel(context: SagaContext, id: string): Operation {
  return context.store.transact((tx) => {
    const operation = existing(tx.operation(id), id);
    if (operation.status === "failed") return operation;
    const outputs = tx.outputs(id);
    const phases = new Set([...PHASES, ...outputs.map((output) => output.phase)]);
    const sent = [...phases].some((phase) => {
      const request = tx.request(id, phase);
      return request !== undefined && !isForLater(operation, request);
    });
    // An invoice that was shown may be paid at any time: only its expiry ends the watch.
    const payable = operation.kind === "fund" &&
      (operation.plan as { readonly quoteId?: string }).quoteId !== undefined;
    const given = ["send", "strip", "channel"].includes(operation.kind) &&
      tx.proofs({ operationId: id, state: "outgoing" }).length > 0;
    // Proofs of payments that we took are not the wallet's to hand back.
    const taken = operation.kind === "redeem" || operation.kind === "channel-close";
    if (operation.status === "done" || sent || payable || given || taken) {
      throw new SeedmintError(
        "denied",
        `Cannot cancel operation ${id} in state ${operation.state}: it cannot be taken back; see "wallet pending"`,
      );
    }
    const planned = outputs.filter((output) => output.state === "planned");
    tx.markOutputs(planned.map((output) => output.blinded), "void");
    tx.releaseProofs(id);
    return tx.updateOperation(operation, {
      state: "cancelled",
      status: "failed",
      nextAtMs: null,
      reason: "cancelled",
    });
  });
}

/** Makes an operation due now, also one that wanted attention. One that has ended stays as it is. */
export function nudge(context: SagaContext, id: string): Operation {
  return context.store.transact((tx) => {
    const operation = existing(tx.operation<HeldPlan>(id), id);
    if (operation.status === "done" || operation.status === "failed") return operation;
    const nowMs = context.clock.nowMs();
    // What waits for a person's word is not hurried by the clock.
    const held = operation.plan.holdUntilMs !== undefined && operation.state === "prepared";
    if (held && operation.status === "open") return operation;
    const updated = tx.updateOperation(operation, { status: "open", nextAtMs: nowMs, attempts: 0 });
    assert(updated.status === "open", "a nudged operation is open");
    return updated;
  });
}

/** A swap freezes what it will ask of its destination before it pays; only then is it sent. */
function isForLater(operation: Operation, request: FrozenRequest): boolean {
  return operation.kind === "swap" && request.path === "/v1/mint/bolt11" && request.sendCount === 0;
}

function existing<Plan>(operation: Operation<Plan> | undefined, id: string): Operation<Plan> {
  if (operation !== undefined) return operation;
  throw new SeedmintError("not-found", `No operation ${id}: see "wallet history"`);
}
