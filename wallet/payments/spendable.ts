/** Which ecash our one key can spend. */
import { parseSpendingCondition } from "../outputs/p2pk_secret.ts";

/** Why `secretKey`'s holder cannot spend a proof with this secret, in words; undefined if it can. */
export function spendTrouble(secret: string, publicKey: string): string | undefined {
  const condition = parseSpendingCondition(secret);
  if (condition === undefined) {
    return "the token is under conditions that this wallet does not meet: one key and SIG_INPUTS are taken";
  }
  if (condition.kind === "none" || isSameKey(condition.data, publicKey)) return undefined;
  return "the token is locked to another key";
}

/** Whether two keys have the same x: signatures of NUT-11 do not tell their y apart. */
export function isSameKey(a: string, b: string): boolean {
  return a.slice(-64) === b.slice(-64);
}
