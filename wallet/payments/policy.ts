/** What a seller risks and how it redeems. */
import type { BatchPolicy } from "../operations/redeem_plan.ts";

/** How incoming payments are treated. */
export interface IntakePolicy {
  /** Whether tokens of trusted mints that pass every check get credit before they are redeemed. */
  readonly offline: boolean;
  /** Most credit of one mint that is not redeemed yet, in sat. */
  readonly unredeemedPerMintMaxSat: bigint;
  /** Most credit of one payer that is not redeemed yet, in sat. */
  readonly unredeemedPerPayerMaxSat: bigint;
  readonly batch: BatchPolicy;
  /**
   * What is done with a peer's ecash that does not prove itself (NUT-12): each piece could cost a request
   * to a mint and be worth nothing.
   */
  readonly unproven: "refuse" | "queue";
}

/** The policy of a node whose operator said nothing. */
export const INTAKE_POLICY: IntakePolicy = {
  offline: true,
  unredeemedPerMintMaxSat: 50_000n,
  unredeemedPerPayerMaxSat: 20_000n,
  // A stock mint takes 20 transactions a minute from one address: fewer, larger ones are better. A
  // hundred payments of three proofs are one.
  batch: { proofsMin: 300, idleMs: 20_000, lingerMs: 300_000 },
  unproven: "refuse",
};
