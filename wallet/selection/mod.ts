/**
 * Which proofs to spend, and how to split what comes back. Pure: amounts in, amounts out.
 *
 * Vocabulary: a coin is a kind of proof (keyset and amount) with how many there are; the terms of a
 * keyset are its input fee, and whether it is active or expired; the overshoot is what is put in beyond
 * what is needed, and comes back as change; dust is a proof that costs its value or more to spend.
 *
 * May import: `src/core`, the wallet's nouns, and types of its `store`.
 */
export * from "./denominations.ts";
export * from "./fees.ts";
export * from "./from_store.ts";
export * from "./select.ts";
export * from "./terms.ts";
