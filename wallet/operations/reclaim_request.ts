/** A person wants back what was given away: a token, the top-ups of a strip, or a channel. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";
import { requestReclaim as requestTokenBack } from "./send_plan.ts";
import { nudge } from "./steering.ts";
import type { StripPlan } from "./strip_plan.ts";
import { refundableFromMs } from "./take_back.ts";

/**
 * Wants back what nobody redeemed: drive the operation then.
 *
 * @throws {SeedmintError} `denied` while it is locked, or when there is none of it.
 */
export function requestReclaim(context: SagaContext, id: string): Operation {
  const operation = context.store.operation(id);
  if (operation?.kind !== "strip" && operation?.kind !== "channel") {
    return requestTokenBack(context, id);
  }
  const { state, plan } = operation as Operation<StripPlan>;
  if (state === "reclaim-inflight" || state === "done") return operation;
  if (state !== "ready") {
    throw new SeedmintError("denied", `Cannot take back operation ${id}: it is ${state}`);
  }
  const fromMs = refundableFromMs(plan.lock);
  if (fromMs > context.clock.nowMs()) {
    const what = operation.kind === "strip"
      ? "its top-ups are locked to their seller"
      : "the channel is open with its seller, which may close it earlier,";
    throw new SeedmintError(
      "denied",
      `Cannot take back operation ${id} yet: ${what} until ${
        new Date(fromMs).toISOString()
      }, and what is left comes back by itself after that`,
    );
  }
  return nudge(context, id);
}
