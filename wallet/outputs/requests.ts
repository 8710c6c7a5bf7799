/**
 * Bodies of requests, as the JSON text that is frozen on disk and sent each time. Amounts are written
 * as whole numbers; DLEQ proofs stay here, since `r` would tell the mint which signature it was.
 */
import { inRequestOrder, signMintQuote } from "../cashu.ts";
import type { KeyPair } from "../keys.ts";
import type { PlannedOutput, Proof } from "../types.ts";

/** Body of `/v1/swap` (NUT-03). Outputs go in the order of {@link inRequestOrder}. */
export function swapBody(request: {
  readonly inputs: readonly Proof[];
  readonly outputs: readonly PlannedOutput[];
}): string {
  return JSON.stringify({
    inputs: request.inputs.map(inputOf),
    outputs: inRequestOrder(request.outputs).map(outputOf),
  });
}

/** Body of `/v1/mint/bolt11` (NUT-04), signed with the quote's key in both ways of NUT-20. */
export function mintBody(request: {
  readonly quoteId: string;
  readonly outputs: readonly PlannedOutput[];
  readonly key: KeyPair;
}): { readonly body: string; readonly legacyBody: string } {
  const { quoteId, key } = request;
  const outputs = inRequestOrder(request.outputs);
  const { signature, legacySignature } = signMintQuote({
    quoteId,
    outputs,
    secretKey: key.secretKey,
  });
  const bodyWith = (signature: string) =>
    JSON.stringify({ quote: quoteId, outputs: outputs.map(outputOf), signature });
  return { body: bodyWith(signature), legacyBody: bodyWith(legacySignature) };
}

/** Body of `/v1/melt/bolt11` (NUT-05, NUT-08). The mint fills blanks from the first on. */
export function meltBody(request: {
  readonly quoteId: string;
  readonly inputs: readonly Proof[];
  readonly blanks: readonly PlannedOutput[];
  /** Asks the mint to answer `PENDING` at once. @default {false} */
  readonly preferAsync?: boolean;
}): string {
  const { quoteId, inputs, blanks, preferAsync = false } = request;
  return JSON.stringify({
    quote: quoteId,
    inputs: inputs.map(inputOf),
    ...(blanks.length === 0 ? {} : { outputs: blanks.map(outputOf) }),
    ...(preferAsync ? { prefer_async: true } : {}),
  });
}

function inputOf(proof: Proof): Record<string, unknown> {
  return {
    amount: numberOf(proof.amount),
    id: proof.keysetId,
    secret: proof.secret,
    C: proof.C,
    ...(proof.witness === undefined ? {} : { witness: proof.witness }),
  };
}

function outputOf(output: PlannedOutput): Record<string, unknown> {
  return { amount: numberOf(output.amount), id: output.keysetId, B_: output.blinded };
}

function numberOf(amount: bigint): number {
  const number = Number(amount);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${amount} sat is too much for a number`);
  return number;
}
