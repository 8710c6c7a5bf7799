/**
 * The code of the verbs of `wallet`, one file each or one for those that differ in a word. Each is
 * loaded when it runs; help never does.
 *
 * May import: the tables of verbs, output, api. Of the wallet itself only types.
 */
export * from "./amounts.ts";
export * from "./consent.ts";
export * from "./describe.ts";
