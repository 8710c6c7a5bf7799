/** NUT-08: what was paid too much goes back into the blank outputs, in their order. */
import type { MintContext } from "./context.ts";
import type { MintKeyset } from "./keysets.ts";

/** A blank output and the amount that it gets. */
export interface FilledBlank {
  readonly blinded: string;
  readonly keyset: MintKeyset;
  readonly amount: bigint;
}

/** Fills the blanks of an operation, largest amounts first; what does not fit stays with the mint. */
export function blanksToSign(
  context: MintContext,
  origin: string,
  overpaid: bigint,
): readonly FilledBlank[] {
  const { changeKeyset, zeroChange } = context.settings.behaviour;
  const blanks = context.db.all(
    "SELECT blinded, keyset FROM outputs WHERE origin = ? ORDER BY position",
    origin,
  );
  const amounts = powersOfTwo(overpaid);
  return blanks.flatMap((row, index) => {
    const amount = amounts[index] ?? 0n;
    if (amount === 0n && !zeroChange) return [];
    const keyset = changeKeyset === "active"
      ? context.keysets.active
      : context.keysets.find(String(row.keyset))!;
    return [{ blinded: String(row.blinded), keyset, amount }];
  });
}

function powersOfTwo(amount: bigint): readonly bigint[] {
  const powers: bigint[] = [];
  for (let rest = amount; rest > 0n;) {
    const power = 1n << BigInt(rest.toString(2).length - 1);
    powers.push(power);
    rest -= power;
  }
  return powers;
}
