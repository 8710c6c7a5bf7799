/**
 * Starting and ending a node: what is put together, in which order, and how it stops in time.
 *
 * Vocabulary: a *role* says how much is started: a whole node, a client for one verb, or the store.
 * May import: everything of the application but the command line, and all parts below it.
 */
export * from "./alone.ts";
export * from "./compose.ts";
export * from "./following.ts";
export * from "./herd.ts";
export * from "./lock_wait.ts";
export * from "./peers.ts";
export * from "./relays.ts";
export * from "./run.ts";
export * from "./store_options.ts";
export * from "./transfers.ts";
export * from "./wallet.ts";
