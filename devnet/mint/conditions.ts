/**
 * Spending conditions: P2PK (NUT-11) and HTLC (NUT-14), with SIG_ALL, multisig, locktime and refund.
 * Written from the specifications, and judged by the mint's own clock.
 */
import { parseP2PKSecret } from "@cashu/cashu-ts";
import { isSchnorrSignature, sha256 } from "./crypto.ts";
import { MintError } from "./errors.ts";
import { LOCK_KEYS_MAX, LOCK_SIGNATURES_MAX } from "./limits.ts";
import type { InputProof, OutputRequest } from "./requests.ts";

/** The conditions of one secret. */
interface Lock {
  readonly kind: "P2PK" | "HTLC";
  readonly data: string;
  readonly tagsText: string;
  readonly isSigAll: boolean;
  readonly keys: readonly string[];
  readonly keysNeeded: number;
  readonly refundKeys: readonly string[];
  readonly refundKeysNeeded: number;
  readonly locktimeS: number | undefined;
}

/** What is spent together. */
export interface Spending {
  readonly inputs: readonly InputProof[];
  readonly outputs: readonly OutputRequest[];
  /** Of a melt. */
  readonly quoteId?: string;
  readonly nowS: number;
  /** Kinds that the mint enforces; others are anyone's to spend. */
  readonly kinds: ReadonlySet<string>;
}

/** @throws {MintError} 10001 unless the witnesses meet every condition. */
export function checkConditions(spending: Spending): void {
  const locks = spending.inputs.map((input) => lockOf(input.secret, spending.kinds));
  if (!locks.some((lock) => lock?.isSigAll)) {
    for (const [index, lock] of locks.entries()) {
      const input = spending.inputs[index]!;
      if (lock) checkLock(lock, { witness: input.witness, message: input.secret, spending });
    }
    return;
  }
  const first = locks[0];
  const isUniform = locks.every((lock) =>
    first && lock && lock.kind === first.kind && lock.data === first.data &&
    lock.tagsText === first.tagsText
  );
  if (!first || !isUniform) throw invalid("SIG_ALL inputs must share kind, data and tags");
  checkLock(first, {
    witness: spending.inputs[0]!.witness,
    message: sigAllMessage(spending),
    spending,
  });
}

/** NUT-11, message aggregation for SIG_ALL. */
function sigAllMessage({ inputs, outputs, quoteId }: Spending): string {
  return inputs.map(({ secret, C }) => secret + C).join("") +
    outputs.map(({ amount, blinded }) => `${amount}${blinded}`).join("") + (quoteId ?? "");
}

function checkLock(
  lock: Lock,
  { witness, message, spending }: {
    readonly witness: string | undefined;
    readonly message: string;
    readonly spending: Spending;
  },
): void {
  const { signatures, preimage } = readWitness(witness);
  const digest = sha256(new TextEncoder().encode(message));
  const signed = (keys: readonly string[]) =>
    keys.filter((publicKey) =>
      signatures.some((signature) => isSchnorrSignature(signature, { digest, publicKey }))
    ).length;
  const hasPreimage = lock.kind === "P2PK" || isPreimageOf(preimage, lock.data);
  if (hasPreimage && signed(lock.keys) >= lock.keysNeeded) return;
  if (lock.locktimeS === undefined || spending.nowS <= lock.locktimeS) {
    throw invalid(hasPreimage ? "signatures are missing or wrong" : "the preimage is wrong");
  }
  if (lock.refundKeys.length > 0 && signed(lock.refundKeys) < lock.refundKeysNeeded) {
    throw invalid("the lock has expired, and signatures of refund keys are missing or wrong");
  }
}

function lockOf(secret: string, kinds: ReadonlySet<string>): Lock | undefined {
  const kind = kindOf(secret);
  if (kind === undefined || !kinds.has(kind)) return undefined;
  try {
    const [, { data, tags = [] }] = parseP2PKSecret(secret);
    const valuesOf = (name: string) => tags.find(([key]) => key === name)?.slice(1);
    const keys = [...(kind === "P2PK" ? [data] : []), ...(valuesOf("pubkeys") ?? [])];
    const refundKeys = valuesOf("refund") ?? [];
    return {
      kind,
      data,
      tagsText: JSON.stringify(tags),
      isSigAll: valuesOf("sigflag")?.[0] === "SIG_ALL",
      keys: distinct(keys),
      keysNeeded: thresholdOf(valuesOf("n_sigs"), keys.length, kind === "HTLC"),
      refundKeys: distinct(refundKeys),
      refundKeysNeeded: thresholdOf(valuesOf("n_sigs_refund"), refundKeys.length, true),
      locktimeS: locktimeOf(valuesOf("locktime")),
    };
  } catch (error) {
    if (error instanceof MintError) throw error;
    throw invalid("the secret is malformed");
  }
}

function kindOf(secret: string): "P2PK" | "HTLC" | undefined {
  if (!secret.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(secret);
    const kind: unknown = Array.isArray(value) ? value[0] : undefined;
    return kind === "P2PK" || kind === "HTLC" ? kind : undefined;
  } catch {
    return undefined;
  }
}

function distinct(keys: readonly string[]): readonly string[] {
  if (keys.length > LOCK_KEYS_MAX) throw invalid("the secret names too many keys");
  for (const key of keys) {
    if (!/^0[23][0-9a-fA-F]{64}$/.test(key)) throw invalid("a key of the secret is malformed");
  }
  if (new Set(keys.map((key) => key.slice(2).toLowerCase())).size !== keys.length) {
    throw invalid("the secret names a key twice");
  }
  return keys;
}

function thresholdOf(
  values: readonly string[] | undefined,
  keyCount: number,
  mayBeKeyless: boolean,
): number {
  if (values === undefined) return mayBeKeyless && keyCount === 0 ? 0 : 1;
  const count = /^[1-9]\d{0,3}$/.test(values[0] ?? "") ? Number(values[0]) : NaN;
  if (!(count <= keyCount)) throw invalid("the secret wants more signatures than it has keys");
  return count;
}

function locktimeOf(values: readonly string[] | undefined): number | undefined {
  const text = values?.[0] ?? "";
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function readWitness(
  text: string | undefined,
): { readonly signatures: readonly string[]; readonly preimage: string | undefined } {
  if (text === undefined) return { signatures: [], preimage: undefined };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid("the witness is no JSON");
  }
  if (typeof value !== "object" || value === null) throw invalid("the witness is no object");
  const { signatures = [], preimage } = value as Record<string, unknown>;
  const areTexts = Array.isArray(signatures) && signatures.length <= LOCK_SIGNATURES_MAX &&
    signatures.every((signature) => typeof signature === "string");
  if (!areTexts) throw invalid("the signatures of the witness are malformed");
  return { signatures, preimage: typeof preimage === "string" ? preimage : undefined };
}

function isPreimageOf(preimage: string | undefined, hash: string): boolean {
  if (preimage === undefined || !/^[0-9a-fA-F]{64}$/.test(preimage)) return false;
  return sha256(Uint8Array.fromHex(preimage)).toHex() === hash.toLowerCase();
}

function invalid(why: string): MintError {
  return new MintError("proofInvalid", `Proof verification failed: ${why}`);
}
