/** Inputs: checked once, PENDING while a payment is under way, SPENT for ever. */
import { checkConditions } from "./conditions.ts";
import type { MintContext } from "./context.ts";
import { hashToCurveHex, isSignatureOf } from "./crypto.ts";
import { MintError } from "./errors.ts";
import type { InputProof, OutputRequest } from "./requests.ts";

/** Inputs that may be spent. */
export interface CheckedInputs {
  readonly proofs: readonly (InputProof & { readonly y: string })[];
  readonly amount: bigint;
  /** NUT-02: of all inputs together, rounded up once. */
  readonly fee: bigint;
}

/** @throws {MintError} If an input is unknown, spent, pending, or there twice. */
export function checkInputs(context: MintContext, inputs: readonly InputProof[]): CheckedInputs {
  let feePpk = 0n;
  let amount = 0n;
  for (const input of inputs) {
    feePpk += context.keysets.forInput(input.keysetId, context.clock).inputFeePpk;
    amount += input.amount;
  }
  const proofs = inputs.map((input) => ({ ...input, y: hashToCurveHex(input.secret) }));
  if (new Set(proofs.map(({ y }) => y)).size !== proofs.length) {
    throw new MintError("duplicateInputs", "Duplicate inputs provided");
  }
  const states = proofs.map(({ y }) => stateOf(context, y).state);
  if (states.includes("SPENT")) throw new MintError("proofsSpent", "Proofs already spent");
  if (states.includes("PENDING")) throw new MintError("proofsPending", "Proofs are pending");
  return { proofs, amount, fee: (feePpk + 999n) / 1000n };
}

/** @throws {MintError} 10001 unless every input is signed by the mint and may be spent like this. */
export function checkAuthority(
  context: MintContext,
  inputs: CheckedInputs,
  outputs: readonly OutputRequest[],
  quoteId?: string,
): void {
  for (const { keysetId, amount, secret, C } of inputs.proofs) {
    const key = context.keysets.forInput(keysetId, context.clock).key(amount);
    if (!isSignatureOf(C, secret, key)) {
      throw new MintError("proofInvalid", "Proof verification failed: no signature of this mint");
    }
  }
  checkConditions({
    inputs: inputs.proofs,
    outputs,
    nowS: context.clock.nowS(),
    kinds: enforcedKinds(context),
    ...(quoteId === undefined ? {} : { quoteId }),
  });
}

/** Writes the inputs down as taken. Part of a transaction. */
export function takeInputs(
  context: MintContext,
  inputs: CheckedInputs,
  mark: { readonly state: "PENDING" | "SPENT"; readonly origin: string },
): void {
  for (const proof of inputs.proofs) {
    context.db.run(
      `INSERT INTO proofs (y, keyset, amount, secret, c, witness, state, origin)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      proof.y,
      proof.keysetId,
      proof.amount,
      proof.secret,
      proof.C,
      proof.witness ?? null,
      mark.state,
      mark.origin,
    );
  }
}

/** Ys of what an operation took. */
export function takenBy(context: MintContext, origin: string): readonly string[] {
  return context.db.all("SELECT y FROM proofs WHERE origin = ?", origin).map(({ y }) => String(y));
}

/** One answer of NUT-07. */
export interface ProofState {
  readonly Y: string;
  readonly state: "UNSPENT" | "PENDING" | "SPENT";
  readonly witness: string | null;
}

/** The state of a proof by its `Y`. */
export function stateOf(context: MintContext, y: string): ProofState {
  const row = context.db.get("SELECT state, witness FROM proofs WHERE y = ?", y);
  if (!row) return { Y: y, state: "UNSPENT", witness: null };
  const state = row.state as "PENDING" | "SPENT";
  return { Y: y, state, witness: row.witness === null ? null : String(row.witness) };
}

function enforcedKinds(context: MintContext): ReadonlySet<string> {
  const { settings } = context;
  if (!settings.hasNut(10)) return new Set();
  return new Set([
    ...(settings.hasNut(11) ? ["P2PK"] : []),
    ...(settings.hasNut(14) ? ["HTLC"] : []),
  ]);
}
