/**
 * How the command line speaks to people and programs: lines, JSON, progress, tables, numbers.
 *
 * May import: nothing else of Seedmint.
 */
export * from "./format.ts";
export * from "./output.ts";
export * from "./progress.ts";
