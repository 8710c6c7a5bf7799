/**
 * What can be asked of a node: one interface, a node in this process behind it, or one elsewhere.
 *
 * Vocabulary: a *method* has parameters, events and a result; a *target* is what a user typed to
 * name content; a *transfer* brings content into the store. May import: core, the swarm, the wallet, the
 * neighbours config, control and lifecycle.
 */
export * from "./image_methods.ts";
export * from "./images.ts";
export * from "./methods.ts";
export * from "./open.ts";
export * from "./open_wallet.ts";
export * from "./place.ts";
export * from "./targets.ts";
export * from "./transfers.ts";
export * from "./trust.ts";
export * from "./trust_methods.ts";
export * from "./wallet_methods.ts";
