/** Outputs: blinded messages, signed at most once, and kept with their signatures (NUT-09). */
import type { SqlRow } from "../../src/sqlite/mod.ts";
import type { MintContext } from "./context.ts";
import { isPoint, signBlinded, type SignedMessage } from "./crypto.ts";
import { MintError, RequestError } from "./errors.ts";
import type { MintKeyset } from "./keysets.ts";
import type { OutputRequest } from "./requests.ts";

/** A blind signature as JSON has it (NUT-00, NUT-12). */
export interface WireSignature {
  readonly id: string;
  readonly amount: number;
  readonly C_: string;
  readonly dleq?: { readonly e: string; readonly s: string };
}

/** An output with its signature, not yet on disk. */
export interface SignedOutput {
  readonly blinded: string;
  readonly keyset: MintKeyset;
  readonly amount: bigint;
  readonly signature: SignedMessage;
}

/**
 * The sum of the outputs. `areBlank` outputs have no amount yet (NUT-08).
 *
 * @throws {MintError} If one may not be signed, was signed, waits to be, or is there twice.
 */
export function checkOutputs(
  context: MintContext,
  outputs: readonly OutputRequest[],
  options: { readonly areBlank?: boolean } = {},
): bigint {
  if (new Set(outputs.map(({ blinded }) => blinded)).size !== outputs.length) {
    throw new MintError("duplicateOutputs", "Duplicate outputs provided");
  }
  let sum = 0n;
  for (const { keysetId, amount, blinded } of outputs) {
    const keyset = context.keysets.forOutput(keysetId, context.clock);
    if (!options.areBlank) {
      keyset.key(amount);
      sum += amount;
    }
    if (!isPoint(blinded)) throw new RequestError(422, "Cannot read the request: B_ is no point");
  }
  for (const { blinded } of outputs) {
    const row = context.db.get("SELECT signature FROM outputs WHERE blinded = ?", blinded);
    if (row?.signature) throw new MintError("outputsSigned", "Outputs already signed");
    if (row) throw new MintError("outputsPending", "Outputs are pending");
  }
  return sum;
}

/** Signs outputs that were checked. */
export function signOutputs(
  context: MintContext,
  outputs: readonly OutputRequest[],
): readonly SignedOutput[] {
  return outputs.map(({ keysetId, amount, blinded }) => {
    const keyset = context.keysets.find(keysetId)!;
    return { blinded, keyset, amount, signature: signBlinded(blinded, keyset.key(amount)) };
  });
}

/** Writes signed outputs down. Part of a transaction. */
export function keepSigned(
  context: MintContext,
  outputs: readonly SignedOutput[],
  origin: string,
): void {
  for (const [position, { blinded, keyset, amount, signature }] of outputs.entries()) {
    context.db.run(
      `INSERT INTO outputs
         (blinded, keyset, amount, signed_keyset, signature, e, s, origin, position)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      blinded,
      keyset.id,
      amount,
      keyset.id,
      signature.C_,
      signature.e,
      signature.s,
      origin,
      position,
    );
  }
}

/** Writes blank outputs down that may be signed later. Part of a transaction. */
export function keepBlank(
  context: MintContext,
  outputs: readonly OutputRequest[],
  origin: string,
): void {
  for (const [position, { keysetId, blinded }] of outputs.entries()) {
    context.db.run(
      "INSERT INTO outputs (blinded, keyset, amount, origin, position) VALUES (?, ?, 0, ?, ?)",
      blinded,
      keysetId,
      origin,
      position,
    );
  }
}

/** Signs a blank output. Part of a transaction. */
export function signBlank(
  context: MintContext,
  blank: { readonly blinded: string; readonly keyset: MintKeyset; readonly amount: bigint },
): void {
  const { blinded, keyset, amount } = blank;
  // Some mints sign blanks that get nothing, with whatever key.
  const { C_, e, s } = signBlinded(blinded, keyset.key(amount === 0n ? 1n : amount));
  context.db.run(
    `UPDATE outputs SET amount = ?, signed_keyset = ?, signature = ?, e = ?, s = ?
     WHERE blinded = ?`,
    amount,
    keyset.id,
    C_,
    e,
    s,
    blinded,
  );
}

/** The signature on a blinded message, if it was signed. */
export function signatureOf(context: MintContext, blinded: string): WireSignature | undefined {
  const row = context.db.get(
    "SELECT * FROM outputs WHERE blinded = ? AND signature IS NOT NULL",
    blinded,
  );
  return row && wireOfRow(context, row);
}

/** All signatures of an operation in the order of its outputs. */
export function signaturesOf(context: MintContext, origin: string): readonly WireSignature[] {
  return context.db.all(
    "SELECT * FROM outputs WHERE origin = ? AND signature IS NOT NULL ORDER BY position",
    origin,
  ).map((row) => wireOfRow(context, row));
}

/** Signed outputs as JSON has them. */
export function wireOf(
  context: MintContext,
  outputs: readonly SignedOutput[],
): readonly WireSignature[] {
  return outputs.map(({ keyset, amount, signature: { C_, e, s } }) => ({
    id: keyset.id,
    amount: Number(amount),
    C_,
    ...(context.settings.hasNut(12) ? { dleq: { e, s } } : {}),
  }));
}

function wireOfRow(context: MintContext, row: SqlRow): WireSignature {
  return {
    id: String(row.signed_keyset),
    amount: Number(row.amount),
    C_: String(row.signature),
    ...(context.settings.hasNut(12) ? { dleq: { e: String(row.e), s: String(row.s) } } : {}),
  };
}
