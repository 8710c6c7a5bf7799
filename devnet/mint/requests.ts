/** Strict readers of request bodies. */
import { MintError, RequestError } from "./errors.ts";
import { INPUTS_MAX, OUTPUTS_MAX, SECRET_CHARS_MAX, WITNESS_CHARS_MAX } from "./limits.ts";

/** A proof as it is spent. */
export interface InputProof {
  readonly keysetId: string;
  readonly amount: bigint;
  readonly secret: string;
  readonly C: string;
  /** JSON text. */
  readonly witness: string | undefined;
}

/** A blinded message. */
export interface OutputRequest {
  readonly keysetId: string;
  readonly amount: bigint;
  readonly blinded: string;
}

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The body as a JSON object. @throws {RequestError} */
export function readObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed("the body is no JSON");
  }
  return objectOf(value, "the body");
}

/** `inputs` of a swap or melt. @throws {RequestError | MintError} */
export function readInputs(body: JsonObject): readonly InputProof[] {
  const inputs = arrayOf(body.inputs, "inputs");
  if (inputs.length === 0) throw malformed("inputs is empty");
  if (inputs.length > INPUTS_MAX) {
    throw new MintError("inputsMax", `At most ${INPUTS_MAX} inputs are taken`);
  }
  return inputs.map((value) => {
    const input = objectOf(value, "an input");
    return {
      keysetId: textOf(input.id, "id of an input", 66),
      amount: amountOf(input.amount, "amount of an input"),
      secret: textOf(input.secret, "secret of an input", SECRET_CHARS_MAX),
      C: textOf(input.C, "C of an input", 66).toLowerCase(),
      witness: witnessOf(input.witness),
    };
  });
}

/** `outputs` of a swap, mint, melt or restore. @throws {RequestError | MintError} */
export function readOutputs(
  body: JsonObject,
  options: { readonly isOptional?: boolean } = {},
): readonly OutputRequest[] {
  if (options.isOptional && (body.outputs === undefined || body.outputs === null)) return [];
  const outputs = arrayOf(body.outputs, "outputs");
  if (outputs.length > OUTPUTS_MAX) {
    throw new MintError("outputsMax", `At most ${OUTPUTS_MAX} outputs are taken`);
  }
  return outputs.map((value) => {
    const output = objectOf(value, "an output");
    const blinded = textOf(output.B_, "B_ of an output", 66).toLowerCase();
    if (!/^0[23][0-9a-f]{64}$/.test(blinded)) throw malformed("B_ is no compressed point");
    return {
      keysetId: textOf(output.id, "id of an output", 66),
      amount: amountOf(output.amount ?? 0, "amount of an output"),
      blinded,
    };
  });
}

/** A whole number that JSON holds exactly. @throws {RequestError} */
export function amountOf(value: unknown, what: string): bigint {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw malformed(`${what} is no whole number`);
  }
  return BigInt(value);
}

/** Text that is not empty. @throws {RequestError} */
export function textOf(value: unknown, what: string, charsMax: number): string {
  if (typeof value !== "string" || value.length === 0 || value.length > charsMax) {
    throw malformed(`${what} is no text of 1 to ${charsMax} characters`);
  }
  return value;
}

/** An object, not an array. @throws {RequestError} */
export function objectOf(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed(`${what} is no object`);
  }
  return value as JsonObject;
}

/** An array. @throws {RequestError} */
export function arrayOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(`${what} is no array`);
  return value;
}

function witnessOf(value: unknown): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return textOf(text, "witness of an input", WITNESS_CHARS_MAX);
}

function malformed(what: string): RequestError {
  return new RequestError(422, `Cannot read the request: ${what}`);
}
