/**
 * The application: the only place that knows every part, and what `node.ts` loads.
 *
 * Vocabulary: a *verb* is a word of the command line; a *method* is what a verb asks of a node; a
 * node is *running* in a process of its own, or opened *alone* for one verb; the *composition* is
 * which pieces make a node. May import: everything below it.
 */
export * from "./identity.ts";
export * from "./permissions.ts";
export * from "./ticket.ts";
export * from "./version.ts";
