/** Money in the wallet that may have to be paid back: what the wallet does by itself leaves it alone. */
import type { MintUrl } from "./types.ts";

/**
 * Says how much each mint holds back, in sat. Asked each time: whoever owes it keeps its own books. While
 * it throws, nothing is moved.
 */
export type HeldBack = () => Promise<ReadonlyMap<string, number>>;

/** What is held back at a mint, by what {@link HeldBack} said. */
export function heldAt(held: ReadonlyMap<string, number>, mint: MintUrl): bigint {
  return BigInt(held.get(mint) ?? 0);
}

/** What is free besides what is held back. */
export function spareOf(free: bigint, held: bigint): bigint {
  return free > held ? free - held : 0n;
}
