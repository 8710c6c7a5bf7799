/** Rows for tests of the wallet's store; none of it is real ecash. */
import { createHash } from "node:crypto";
import type { FrozenRequest, Operation } from "../../../wallet/operations/operation.ts";
import type { MintUrl, PlannedOutput, Proof } from "../../../wallet/types.ts";

/** Two mints that nobody asks. */
export const MINT_A = "https://a.example" as MintUrl;
export const MINT_B = "https://b.example" as MintUrl;

/** Keysets of MINT_A. */
export const KEYSET = "01".padEnd(66, "a");
export const OTHER_KEYSET = "01".padEnd(66, "b");

/** The fingerprint of a seed. */
export const FINGERPRINT = "0123456789abcdef";

/** 64 hex digits that `name` decides. */
export function hex(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

/** An operation that just began. */
export function operation(name: string, fields: Partial<Operation> = {}): Operation {
  return {
    id: hex(name).slice(0, 32),
    kind: "send",
    state: "prepared",
    status: "open",
    rev: 0,
    mint: MINT_A,
    amount: 10n,
    fee: 0n,
    plan: { note: name },
    attempts: 0,
    createdMs: 1_000,
    updatedMs: 1_000,
    ...fields,
  };
}

/** A proof whose Y and secret `name` decides. */
export function proof(
  name: string,
  amount: bigint,
  fields: Partial<Proof> = {},
): Proof & { readonly y: string } {
  return {
    y: `02${hex(`y ${name}`)}`,
    keysetId: KEYSET,
    amount,
    secret: hex(`secret ${name}`),
    C: `03${hex(`C ${name}`)}`,
    ...fields,
  };
}

/** A planned output that `name` decides. */
export function output(
  name: string,
  amount: bigint,
  fields: Partial<PlannedOutput> = {},
): PlannedOutput {
  return {
    role: "keep",
    keysetId: KEYSET,
    amount,
    blinded: `02${hex(`B_ ${name}`)}`,
    blindingFactor: BigInt(`0x${hex(`r ${name}`)}`).toString(),
    secret: hex(`secret of output ${name}`),
    ...fields,
  };
}

/** The swap that spends `inputs` for `outputs`. */
export function swapRequest(
  operationId: string,
  options: {
    readonly inputs: readonly Proof[];
    readonly outputs: readonly PlannedOutput[];
    readonly phase?: string;
  },
): Omit<FrozenRequest, "sendCount"> {
  return {
    operationId,
    phase: options.phase ?? "swap",
    path: "/v1/swap",
    body: JSON.stringify({
      inputs: options.inputs.map(({ amount, keysetId, secret, C }) => ({
        amount: Number(amount),
        id: keysetId,
        secret,
        C,
      })),
      outputs: options.outputs.map(({ amount, keysetId, blinded }) => ({
        amount: Number(amount),
        id: keysetId,
        B_: blinded,
      })),
    }),
  };
}
