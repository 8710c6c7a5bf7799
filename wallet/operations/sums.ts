/** Sums that every kind of operation takes. */

/** Sum of amounts. */
export function sumOf(proofs: Iterable<{ readonly amount: bigint }>): bigint {
  let sum = 0n;
  for (const { amount } of proofs) sum += amount;
  return sum;
}
