/**
 * The pure core: names, codecs, sets, errors, ports. No I/O, no clock, no chance of its own.
 *
 * May import: nothing of Seedmint; of packages `cborg`, `@noble/curves`, `@noble/ed25519`
 * and `@scure/bip39`, one file each.
 */
export * from "./addresses.ts";
export * from "./assert.ts";
export * from "./bitfield.ts";
export * from "./bytes.ts";
export * from "./cbor.ts";
export * from "./ed25519.ts";
export * from "./errors.ts";
export * from "./hash.ts";
export * from "./keys.ts";
export * from "./money.ts";
export * from "./ports.ts";
export * from "./range_set.ts";
export * from "./secp256k1.ts";
export * from "./token_bucket.ts";
export * from "./varint.ts";
