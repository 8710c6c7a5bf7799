/** Why a token is not taken, in the stable words of those who rent compute. */

/** The same for programs in every version. */
export type TillRefusalCode =
  | "invalid_token"
  | "non_whitelisted_mint"
  | "token_already_spent"
  | "token_pending"
  | "mint_network_error"
  | "unsupported_unit"
  | "mint_error";

/** A token that is not taken; nothing of it was kept. The message holds no secret. */
export class TillRefusal extends Error {
  override readonly name = "TillRefusal";
  readonly code: TillRefusalCode;

  constructor(code: TillRefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}
