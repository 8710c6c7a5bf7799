/** What both halves of the suite stand on. */
import type { LeaseLab } from "../../e2e/lease/lab.ts";
import { ok } from "../../e2e/support.ts";

/** See the head of this file. */
export interface Ground {
  /** For files; gone when the suite ends. */
  readonly directory: string;
  /** The program paygress-cli. */
  readonly program: string;
  readonly lab: LeaseLab;
}

/** A token that anybody can redeem, as users paste it. */
export async function bareToken(mint: string, data: string, sat: number): Promise<string> {
  const { token } = await ok(
    "wallet",
    "send",
    String(sat),
    "--mint",
    mint,
    "--yes",
    "--data",
    data,
  );
  return String(token);
}
