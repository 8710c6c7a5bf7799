/** What one exchange works with, read once from the journal. */
import { assert } from "../../src/core/assert.ts";
import { hashToCurveHex } from "../cashu.ts";
import type { MintApi } from "../mint/mint_api.ts";
import type { FrozenRequest, Operation } from "../operations/operation.ts";
import type { SagaContext } from "../operations/saga.ts";
import type { OutputRecord } from "../store/wallet_store.ts";
import type { Keyset } from "../types.ts";
import type { Endpoint } from "./decide.ts";

/** See the head of this file. */
export interface ExchangeWork {
  readonly context: SagaContext;
  readonly operation: Operation;
  readonly request: FrozenRequest;
  readonly endpoint: Endpoint;
  readonly mint: MintApi;
  /** In the order in which the body names them. */
  readonly outputs: readonly OutputRecord[];
  /** Ys of the inputs, of a swap. */
  readonly inputYs: readonly string[];
  /** Of a mint request. */
  readonly quoteId: string | undefined;
  readonly signal: AbortSignal;
}

/** What is read of a frozen body. */
interface Body {
  readonly quote?: string;
  readonly inputs?: readonly { readonly secret: string }[];
  readonly outputs: readonly { readonly B_: string }[];
}

/** Reads the frozen request of `phase` and its outputs. */
export function workOf(
  context: SagaContext,
  operation: Operation,
  phase: string,
  signal: AbortSignal,
): ExchangeWork {
  const request = context.store.request(operation.id, phase);
  assert(request !== undefined, `the request of ${operation.kind}.${phase} was frozen`);
  assert(request.path !== "/v1/melt/bolt11", "a melt is no exchange");
  const body = JSON.parse(request.body) as Body;
  const byBlinded = new Map(
    context.store.outputs(operation.id, phase).map((output) => [output.blinded, output]),
  );
  const outputs = body.outputs.map(({ B_ }) => byBlinded.get(B_));
  assert(
    outputs.length === byBlinded.size && outputs.every((output) => output !== undefined),
    "a frozen body names the outputs that were planned for it",
  );
  assert(outputs.length > 0, "an exchange has outputs");
  return {
    context,
    operation,
    request,
    endpoint: request.path === "/v1/swap" ? "swap" : "mint",
    mint: context.mints.of(outputs[0]!.mint),
    outputs,
    inputYs: (body.inputs ?? []).map(({ secret }) => hashToCurveHex(secret)),
    quoteId: body.quote,
    signal,
  };
}

/** The keysets of the planned outputs, and of `ids` besides; one that the mint does not have is left out. */
export async function keysetsOf(
  work: Pick<ExchangeWork, "mint" | "outputs" | "signal">,
): Promise<ReadonlyMap<string, Keyset>> {
  const found = new Map<string, Keyset>();
  for (const id of new Set(work.outputs.map(({ keysetId }) => keysetId))) {
    found.set(id, await work.mint.keyset(id, { signal: work.signal }));
  }
  return found;
}
