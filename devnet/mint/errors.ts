/** Refusals in the form of the NUTs: HTTP 400 with a code of `error_codes.md` and a detail. */

/** The codes that this mint uses, by what they mean. */
export const MINT_CODE = {
  proofInvalid: 10001,
  proofsSpent: 11001,
  proofsPending: 11002,
  outputsSigned: 11003,
  outputsPending: 11004,
  unbalanced: 11005,
  amountOutOfRange: 11006,
  duplicateInputs: 11007,
  duplicateOutputs: 11008,
  amountlessInvoice: 11011,
  amountDiffers: 11012,
  unitUnsupported: 11013,
  inputsMax: 11014,
  outputsMax: 11015,
  keysetUnknown: 12001,
  keysetInactive: 12002,
  keysetExpired: 12003,
  quoteUnpaid: 20001,
  quoteIssued: 20002,
  mintingDisabled: 20003,
  paymentFailed: 20004,
  quotePending: 20005,
  invoicePaid: 20006,
  quoteExpired: 20007,
  signatureInvalid: 20008,
  pubkeyInvalid: 20009,
} as const;

/** A refusal with a code: nothing was changed. */
export class MintError extends Error {
  override readonly name = "MintError";
  readonly code: number;

  constructor(code: keyof typeof MINT_CODE, detail: string) {
    super(detail);
    this.code = MINT_CODE[code];
  }
}

/** A request that is not even wrong: answered with `status` and a detail, without a code. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}
