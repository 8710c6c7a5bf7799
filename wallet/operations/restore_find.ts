/** Asks a mint what it signed for derived outputs, and what of it is still worth something. */
import { SeedmintError } from "../../src/core/errors.ts";
import { hashToCurveHex, hasValidBlindDleq, secretDeriver, unblind } from "../cashu.ts";
import type { WalletReads, WalletTransaction } from "../store/wallet_store.ts";
import type { PlannedOutput, Proof } from "../types.ts";
import type { Operation } from "./operation.ts";
import type { Derived } from "./restore_plan.ts";
import type { SagaContext } from "./saga.ts";

/** A proof that was found, with the output that it came of. */
interface FoundProof extends Proof {
  readonly y: string;
  readonly blinded: string;
}

/** What a mint says of derived outputs. */
export interface Find {
  /** Those it signed, whatever became of them. */
  readonly signed: readonly Derived[];
  readonly unspent: readonly FoundProof[];
  readonly pending: readonly Derived[];
}

/** @throws {SeedmintError} `protocol` when the mint's signatures are not its own. */
export async function find(
  context: SagaContext,
  operation: Operation,
  options: { readonly wanted: readonly Derived[]; readonly signal: AbortSignal },
): Promise<Find> {
  const { wanted, signal } = options;
  const mint = context.mints.of(operation.mint);
  // Without keys a signature is worth nothing: ask for them before.
  for (const id of new Set(wanted.map(({ keysetId }) => keysetId))) {
    await mint.keyset(id, { signal });
  }
  const outputs = derived(context, wanted);
  const signatures = await mint.restore(outputs.map(({ output }) => output), { signal });
  const signed: Derived[] = [];
  const proofs: { readonly place: Derived; readonly proof: FoundProof }[] = [];
  for (const { place, output } of outputs) {
    const signature = signatures.get(output.blinded);
    if (signature === undefined) continue;
    signed.push(place);
    // Change may be signed with another keyset than its blank output was made for (NUT-08).
    const keyset = await mint.keyset(signature.keysetId, { signal });
    const isForged = signature.dleq !== undefined && !hasValidBlindDleq(signature, output, keyset);
    if (keyset.keys[signature.amount.toString()] === undefined || isForged) {
      throw new SeedmintError(
        "protocol",
        `The mint ${operation.mint} gives signatures that are not of its keyset ${keyset.id}; nothing of them was taken`,
      );
    }
    const proof = unblind(signature, output, keyset);
    const y = hashToCurveHex(proof.secret);
    if (context.store.proof(y) !== undefined) continue;
    proofs.push({ place, proof: { ...proof, y, blinded: output.blinded } });
  }
  if (proofs.length === 0) return { signed, unspent: [], pending: [] };
  const states = await mint.checkStates(proofs.map(({ proof }) => proof.y), { signal });
  const among = (state: string) => proofs.filter((_, index) => states[index]!.state === state);
  return {
    signed,
    unspent: among("UNSPENT").map(({ proof }) => proof),
    pending: among("PENDING").map(({ place }) => place),
  };
}

/**
 * Takes what was found and is nobody's: not known by now, and of no operation that is still open and
 * will take it itself.
 *
 * @returns What it is worth, in sat.
 */
export function insertFound(
  tx: WalletTransaction,
  context: SagaContext,
  options: { readonly operation: Operation; readonly find: Find },
): bigint {
  const { operation, find } = options;
  if (find.unspent.length === 0) return 0n;
  const claimed = outputsOfOthers(tx);
  const ours = find.unspent.filter((proof) =>
    tx.proof(proof.y) === undefined && !claimed.has(proof.blinded)
  );
  const { mint, id: operationId } = operation;
  const sum = ours.reduce((total, proof) => total + proof.amount, 0n);
  if (sum === 0n) return 0n;
  tx.insertProofs(ours, { mint, state: "free" });
  tx.addLedger([{
    operationId,
    mint,
    kind: "restore",
    delta: sum,
    atMs: context.clock.nowMs(),
  }]);
  return sum;
}

function outputsOfOthers(reads: WalletReads): Set<string> {
  const blinded = new Set<string>();
  for (const { id } of reads.operations({ status: ["open", "attention"] })) {
    for (const output of reads.outputs(id)) {
      if (output.state === "planned") blinded.add(output.blinded);
    }
  }
  return blinded;
}

function derived(
  context: SagaContext,
  wanted: readonly Derived[],
): { readonly place: Derived; readonly output: PlannedOutput }[] {
  const derivers = new Map<string, ReturnType<typeof secretDeriver>>();
  return wanted.map((place) => {
    const { keysetId, counter } = place;
    let secretAt = derivers.get(keysetId);
    if (secretAt === undefined) {
      derivers.set(keysetId, secretAt = secretDeriver(context.keys.seed, keysetId));
    }
    return {
      place,
      output: { role: "receive", keysetId, amount: 0n, counter, ...secretAt(counter) },
    };
  });
}
