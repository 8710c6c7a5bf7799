/** NUT-07 and NUT-09: what became of proofs and outputs. */
import type { MintContext } from "./context.ts";
import { RequestError } from "./errors.ts";
import { STATES_MAX } from "./limits.ts";
import { signatureOf } from "./outputs.ts";
import { stateOf } from "./proofs.ts";
import { arrayOf, type JsonObject, readOutputs, textOf } from "./requests.ts";

/** POST /v1/checkstate. */
export function checkState(context: MintContext, body: JsonObject): JsonObject {
  if (!context.settings.hasNut(7)) throw new RequestError(404, "State checks are disabled");
  const ys = arrayOf(body.Ys, "Ys");
  if (ys.length > STATES_MAX) throw new RequestError(422, `At most ${STATES_MAX} Ys are taken`);
  return { states: ys.map((y) => stateOf(context, textOf(y, "a Y", 66).toLowerCase())) };
}

/** POST /v1/restore. */
export function restore(context: MintContext, body: JsonObject): JsonObject {
  if (!context.settings.hasNut(9)) throw new RequestError(404, "Restoring is disabled");
  const found = readOutputs(body).flatMap(({ keysetId, blinded }) => {
    const signature = signatureOf(context, blinded);
    if (!signature) return [];
    return [{ output: { amount: signature.amount, id: keysetId, B_: blinded }, signature }];
  });
  return {
    outputs: found.map(({ output }) => output),
    signatures: found.map(({ signature }) => signature),
  };
}
