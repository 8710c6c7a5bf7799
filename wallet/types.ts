/** The nouns of the wallet. Amounts of proofs and outputs are in the unit of their keyset. */
import type { Unit } from "../src/core/money.ts";

/** The unit that this wallet holds. Keysets of other units are left alone. */
export const WALLET_UNIT: Unit = "sat";

/** A mint's address: https, or http on loopback; no slash at the end. `wallet/mint/mint_url.ts` makes it. */
export type MintUrl = string & { readonly __mintUrl: unique symbol };

/** Proof of equality of discrete logarithms (NUT-12), hex. `r` is only known to who blinded. */
export interface Dleq {
  readonly e: string;
  readonly s: string;
  readonly r?: string;
}

/** Ecash (NUT-00). Whoever knows it can spend it, unless it is locked: never log one. */
export interface Proof {
  readonly keysetId: string;
  readonly amount: bigint;
  readonly secret: string;
  /** Unblinded signature, 33 bytes in hex. */
  readonly C: string;
  readonly dleq?: Dleq;
  /** JSON text of the witness (NUT-11), once it is signed. */
  readonly witness?: string;
}

/** What an output is for. */
export type OutputRole = "send" | "keep" | "receive" | "change";

/**
 * Everything that is needed to ask for a signature, to unblind it, and to ask for it again. Written to
 * disk before the mint hears of it.
 */
export interface PlannedOutput {
  readonly role: OutputRole;
  readonly keysetId: string;
  /** 0 for blank outputs of change (NUT-08), whose amount the mint decides. */
  readonly amount: bigint;
  /** Blinded message B_, 33 bytes in hex: unique for ever. */
  readonly blinded: string;
  /** Blinding factor, decimal. */
  readonly blindingFactor: string;
  /** The secret as text. */
  readonly secret: string;
  /** Counter of NUT-13 that it was derived from; absent for locked outputs, which are random. */
  readonly counter?: number;
}

/** A blind signature as a mint gave it, shape checked. */
export interface BlindSignature {
  readonly keysetId: string;
  readonly amount: bigint;
  /** 33 bytes in hex. */
  readonly C_: string;
  readonly dleq?: Dleq;
}

/** A keyset whose id was derived again from its keys. */
export interface Keyset {
  readonly id: string;
  readonly unit: string;
  readonly active: boolean;
  /** Fee for each input in thousandths of the unit (NUT-02). */
  readonly inputFeePpk: number;
  /** Seconds since 1970 after which its proofs are worthless. */
  readonly finalExpiry?: number;
  /** Public key for each amount (decimal text), 33 bytes in hex. */
  readonly keys: Readonly<Record<string, string>>;
}

/** How far a mint is trusted. Whoever is not listed is refused before any request. */
export type MintTrust =
  /** May hold money, be swapped into, and have its tokens accepted without asking it. */
  | "trusted"
  /** May pay us: its tokens are redeemed at once and swept to a trusted mint. */
  | "accepted";

/** Where a proof is. */
export type ProofState =
  /** Ours to spend. */
  | "free"
  /** Ours, and an open operation is about to spend it. */
  | "reserved"
  /** In a token that we gave away and that was not seen redeemed. */
  | "outgoing"
  /** In a payment that we took and have not redeemed yet. */
  | "incoming"
  /** Gone. Kept so that it is never taken twice. */
  | "spent";
