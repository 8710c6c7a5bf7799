/**
 * The backup of a wallet: one encrypted file that the node's twelve words open, with what they cannot
 * derive: operations under way, locked tokens given away, received and not redeemed ecash, the books.
 *
 * May import: `src/core`, and the wallet's nouns, `keys.ts` and `store`.
 */
export * from "./backup.ts";
export * from "./sealed_file.ts";
