/**
 * Control over a running node: the listeners, who may use them, and what they understand.
 *
 * Vocabulary: the *socket* is a Unix socket that only the node's user can open; *loopback* is TCP on
 * this machine, with a bearer token. May import: core, config, api, valibot through `schema.ts`.
 */
export * from "./guard.ts";
export * from "./listen.ts";
export * from "./owner.ts";
export * from "./paths.ts";
export * from "./server.ts";
