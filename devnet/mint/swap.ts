/** NUT-03. */
import type { MintContext } from "./context.ts";
import { MintError } from "./errors.ts";
import { checkOutputs, keepSigned, signOutputs, wireOf } from "./outputs.ts";
import { checkAuthority, checkInputs, takeInputs } from "./proofs.ts";
import { type JsonObject, readInputs, readOutputs } from "./requests.ts";

/** Spends inputs for outputs of the same value less fees, in one transaction. */
export function swap(context: MintContext, body: JsonObject): JsonObject {
  const requested = readOutputs(body);
  const inputs = checkInputs(context, readInputs(body));
  const outputAmount = checkOutputs(context, requested);
  if (inputs.amount - inputs.fee !== outputAmount) {
    throw new MintError(
      "unbalanced",
      `Transaction is not balanced: inputs ${inputs.amount} - fees ${inputs.fee} != outputs ${outputAmount}`,
    );
  }
  checkAuthority(context, inputs, requested);
  const signed = signOutputs(context, requested);
  context.db.transaction(() => {
    context.db.run(
      "INSERT INTO swaps (input_amount, output_amount, input_fee) VALUES (?, ?, ?)",
      inputs.amount,
      outputAmount,
      inputs.fee,
    );
    const origin = `swap:${context.db.get("SELECT last_insert_rowid() AS id")!.id}`;
    takeInputs(context, inputs, { state: "SPENT", origin });
    keepSigned(context, signed, origin);
  });
  context.updates.publish("proof_state", inputs.proofs.map(({ y }) => y));
  return { signatures: wireOf(context, signed) };
}
